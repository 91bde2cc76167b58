"""Making cells: whatever stops it, nothing is lost and nothing is made twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_cells import cell, process

from tasklab import files
from tasklab.lock import Lock, Locked
from tasklab.paper import cells
from tasklab.paper.cells import Workshop, fingerprint, make
from tasklab.paper.plan import TAKEN, Pace, attack_passes, plan, training_passes
from tasklab.paper.protocol import KINDS, PaperProtocol, questions
from tasklab.paper.records import Record, read_record, write_record
from tasklab.system import System

ALL = KINDS["both"]


def asked(of: str, **protocol: object) -> list[object]:
    return questions(cell(of), PaperProtocol(**protocol), ALL)  # type: ignore[arg-type, return-value]


def finished(workshop: Workshop, of: str) -> Record:
    """The cell's record, made where it is missing."""
    list(make(workshop, cell(of), asked(of)))  # type: ignore[arg-type]
    record = read_record(workshop.folder, cell(of))
    assert record is not None
    return record


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """One with a finished cell of RBC."""
    made = Workshop(folder=tmp_path_factory.mktemp("cells"))
    finished(made, "rbc")
    return made


def test_a_cell_tells_what_it_is_of(workshop: Workshop) -> None:
    record, file = finished(workshop, "rbc"), workshop.weights(cell("rbc"))
    assert file is not None and record.weights == fingerprint(System.load(file))
    assert record.card["recipe"]["seed"] == 0 and "torch" in record.card["versions"]
    assert record.card["command"].startswith("tasklab train --data digits --task rbc")
    for finding in record.findings:
        assert int(finding.images.sum()) == finding.correct
        assert finding.outcomes.n == (400 if finding.asked["kind"] == "clean" else 8)
    assert sorted(path.name for path in workshop.folder.iterdir() if "rbc" in path.name) == [
        f"{cell('rbc').name}.{suffix}" for suffix in ("json", "lock", "safetensors")]


def test_a_retrained_cell_starts_from_the_fitted_one(workshop: Workshop) -> None:
    with pytest.raises(ValueError, match=r"from which .*-tra-at-quick starts, got none"):
        list(make(workshop, cell("tra-at"), []))
    record, base = finished(workshop, "rbc-gn"), finished(workshop, "rbc")
    assert record.start == {"name": base.name, "weights": base.weights}
    assert record.card["start"]["name"] == base.name and record.weights != base.weights
    assert f"--from {base.name} " in record.card["command"]
    fitted, fresh = (next(value for value in each.findings if value.asked["kind"] == "clean")
                     for each in (base, record))
    assert fresh.correct > fitted.correct - 40, "one epoch from fresh weights would read far fewer"


