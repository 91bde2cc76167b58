"""The slides of a session hold its plan, nothing that the audience should not see, and nothing from a network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasklab.course import notebooks
from tasklab.course.instructor import notes
from tasklab.course.plan import PLAN, Session
from tasklab.course.slides import ASSETS, LONGEST, PLOTLY, deck
from tests.notebooks.decks import pretend, write


@pytest.mark.parametrize(("number", "session"), list(enumerate(PLAN, 1)), ids=[each.title for each in PLAN])
def test_a_deck_follows_the_plan(number: int, session: Session) -> None:
    executed = {work.part.notebook: notebooks.build(work.part.notebook, "instructor") for work in session.works}
    for name, copy in executed.items():
        pretend(copy, name)
    cells = deck(number, session, executed).cells
    shown = "\n".join(cell.source for cell in cells if cell.metadata["slideshow"]["slide_type"] != "notes")
    spoken = "\n".join(cell.source for cell in cells if cell.metadata["slideshow"]["slide_type"] == "notes")
    for work in session.works:
        for unit in work.core:
            heading = {"Q": "## Questions", "E": f"## Exercise {unit[1:]} ·"}.get(unit[0], f"## {unit} ·")
            assert heading in shown, f"{unit} of notebook {work.notebook}"
            note = notes(work.part.notebook, notebooks.folder()).get(unit, "")
            assert note.split("$")[0] in spoken
        for cell in notebooks.read(work.part.notebook).cells:
            if notebooks.tags(cell) & {"solution", "check"} and len(cell.source) > 60:
                assert cell.source not in shown, "solutions and checks are not shown"
    assert "<summary>Answers" not in shown and "Further reading" not in shown
    texts = [cell.source for cell in cells if cell.cell_type == "markdown" and "<math" not in cell.source
             and cell.metadata["slideshow"]["slide_type"] != "notes"]
    assert max(map(len, texts)) < 1.6 * LONGEST, "a slide holds no more"
    assert sum("class=\"break\"" in cell.source for cell in cells) == 1
    assert not [output for cell in cells for output in cell.get("outputs", ()) if PLOTLY in output.get("data", {})]


def test_a_file_loads_nothing_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = write(tmp_path, monkeypatch, ("03",))
    text = file.read_text(encoding="utf-8")
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"([^\"]+)\"", text)
    assert loaded and all((tmp_path / name).is_file() for name in loaded), loaded
    assert not re.search(r"@import|url\(\s*['\"]?https?:", text)
    assert {"LICENSE", "plotly.min.js"} <= {each.name for each in (tmp_path / ASSETS).iterdir()}
    assert "<msub>" in text and "\\mathrm" not in text.replace("\\\\", "\\"), "formulas are drawn by the browser itself"
    assert 'aria-label="It falls."' in text and "<details>" not in text
    assert text.count('<aside class="notes">') > 5 and "<title>Session 3" in text
