"""First guesses: each is judged by what was measured, can be made again, and a link has the answer with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from tests.app.visitors import clean, own_jobs, visit

PAGES = {
    "robust": {}, "outputs": {"n": "50", "systems": ["rbc"]}, "transfer": {"n": "50", "systems": ["tra", "rbc"]},
    "feature_map": {"n": "50", "feature_map_kind": "PCA"}, "train": {},
    "regions": {"regions_tasks": ["TRA", "RBC"], "regions_epochs": "5", "regions_n": "50"},
}


@pytest.fixture(autouse=True)
def _own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    threads = torch.get_num_threads()
    with own_jobs(monkeypatch, tmp_path / "jobs"):
        yield
    torch.set_num_threads(threads)


def verdict(at: AppTest) -> tuple[bool, str] | None:
    """Whether the guess was right, and what was measured; None where no verdict is on the page."""
    judged = (re.fullmatch(r"[✓✗] You were (right|wrong)\. You said \*\*.+\*\*; it was \*\*(.+)\*\*\.", block.value)
              for block in at.markdown)
    return next(((match[1] == "right", match[2]) for match in judged if match), None)


def asked(at: AppTest, page: str) -> AppTest:
    """The page once its question is there: a system may have to be trained first."""
    for _ in range(100):
        if any(button.key == f"{page}_show" for button in at.button):
            break
        clean(at.run())
    return at


@pytest.mark.parametrize("page", PAGES)
def test_a_guess_is_judged_and_can_be_made_again(page: str) -> None:
    at = asked(visit(page, **PAGES[page]), page)
    options, verdicts = at.segmented_control(key=f"{page}_predicted").options, []
    for option in options:
        at.segmented_control(key=f"{page}_predicted").set_value(option).run()
        clean(at.button(key=f"{page}_show").click().run())
        verdicts.append(verdict(at))
        assert at.query_params[f"{page}_revealed"] in ("true", ["true"])
        clean(at.button(key=f"{page}_again").click().run())
        assert verdict(at) is None and f"{page}_revealed" not in at.query_params
        assert at.segmented_control(key=f"{page}_predicted").value is None
    assert None not in verdicts
    assert [right for right, _ in filter(None, verdicts)].count(True) == 1, "one of the options, and one alone"
    assert len({measured for _, measured in filter(None, verdicts)}) == 1


@pytest.mark.parametrize("page", PAGES)
def test_a_link_reveals(page: str) -> None:
    at = visit(page, **PAGES[page], **{f"{page}_revealed": "true"})
    for _ in range(100):
        if any(button.key == f"{page}_again" for button in at.button):
            break
        clean(at.run())
    assert not any(button.key == f"{page}_show" for button in at.button)
    assert verdict(at) is None, "nobody has guessed"