def test_a_finished_cell_is_not_made_again(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = finished(workshop, "rbc")
    monkeypatch.delattr(cells, "train")
    monkeypatch.delattr(cells, "answer")
    assert finished(workshop, "rbc") == before
    assert plan(workshop, [cell("rbc")], PaperProtocol(), ALL) == []


def test_another_question_to_the_same_system_is_all_that_is_asked(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = finished(workshop, "rbc")
    monkeypatch.delattr(cells, "train")
    (step,) = plan(workshop, [cell("rbc")], PaperProtocol(steps=3), ALL)
    assert not step.train and [each.kind for each in step.asked] == ["pgd"] * 3
    events = list(make(workshop, cell("rbc"), asked("rbc", steps=3)))  # type: ignore[arg-type]
    assert [event["question"] for event in events] == list(step.asked)
    after = finished(workshop, "rbc")
    assert after.findings[: len(before.findings)] == before.findings
    write_record(workshop.folder, cell("rbc"), before)


def test_what_was_found_of_other_weights_is_not_kept(workshop: Workshop, tmp_path: Path) -> None:
    other = Workshop(folder=tmp_path)
    record = finished(workshop, "rbc")
    write_record(other.folder, cell("rbc"), Record.from_dict(record.to_dict() | {"weights": "0" * 32}))
    (tmp_path / f"{cell('rbc').name}.safetensors").write_bytes(
        (workshop.folder / f"{cell('rbc').name}.safetensors").read_bytes())
    again = finished(other, "rbc")
    assert again.weights == record.weights
    assert [each.standing for each in again.findings] == [each.standing for each in record.findings]
    assert [each.seconds for each in again.findings] != [each.seconds for each in record.findings]


def test_a_shipped_cell_is_shown_and_not_made(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = finished(workshop, "rbc")
    monkeypatch.setattr(cells.zoo, "folder", lambda: tmp_path / "shipped")
    write_record(tmp_path / "shipped" / "paper", cell("rbc"), record)
    elsewhere = Workshop(folder=tmp_path / "cells")
    assert read_record(elsewhere.folder, cell("rbc")) == record
    assert plan(elsewhere, [cell("rbc")], PaperProtocol(), ALL) == []
    steps = plan(elsewhere, [cell("rbc-gn")], PaperProtocol(), ALL)
    assert [(step.cell.method.key, step.train) for step in steps] == [("rbc", True), ("rbc-gn", True)], (
        "its weights are not shipped, and the other one begins with them")
    weights = (workshop.folder / f"{cell('rbc').name}.safetensors").read_bytes()
    (tmp_path / "shipped" / f"{cell('rbc').name}.safetensors").write_bytes(weights)
    assert [step.cell.method.key for step in plan(elsewhere, [cell("rbc-gn")], PaperProtocol(), ALL)] == ["rbc-gn"]
    files.write_bytes(elsewhere.folder / f"{cell('rbc').name}.safetensors", weights)
    assert read_record(elsewhere.folder, cell("rbc")) is None, "one trained here is asked by itself"


def test_a_cell_that_another_process_makes_is_left_to_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "PATIENCE", 0.05)
    with Lock(workshop.folder / f"{cell('int').name}.lock"), pytest.raises(Locked, match="no other process is making"):
        list(make(workshop, cell("int"), []))


def test_a_record_that_does_not_read_is_said(tmp_path: Path) -> None:
    for text in ("", "{}", '{"format": 9}', "[1]", "[" * 100_000):
        (tmp_path / f"{cell('rbc').name}.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="expected what was found of"):
            read_record(tmp_path, cell("rbc"))


def test_finished_cells_tell_how_long_others_take(workshop: Workshop, tmp_path: Path) -> None:
    record, alone = finished(workshop, "rbc"), Workshop(folder=tmp_path)
    write_record(tmp_path, cell("rbc"), record)
    *_, step = plan(alone, [cell("rbc-gn")], PaperProtocol(), ALL)
    pace = Pace(alone, [step.cell])
    assert pace.training(step) == pytest.approx(
        record.card["seconds"] * training_passes(cell("rbc-gn")) / training_passes(cell("rbc")))
    spent = {kind: sum(results.seconds for results in record.findings if results.asked["kind"] == kind) for kind in ALL}
    for kind, seconds in spent.items():
        same = [each for each in questions(cell("rbc"), PaperProtocol(), (kind,)) if each.kind == kind]
        assert sum(pace.question(cell("rbc"), each) for each in same) == pytest.approx(seconds)


def test_an_estimate_counts_every_pass(tmp_path: Path) -> None:
    """Epochs, inner steps, attack steps and images each count in full."""
    base, hardened = cell("rbc"), cell("rbc-at")
    inner = hardened.recipe.epochs * 7 * 256
    assert training_passes(hardened) > inner
    by_kind = {each.kind: each for each in questions(base, PaperProtocol(), ("pgd", "bits"))}
    assert attack_passes(base, by_kind["pgd"]) == pytest.approx(8 * (20 + 2 / 3))
    assert attack_passes(base, by_kind["bits"]) == pytest.approx(TAKEN["bits"] * 8 * (4 * 40 + 2 / 3))
    (step,) = plan(Workshop(folder=tmp_path), [base], PaperProtocol(), ("pgd",))
    assert Pace(Workshop(folder=tmp_path), [base]).whole(step) > 0


def test_killed_at_any_moment_it_goes_on(tmp_path: Path) -> None:
    """Nothing that was finished is made again, and the table is that of an unbroken run."""
    words = ["table1", "--quick", "--to", str(tmp_path / "broken")]
    folder = tmp_path / "broken" / "cells"

    def records() -> dict[str, Record]:
        results = {of: read_record(folder, cell(of)) for of in ("tra", "deepbe", "int", "rbc")}
        return {of: record for of, record in results.items() if record is not None}

    moments: list[Callable[[], bool]] = [
        lambda: any(folder.glob("*.run/last.safetensors")),  # within the first training
        lambda: sum(len(record.findings) for record in records().values()) >= 20,  # among a second cell's questions
    ]
    for reached in moments:
        kept = records()
        weights = {file.name: file.stat().st_mtime_ns for file in folder.glob("*.safetensors")}
        with process(*words) as running:
            until = time.monotonic() + 120
            while not reached() and running.poll() is None and time.monotonic() < until:
                time.sleep(0.005)
            running.send_signal(signal.SIGKILL)
        assert running.returncode == -signal.SIGKILL, "it had not ended yet"
        for of, record in kept.items():
            assert records()[of].findings[: len(record.findings)] == record.findings
        for name, changed in weights.items():
            assert (folder / name).stat().st_mtime_ns == changed
    kept = records()
    with process(*words) as running:
        out, errors = running.communicate(timeout=240)
    assert running.returncode == 0, errors
    for of, record in kept.items():
        assert records()[of].findings[: len(record.findings)] == record.findings
    assert all(len(record.findings) == 16 for record in records().values()) and len(records()) == 4
    with process(*words[:-1], str(tmp_path / "whole")) as running:
        whole, errors = running.communicate(timeout=240)
    assert running.returncode == 0, errors
    assert out == whole
    for name in ("table1.md", "table1.csv", "table1.figure.json"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert "## Not made\n\nNothing is missing." in (tmp_path / "whole" / "table1.md").read_text(encoding="utf-8")
