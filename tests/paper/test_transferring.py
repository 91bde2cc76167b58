"""Figure 5: its rates are the transfer matrix's, and its claims follow from them."""

from __future__ import annotations

from pathlib import Path

import torch
from small_cells import TINY, cell

from tasklab import data
from tasklab.attacks import PGD
from tasklab.evaluation import Share, transfer
from tasklab.paper.cells import Workshop, make
from tasklab.paper.plan import Pace
from tasklab.paper.records import Record, to_hex, write_record
from tasklab.paper.transferring import Transferring, TransferWork
from tasklab.system import System

N = TINY.attacked


def figure(folder: Path, archs: tuple[str, ...] = ("small_cnn",)) -> Transferring:
    return Transferring(data=("digits",), archs=archs, folder=folder, scale=TINY)


def test_the_rates_are_the_matrix_s(tmp_path: Path) -> None:
    drawn, workshop = figure(tmp_path), Workshop(folder=tmp_path)
    seeds = next(panel for panel in drawn.panels("digits") if "seeds of TRA" in panel.title)
    for of in seeds.cells.values():
        list(make(workshop, of, ()))
    for work in drawn.works():
        if set(work.cells) == set(seeds.cells.values()):
            assert work.seconds(Pace(workshop, work.cells)) > 0
            work.make(workshop)
    files = {name: workshop.weights(of) for name, of in seeds.cells.items()}
    systems = {name: System.load(file) for name, file in files.items() if file is not None}
    test = data.load("digits", "test").subset(N)
    whole = transfer(systems, systems, test.x(), test.labels,
                     PGD(eps=0.3, steps=5, objective="train", keep="last"))
    results = {(number.of["found against"], number.of["shown to"], number.what): number.value
             for number in drawn.numbers() if number.of["matrix"] == seeds.title}
    for (threat, victim), each in whole.cells.items():
        assert results[threat, victim, "fooled"] == each.rate("threat"), "what the threat misreads does not count"
        assert results[threat, victim, "fooled by noise"] == each.noise("threat")
    assert results["seed 0", "seed 0", "zero gradient"] == whole.threats["seed 0"].zero_gradient


def test_networks_are_exchanged_where_there_are_several(tmp_path: Path) -> None:
    titles = [panel.title for panel in figure(tmp_path, ("small_cnn", "resnet18")).panels("digits")]
    assert titles[1:3] == ["Digits (8×8), networks of RBC", "Digits (8×8), networks of TRA"]


def written(folder: Path, fooled: dict[str, int], idle: dict[str, int]) -> Transferring:
    """The figure after made-up records: by method, how many examples fool others, and how many have no gradient."""
    drawn = Transferring(data=("digits",), archs=("small_cnn",), folder=folder, scale=TINY)
    n = 100
    for of in drawn.asked():
        write_record(folder, of, Record(name=of.name, method=of.method.name, card={}, weights="0" * 32))
    for work in drawn.works():
        method = work.cells[0].method.name
        which = torch.arange(n) < fooled.get(method, 0)
        results = {
            "n": n, "correct": to_hex(torch.arange(n) < 90), "unmoved": to_hex(which & ~which),
            "zero_gradient": to_hex(torch.arange(n) >= n - idle.get(method, 0)),
            "victims": {victim.name: {"fooled": to_hex(which), "noise": to_hex(which & ~which),
                                      "correct": to_hex(which | ~which)} for victim in work.cells[1:]},
        }
        work.write(folder, ["0" * 32] * len(work.cells), results)
    return drawn


def test_a_claim_counts_what_both_read_and_then_what_both_attacks_could_see(tmp_path: Path) -> None:
    drawn = written(tmp_path, {"TRA": 80, "RBC": 20, "INT": 100}, {"RBC": 80})
    claims = {claim.statement.split(": ", 1)[1]: claim for claim in drawn.claims()}
    rbc = claims["more examples transfer from TRA than from RBC to the others"]
    assert rbc.verdict == "holds" and "(n = 180)" in rbc.measured, "two victims, and ten images are misread"
    assert f"without a gradient: 0.0 [0.0, 4.1] % against {Share(70, 90).percent()} %" in rbc.measured
    seen = claims["more examples transfer from TRA than from RBC to the others, on images where both attacks had a "
                  "gradient"]
    assert seen.verdict == "cannot be told" and "(n = 40)" in seen.measured
    assert claims["more examples transfer from TRA than from INT to the others"].verdict == "does not hold"
    assert claims["more examples transfer among TRA than among RBC"].verdict == "holds"
    assert drawn.missing == [] and len(drawn.works()) == 4 + 2 + 2 + 3
    other = drawn.works()[0]
    assert isinstance(other, TransferWork) and other.settings["attack"]["steps"] == 5


def test_what_was_not_exchanged_cannot_be_told(tmp_path: Path) -> None:
    drawn = figure(tmp_path)
    assert {claim.verdict for claim in drawn.claims()} == {"cannot be told"}
    assert cell("tra").name in drawn.missing and drawn.works()[0].name in drawn.missing
