"""The grid: the paper's settings in every cell, and what each question asks."""

from __future__ import annotations

import dataclasses

import pytest
from small_cells import TINY, cell

from tasklab.attacks.presets import paper_pgd
from tasklab.data.info import info_of
from tasklab.jobs.training_settings import Training
from tasklab.paper.grid import DATA, NETWORKS, ROWS, cells_of, with_bases
from tasklab.paper.protocol import KINDS, PaperProtocol, questions
from tasklab.paper.published import PUBLISHED, TABLES
from tasklab.training import Adversarial, GaussianNoise


def test_every_published_row_is_a_cell_with_the_paper_s_task() -> None:
    cells = {(each.data, each.arch, each.method.name): each for table in ROWS for each in cells_of(table)}
    assert cells.keys() >= {key[:3] for key in PUBLISHED}
    assert {system for _, _, system in cells} - {name for names in TABLES.values() for name in names} == {
        "RBC+AT (margin)"}
    for (data, _, system), each in cells.items():
        task, settings = each.task, each.task.to_dict()
        assert task.num_classes == (100 if data == "cifar100" else 10)
        if system.startswith("RBC"):
            assert settings["S"] == 350 and task.width == (7 if data == "cifar100" else 4)
        if system == "INT":
            assert (settings["s0"], settings["alpha"], settings["beta"]) == (0, 4, 16)


def test_every_cell_has_a_training_that_can_be_kept() -> None:
    names = set()
    for table in ROWS:
        for each in cells_of(table):
            training = each.training()
            assert Training.from_dict(training.to_dict()) == training
            names.add(each.name)
    assert len(names) == len(DATA) * len(NETWORKS) * 8


def test_retraining_is_at_intensity_one_and_comes_after_its_base() -> None:
    cells = with_bases(cells_of("table2", ["cifar10"], ["resnet18"]))
    for place, each in enumerate(cells):
        if each.base is not None:
            assert each.base in cells[:place] and each.base.task == each.task
            defence = each.recipe.defence
            inner = {"rbc-at-margin": "margin"}.get(each.method.key, "train")
            if each.method.key == "rbc-gn":
                assert defence == GaussianNoise(sigma=3 / 255)
            else:
                assert isinstance(defence, Adversarial) and (defence.eps, defence.objective) == (3 / 255, inner)
        else:
            assert each.recipe.defence is None


def test_whatever_a_cell_starts_from_comes_before_it() -> None:
    cells = with_bases(cells_of("table1")[2:3])
    assert [each.method.name for each in cells] == ["TRA", "INT"]
    assert cells[1].recipe.defence is None and cells[1].recipe.inset == 0, "the loss is as published"


def test_the_published_attacks_are_the_presets_unless_a_setting_is_changed() -> None:
    asked = {(each.kind, each.intensity): each for each in questions(cell("rbc"), PaperProtocol(), KINDS["both"])}
    assert asked["pgd", "III"].settings == paper_pgd(0.3)
    assert len(asked) == 16 and asked["clean", ""].n == info_of("digits").sizes[2]
    assert {each.n for key, each in asked.items() if key[0] != "clean"} == {TINY.attacked}
    weak = PaperProtocol(steps=5, step_size=0.1, random_start=False, normalised=True)
    changed = next(each for each in questions(cell("rbc"), weak, ("pgd",)) if each.intensity == "II")
    (std,) = info_of("digits").std
    assert changed.eps == pytest.approx(0.2 * std)
    assert changed.settings == dataclasses.replace(
        paper_pgd(changed.eps), steps=5, step_size=0.1 * std, random_start=False)


def test_only_intervals_have_a_gap_to_decode() -> None:
    floor = PaperProtocol(gap="floor")
    for method, gap in (("int", "floor"), ("rbc", None)):
        assert {each.gap for each in questions(cell(method), floor, KINDS["both"])} == {gap}


def test_questions_are_told_apart_by_all_that_changes_the_answer() -> None:
    protocols = [PaperProtocol(), PaperProtocol(steps=5), PaperProtocol(step_size=0.01), PaperProtocol(gap="floor"),
                 PaperProtocol(random_start=False), PaperProtocol(normalised=True), PaperProtocol(seed=1)]
    described = [str(each.to_dict()) for protocol in protocols for each in questions(cell("int"), protocol, ("pgd",))
            if each.intensity == "I"]
    assert len(set(described)) == len(protocols)


@pytest.mark.parametrize("wrong", [{"data": "moons"}, {"arch": "mlp"}])
def test_what_is_no_cell_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected a"):
        dataclasses.replace(cell("rbc"), **wrong)
