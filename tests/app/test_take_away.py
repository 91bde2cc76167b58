"""What leaves a page says what it shows, and a snippet gives the numbers of its page on any machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lab_ui.shell import frame, take_away
from tasklab.data import DATASETS
from tasklab.text import in_html
from tests.app.live_parts import snippet
from tests.app.visitors import visit

PAGES: dict[str, dict[str, str | list[str]]] = {
    "outputs": {"systems": ["tra", "rbc"], "steps": "2", "n": "50"},
    "regions": {"regions_tasks": "TRA", "regions_epochs": "5", "regions_n": "100", "regions_revealed": "true"},
    "robust": {"robust_revealed": "true", "robust_curves": ["training loss", "margin"]},
    "transfer": {"systems": ["tra", "rbc"], "steps": "2", "n": "50"},
    "paper": {}, "train": {}, "systems": {"system": "digits-rbc"},
}
"""Pages with figures that can be saved, and settings with which they are quick."""


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delenv("TASKLAB_ZOO", raising=False)
    monkeypatch.setenv("TASKLAB_JOBS", str(tmp_path / "jobs"))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("slug", PAGES)
def test_every_saved_figure_has_a_title_with_its_conditions(slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: dict[str, Any] = {}
    monkeypatch.setattr(frame, "close_page", lambda lab, **kept: saved.update(kept.get("figures") or {}))
    visit(slug, **PAGES[slug])
    assert saved
    for name, (_, title) in saved.items():
        assert any(data.title in title for data in DATASETS.values()), f"{name}: {title}"
        assert re.search(r"n = \d", title) and "ε" in title, f"{name}: {title}"
        assert "PGD" in title, f"{name}: {title}"
        assert re.search("TRA|RBC|Table", title), f"{name}: {title}"
    figure, title = next(iter(saved.values()))
    text = take_away.FigurePage(figure, title)()
    assert json.dumps(in_html(title.split(" · ")[0].split(" ")[0]))[1:-1] in text, "the file has the title"


def test_every_page_that_saves_figures_is_tested() -> None:
    pages = (Path(__file__).parents[2] / "app" / "app_pages").glob("*.py")
    assert {path.stem for path in pages if re.search(r"\bfigures=\{", path.read_text(encoding="utf-8"))} == set(PAGES)


def test_a_snippet_gives_the_page_s_numbers_whatever_the_number_of_threads() -> None:
    at = visit("outputs", systems=["tra", "rbc"], objective="train", n="200")
    shown = re.findall(r'aria-label="[^"]*?, after: (\d+) correct',
                       "".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body")))
    world = {name: value for name, value in os.environ.items() if "THREADS" not in name}
    done = subprocess.run([sys.executable, "-c", snippet(at)], capture_output=True, encoding="utf-8", env=world,
                          check=True, timeout=300)
    measured = re.findall(r"([\d.]+)% still correct", done.stdout)
    assert [f"{float(each):.1f}" for each in measured] == [f"{int(count) / 2:.1f}" for count in shown]
