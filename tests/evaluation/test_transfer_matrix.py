"""Transfer between systems whose pixels are known."""

from __future__ import annotations

import math

import pytest
import torch
from linear_systems import EAST, NORTH, grey_images, linear, sides

from tasklab.attacks import PGD
from tasklab.evaluation import Share, transfer
from tasklab.evaluation.robustness import Progress
from tasklab.evaluation.transfer_matrix import find_threat
from tasklab.tasks import INT, RBC

WEST = (-1.0, -1.0, 0.0, 0.0)
X = grey_images(300)
X = X[sides(X, EAST).sign() == sides(X, NORTH).sign()]  # EAST and NORTH agree
Y = (sides(X, EAST) > 0).long()
LAST = PGD(eps=0.25, steps=5, random_start=False, keep="last")


def test_a_system_transfers_fully_to_itself_and_not_at_all_to_one_that_looks_elsewhere() -> None:
    result = transfer({"east": linear(EAST)}, {"twin": linear(EAST), "north": linear(NORTH)}, X, Y, LAST)
    assert result.cells["east", "twin"].rate() == Share(len(Y), len(Y))
    assert result.cells["east", "north"].rate() == Share(0, len(Y))
    assert result.threats["east"].fooled.value == 1
    assert result.threats["east"].unmoved.count == 0
    assert not result.threats["east"].masked


def test_a_masked_threat_transfers_nothing_because_it_moved_nothing() -> None:
    masked = linear(EAST, RBC(num_classes=2, S=1e-5))
    settings = PGD(eps=0.25, steps=5, random_start=False, keep="last", objective="train")
    result = transfer({"masked": masked}, {"twin": linear(EAST)}, X, Y, settings)
    threat = result.threats["masked"]
    assert result.cells["masked", "twin"].rate() == Share(0, len(Y))
    assert threat.unmoved == threat.zero_gradient == Share(len(Y), len(Y))
    assert threat.masked
    assert torch.equal(threat.images, X)


def test_the_paper_s_filter_counts_what_the_victim_never_knew() -> None:
    """A victim that is always wrong on clean images: none is left when both must be right."""
    result = transfer({"north": linear(NORTH)}, {"west": linear(WEST)}, X, Y, LAST)
    cell = result.cells["north", "west"]
    assert cell.rate("threat") == Share(len(Y), len(Y))
    assert cell.rate("both") == Share(0, 0)
    assert math.isnan(cell.rate("both").value)
    assert bool((cell.kept("threat") >= cell.kept("both")).all())


def test_images_that_the_threat_gets_wrong_never_count() -> None:
    y = Y.clone()
    y[:30] = 1 - y[:30]
    result = transfer({"east": linear(EAST)}, {"twin": linear(EAST)}, X, y, LAST)
    for images in ("threat", "both"):
        assert result.cells["east", "twin"].rate(images).n == len(Y) - 30  # type: ignore[arg-type]


def test_both_means_both() -> None:
    result = transfer({"west": linear(WEST)}, {"east": linear(EAST)}, X, Y, LAST)  # a threat that is always wrong
    assert result.cells["west", "east"].rate("both") == result.cells["west", "east"].rate("threat") == Share(0, 0)


def test_the_noise_baseline_is_a_uniform_push_of_the_same_size() -> None:
    result = transfer({"north": linear(NORTH)}, {"east": linear(EAST)}, X, Y, LAST)
    cell = result.cells["north", "east"]
    reach = sides(X, EAST).abs()
    assert not bool(cell.noise_fooled[reach > 2 * LAST.eps].any())
    draw = 2 * LAST.eps * (torch.rand(4000, len(Y), 2, generator=torch.Generator().manual_seed(0)) - 0.5).sum(2)
    expected = (draw < -reach).float().mean().item()
    assert cell.noise().value == pytest.approx(expected, abs=0.08)
    assert cell.noise().n == cell.rate().n
    again = transfer({"north": linear(NORTH)}, {"east": linear(EAST)}, X, Y, LAST).cells["north", "east"]
    assert torch.equal(again.noise_fooled, cell.noise_fooled)
    tiny = transfer({"n": linear(NORTH)}, {"e": linear(EAST)}, X, Y, PGD(eps=1e-6, steps=1)).cells["n", "e"]
    assert tiny.noise().count == 0


