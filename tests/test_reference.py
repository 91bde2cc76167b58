"""The API reference: every cross-reference leads somewhere, and the pages are built and link to each other."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tasklab
from tasklab import reference

LINK = re.compile(r'<a [^>]*?href="([^"#]*)(?:#([^"]*))?"')


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the reference."""
    return reference.build(tmp_path_factory.mktemp("docs")).parent


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """One more module, whose docstrings a test writes."""
    made = ModuleType("tasklab.made_up")
    made.codecs = sys.modules["tasklab.codecs"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.setattr(reference, "modules", lambda: ["tasklab.codecs.base", "tasklab.codecs.binary", made.__name__])
    return made


def test_every_module_but_the_command_line_has_a_page(pages: Path) -> None:
    built = {str(page.relative_to(pages)) for page in pages.rglob("*.html")}
    assert {"index.html", "tasklab.html", "tasklab/attacks/pgd.html", "tasklab/experiments/plane.html"} <= built
    assert not [name for name in built if name.startswith("tasklab/cli")]
    assert len(built) == len(reference.modules()) + 1


def test_the_first_page_documents_every_public_name(pages: Path) -> None:
    first = (pages / "tasklab.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in first for name in tasklab.__all__)
    assert "tasklab/attacks.html" in first, "packages are to be reached from there"


def test_every_link_between_pages_has_its_target(pages: Path) -> None:
    text = {page: page.read_text(encoding="utf-8") for page in pages.rglob("*.html")}
    places = {page: set(map(html.unescape, re.findall(r'id="([^"]+)"', words))) for page, words in text.items()}
    lost = set()
    for page, words in text.items():
        for where, place in LINK.findall(words):
            if "://" not in where and "$" not in where and (where or place):  # $: the search box fills it in
                target = (page.parent / where).resolve() if where else page
                private = any(part.startswith("_") for part in place.split("."))  # inherited from what has no place
                if target not in places or (place and not private and html.unescape(place) not in places[target]):
                    lost.add(f"{page.relative_to(pages)}: {where}#{place}")
    assert lost == set()


def test_a_name_of_another_module_is_a_link_and_a_formula_is_as_it_was_written(pages: Path) -> None:
    page = (pages / "tasklab" / "codecs" / "binary.html").read_text(encoding="utf-8")
    assert '<a href="base.html#ABNORMAL"><code>ABNORMAL</code></a>' in page
    assert "<code>min_i s_ki · (z_i − threshold)</code>" in page
    assert not re.search(r"<script[^>]*src=\"https?:", page), "the pages need no network"


@pytest.mark.parametrize(("words", "broken"), [
    ("As `Binary` and `codecs.Codec` and `ABNORMAL` have it; ``no_such`` is code.", []),
    ("As `Codec.decode()` does, and `tasklab.codecs.binary.Binary.signs`.", []),
    ("As `no_such` does.", ["no_such"]),
    ("As `Binary.no_such` does.", ["Binary.no_such"]),
    ("As `tasklab.codecs.base.gone` does, and `tasklab.gone`.", ["tasklab.codecs.base.gone", "tasklab.gone"]),
    ("As `codecs.no_such()` does.", ["codecs.no_such"]),
])
def test_what_is_not_there_is_named(module: ModuleType, words: str, broken: list[str]) -> None:
    module.__doc__ = words
    assert reference.broken_references() == [f"tasklab.made_up: `{name}`" for name in broken]


def test_a_broken_reference_stops_the_build(
    module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module.__doc__ = "As `no_such` does."
    with pytest.raises(SystemExit, match="1"):
        reference.main(["--to", str(tmp_path)])
    assert "got tasklab.made_up: `no_such`; try" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_pdoc_one_sentence_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pdoc", None)
    with pytest.raises(SystemExit, match="1"):
        reference.main(["--to", str(tmp_path)])
    assert "expected pdoc" in capsys.readouterr().err
