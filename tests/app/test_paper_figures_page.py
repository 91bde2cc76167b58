"""The paper's figures on its page: what they show is what the shipped and the own records say."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab_ui.results import paper_figures, paper_tables
from lab_ui.results.paper_figures import FIGURES
from tasklab import zoo
from tasklab.paper.features import Features
from tasklab.paper.grid import FULL
from tests.app.live_parts import snippet
from tests.app.visitors import visit
from tests.paper.small_cells import kinds, written

DIGITS, SMALL = "digits", "Small CNN"


@pytest.mark.parametrize("name", list(FIGURES))
def test_each_figure_is_shipped_whole_for_digits_and_shown_with_its_claims(name: str) -> None:
    shown = paper_figures.read(name, DIGITS, SMALL)
    assert shown.missing == () and all(claim.verdict != "not made" for claim in shown.claims)
    at = visit("paper", paper_table=name)
    html = "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))
    judged = [claim for claim in shown.claims if claim.verdict != "cannot be told"]
    assert f"{sum(claim.verdict == 'holds' for claim in judged)} of {len(judged)} hold" in html
    assert html.count("<tr><th scope='row'>") == len(shown.claims)
    assert snippet(at).count("FULL") == 2
    assert not at.exception


def test_the_code_beside_a_figure_makes_the_same_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    code = snippet(visit("paper", paper_table="Figure 3"))
    names: dict[str, object] = {}
    exec(code, names)
    shown = paper_figures.read("Figure 3", DIGITS, SMALL)
    assert names["table"].equals(shown.frame())  # type: ignore[attr-defined]
    assert shown.claims[0].measured in capsys.readouterr().out


def test_without_records_the_page_says_what_makes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "shipped")
    monkeypatch.setattr(paper_tables, "OWN", tmp_path)
    at = visit("paper", paper_table="Figure 4")
    assert "tasklab paper fig4 --data digits --arch small_cnn" in [code.value for code in at.code]
    assert "decides none of the claims" in "\n".join(e.proto.body for e in at.main.get("html"))


def test_a_result_of_other_weights_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped" / "paper"
    shipped.mkdir(parents=True)
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "shipped")
    figure = Features(data=(DIGITS,), archs=("small_cnn",), folder=tmp_path / "own", scale=FULL)
    work = figure.works()[0]
    written(shipped, work.cells[0], kinds(), weights="a" * 32)
    work.write(shipped, ["a" * 32], {"labels": [1]})
    assert work.read(figure.folder) == {"labels": [1]}, "what is shipped is read"
    written(figure.folder, work.cells[0], kinds(), weights="b" * 32)
    assert work.read(figure.folder) is None, "but not for a system of one's own"