def test_the_criterion_judges_the_victim_too() -> None:
    """Pushed off its interval, the line says None: a misclassification, and no evasion."""
    line = linear(EAST, INT(num_classes=2, s0=-0.5, alpha=9, beta=0.5), size=1.0)
    x = torch.full((6, 1, 2, 2), 0.5 - 0.125)
    y = torch.zeros(6, dtype=torch.int64)
    rates = {}
    for criterion in ("misclassified", "evaded"):
        settings = PGD(eps=0.3, steps=3, random_start=False, keep="last", criterion=criterion)  # type: ignore[arg-type]
        rates[criterion] = transfer({"east": linear(EAST)}, {"line": line}, x, y, settings).cells["east", "line"].rate()
    assert rates == {"misclassified": Share(6, 6), "evaded": Share(0, 6)}


def test_tables_of_a_transfer() -> None:
    systems = {"east": linear(EAST), "north": linear(NORTH)}
    result = transfer(systems, systems, X, Y, LAST)
    assert list(result.cells) == [("east", "east"), ("east", "north"), ("north", "east"), ("north", "north")]
    matrix = result.matrix()
    assert matrix.loc["east", "east"] == matrix.loc["north", "north"] == 1
    assert matrix.loc["east", "north"] == matrix.loc["north", "east"] == 0
    frame = result.frame()
    assert len(frame) == 4
    first = frame.iloc[0]
    assert (first["threat"], first["victim"], first["rate_both"], first["threat_unmoved"]) == ("east", "east", 1, 0)
    assert first["rate_both_low"] == result.cells["east", "east"].rate().interval[0]


def test_progress_names_the_threat() -> None:
    events: list[Progress] = []
    systems = {"east": linear(EAST), "north": linear(NORTH)}
    transfer(systems, {"east": systems["east"]}, X, Y, LAST, progress=events.append)
    assert list(dict.fromkeys((event.index, event.what, event.total) for event in events)) == [
        (0, "east", 2),
        (1, "north", 2),
    ]


def test_what_does_not_fit_is_refused() -> None:
    east = {"east": linear(EAST)}
    with pytest.raises(ValueError, match="expected at least one threat and one victim, got 1 and 0"):
        transfer(east, {}, X, Y, LAST)
    with pytest.raises(ValueError, match="expected untargeted settings, got targeted=True; try"):
        transfer(east, east, X, Y, PGD(eps=0.1, targeted=True))
    with pytest.raises(ValueError, match=r"expected labels in 0\.\.1, got"):
        transfer(east, east, X, Y + 1, LAST)
    with pytest.raises(ValueError, match="expected one label for each"):
        transfer(east, east, X, Y[:2], LAST)
    with pytest.raises(ValueError, match="expected images 'threat' or 'both', got 'victim'; try 'both'"):
        transfer(east, east, X, Y, LAST).cells["east", "east"].rate("victim")  # type: ignore[arg-type]


def test_several_sources_take_the_worst_of_each_image() -> None:
    """EAST's examples fool EAST, NORTH's fool NORTH; both together fool a victim wherever one of them does."""
    systems = {"east": linear(EAST), "north": linear(NORTH)}
    half = linear(EAST)
    result = transfer(systems, systems | {"half": half}, X, Y, LAST)
    both = result.union("half")
    cells = [result.cells[name, "half"] for name in systems]
    assert both.threat == "all others"
    assert torch.equal(both.fooled, cells[0].fooled | cells[1].fooled)
    assert both.rate().count == cells[0].rate().count > cells[1].rate().count == 0
    assert torch.equal(both.images, cells[0].images), "where one of them fools, its example is the one that is shown"
    assert torch.equal(half.predict(both.images), both.decoded)
    assert torch.equal(result.union("half", ["north"]).fooled, cells[1].fooled)
    assert result.union("east").rate() == result.cells["north", "east"].rate(), "no source against itself"


