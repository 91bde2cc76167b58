"""The transfer page's script: matrices as the library has them, the open cell, links, and what can be wrong."""

from __future__ import annotations

import contextlib
import io
import json
import re
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tasklab import data, zoo
from tasklab.attacks import PGD
from tasklab.evaluation import transfer
from tests.app.live_parts import snippet
from tests.app.visitors import clean, sentences, visit

FOUR = ("tra", "deepbe", "int", "rbc")


PAPERS = "the attacked system classifies correctly (paper)"


pytestmark = pytest.mark.usefixtures("digits_alone")


def start(**query: str | list[str]) -> AppTest:
    return visit("transfer", **{"n": "50", "steps": "5"} | query)


def bodies(at: AppTest) -> str:
    """The HTML of a page, without the links to the pages on systems."""
    body = "\n".join(e.proto.body for e in at.main.get("html") if hasattr(e.proto, "body"))
    return re.sub(r'<a href="systems[^>]*>([^<]*)</a>', r"\1", body)


def grids(at: AppTest) -> list[dict[str, Any]]:
    """What each matrix was given to show."""
    return [json.loads(e.proto.json) for e in at.main.get("bidi_component")
            if e.proto.component_name == "tasklab_transfer_grid"]


def words(grid: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(row["key"], cell["key"]): cell["words"] for row in grid["rows"] for cell in row["cells"]}


def reveal(at: AppTest) -> AppTest:
    return clean(at.button(key="transfer_show").click().run())


def test_the_first_view_teaches_that_a_masked_threat_moves_nothing() -> None:
    at = start()
    (grid,) = grids(at)
    assert "fool another system <b>never</b>: <b>100 % of them were not changed" in bodies(at)
    rows = {row["key"]: row for row in grid["rows"]}
    assert list(rows) == [f"digits-{key}" for key in FOUR] + ["all others", "noise"]
    assert [row["masked"] for row in rows.values()] == [False, False, True, True, False, False]
    assert rows["digits-int"]["still_text"] == "100 %"
    assert [rows[key]["opens"] for key in ("all others", "noise")] == [True, False]
    assert any("INT and RBC masked" in c.value for c in at.caption)
    assert "First guess" in "".join(m.value for m in at.markdown), "the margin waits for a guess"
    assert bodies(at).count('class="moved"') > 5, "images that transfer are there without a click"


def test_the_matrices_are_the_library_s() -> None:
    at = reveal(start())
    test = data.load("digits", "test").subset(50)
    systems = {f"digits-{key}": zoo.load(f"digits-{key}") for key in FOUR}
    for grid, objective in zip(grids(at), ("train", "margin"), strict=True):
        settings = PGD(eps=0.2, steps=5, random_start=False, keep="best", objective=objective)
        lines = {line.name: line for line in transfer(systems, systems, test.x(), test.labels, settings).lines()}
        for row in grid["rows"]:
            for cell in row["cells"]:
                share = lines[row["key"]].rates[cell["key"]]
                assert cell["share"] == pytest.approx(share.value)
                assert f"{share.count} of {share.n}, " in cell["words"]
    masked = [[row["masked"] for row in grid["rows"][:4]] for grid in grids(at)]
    assert masked == [[False, False, True, True], [False] * 4]


@pytest.mark.parametrize("query", [{}, {"transfer_kept": PAPERS}, {"attack": "FGSM"},
                                   {"systems": ["tra", "int"], "up": "true", "target": "3", "start": "true"}])
def test_the_snippet_gives_the_numbers_of_the_page(query: dict[str, str | list[str]]) -> None:
    at = start(**{"n": "50"} | query)
    if any("First guess" in m.value for m in at.markdown):
        at = reveal(at)
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet(at), "snippet", "exec"), space)
    assert len(space["tables"]) == len(grids(at)) >= 2
    for table, grid in zip(space["tables"].values(), grids(at), strict=True):
        described = table.set_index("threat")
        for row in grid["rows"]:
            for cell in row["cells"]:
                assert described.loc[row["key"], cell["key"]].split(" ")[0] == f"{100 * cell['share']:.1f}"


def test_any_cell_can_be_opened() -> None:
    at = start()
    assert grids(at)[0]["selected"] == ["digits-tra", "digits-rbc"]
    clean(at.selectbox(key="transfer_threat").set_value("int").run())
    assert grids(at)[0]["selected"] == ["digits-int", "digits-rbc"]
    assert "INT → RBC" in bodies(at)
    assert any("There is no image to show" in s for s in sentences(at))
    clean(at.segmented_control(key="transfer_which").set_value("that do not").run())
    assert bodies(at).count("unchanged</span>") >= 15
    clean(at.selectbox(key="transfer_victim").set_value("int").run())
    assert "its own attack" in bodies(at)
    clean(at.selectbox(key="transfer_threat").set_value("all others").run())
    assert "all others together → INT" in bodies(at)


def test_the_filter_changes_how_many_count() -> None:
    at = start(systems=["int", "tra"], n=400)
    strict = words(grids(at)[0])["digits-tra", "digits-int"]
    clean(at.segmented_control(key="transfer_kept").set_value(PAPERS).run())
    paper = words(grids(at)[0])["digits-tra", "digits-int"]
    of = [int(text.split(" of ")[1].split(",")[0]) for text in (strict, paper)]
    assert of[0] < of[1], "INT misclassifies a few that TRA reads"


def test_a_link_opens_what_the_guess_would_hide() -> None:
    at = start(transfer_aim="margin", transfer_threat="rbc", transfer_victim="tra")
    assert len(grids(at)) == 2
    assert [grid["selected"] for grid in grids(at)] == [[], ["digits-rbc", "digits-tra"]]
    assert "RBC → TRA" in bodies(at)


def test_values_that_mean_nothing_are_forgotten() -> None:
    at = start(transfer_aim="nonsense", transfer_threat="none", transfer_kept="all", transfer_victim="x")
    assert grids(at)[0]["selected"] == ["digits-tra", "digits-rbc"]
    clean(at.selectbox(key="transfer_threat").set_value("deepbe").run())
    clean(at.multiselect(key="systems").set_value(["tra", "rbc"]).run())
    assert grids(at)[0]["selected"] == ["digits-tra", "digits-rbc"], "the system of the open cell is gone"


def test_what_cannot_be_shown_is_said() -> None:
    assert any("Transfer needs two systems" in s for s in sentences(start(systems="tra")))
    assert any("Pick at least one aim" in s for s in sentences(start(train="false", margin="false")))
    at = start(train="false", margin="false", up="true")
    assert sum("cannot be attacked with this aim" in s for s in sentences(at)) == 3
    assert [row["key"] for row in grids(at)[0]["rows"]] == ["digits-int", "noise"]
    assert any("This cell is empty" in s for s in sentences(at))
    at = start(attack="Noise", steps="2")
    assert len(grids(at)) == 1 and "<h2>Noise</h2>" in bodies(at), "noise has no aim, so there is one matrix"
    assert "MNIST is not on this machine yet" in sentences(start(data="mnist"))[0]


def test_every_picture_leads_to_the_attack_lab() -> None:
    page = bodies(start(systems=["tra", "rbc"], eps="0.25"))
    links = [part.split('href="')[1].split('"')[0] for part in page.split('<a class="moved"')[1:]]
    assert links and all(link.startswith("./attack_lab?") and "systems=tra&amp;systems=rbc" in link for link in links)
    assert all("eps=0.25" in link for link in links)
    assert page.count("<img") == 2 * len(links) == page.count("alt=")