def test_together_counts_images_that_every_source_knows() -> None:
    result = transfer({"east": linear(EAST), "west": linear(WEST)}, {"twin": linear(EAST)}, X, Y, LAST)
    assert result.union("twin").rate("threat") == Share(0, 0), "west is always wrong"
    with pytest.raises(ValueError, match="expected a victim among twin and sources among east, west, got 'twin' and"):
        result.union("twin", ["south"])
    with pytest.raises(ValueError, match="expected a victim among twin"):
        result.union("east")
    with pytest.raises(ValueError, match="expected a victim among twin"):
        result.union("twin", [])


def test_where_no_source_moved_together_says_so() -> None:
    masked = linear(EAST, RBC(num_classes=2, S=1e-5))
    settings = PGD(eps=0.25, steps=5, random_start=False, keep="last", objective="train")
    threats = {"masked": masked, "open": linear(NORTH)}
    result = transfer(threats, {"twin": linear(EAST)}, X, Y, settings)
    assert result.union("twin", ["masked"]).still() == Share(len(Y), len(Y))
    shown = result.union("twin")
    assert shown.still().count == result.threats["open"].unmoved.count < len(Y)
    assert torch.equal(shown.images, result.threats["open"].images), "rather one that moved than one that did not"


def test_a_threat_is_found_once_and_shown_often() -> None:
    east = find_threat("east", linear(EAST), X, Y, LAST)
    again = transfer({"east": east}, {"twin": linear(EAST), "north": linear(NORTH)}, X, Y, LAST)
    whole = transfer({"east": linear(EAST)}, {"twin": linear(EAST), "north": linear(NORTH)}, X, Y, LAST)
    for place, cell in whole.cells.items():
        assert torch.equal(again.cells[place].decoded, cell.decoded)
    other = PGD(eps=0.1, steps=5, random_start=False, keep="last")
    with pytest.raises(ValueError, match="expected threat 'east' found with these settings on these images"):
        transfer({"east": east}, {"twin": linear(EAST)}, X, Y, other)
    with pytest.raises(ValueError, match="expected threat 'east' found with these settings on these images"):
        transfer({"east": east}, {"twin": linear(EAST)}, X[:-1], Y[:-1], LAST)
    with pytest.raises(ValueError, match="expected untargeted settings"):
        find_threat("east", linear(EAST), X, Y, PGD(eps=0.1, targeted=True))


def test_the_table_ends_with_the_others_and_noise() -> None:
    systems = {"east": linear(EAST), "twin": linear(EAST), "north": linear(NORTH)}
    result = transfer(systems, systems, X, Y, LAST)
    table = result.table("threat").set_index("threat")
    assert list(table.index) == ["east", "twin", "north", "all others", "noise"]
    assert list(table.columns) == ["east", "twin", "north", "unmoved %", "gradient 0 %"]
    assert table.loc["east", "twin"] == str(Share(len(Y), len(Y)))
    assert table.loc["all others", "north"].startswith("0.0 [")
    assert table.loc["noise", "east"] == result.noise("east", "threat").percent()
    assert table.loc["noise", "unmoved %"] == "–"
    frame = result.frame()
    assert list(frame["threat"])[-3:] == ["all others"] * 3
    assert frame["threat_masked"].isna().sum() == 3
    assert list(transfer({"n": linear(NORTH)}, systems, X, Y, LAST).table()["threat"]) == ["n", "noise"]


def test_noise_has_no_system_that_could_be_wrong() -> None:
    y = Y.clone()
    y[:30] = 1 - y[:30]
    result = transfer({"east": linear(EAST)}, {"twin": linear(EAST)}, X, y, LAST)
    assert result.noise("twin", "threat").n == len(y)
    assert result.noise("twin", "both").n == len(y) - 30
