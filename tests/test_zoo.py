"""The shipped systems are whole, say the truth about themselves, and show what they are shipped to show."""

from __future__ import annotations

import json

import pytest
import torch

from tasklab import data, zoo
from tasklab.attacks import PGD, attack
from tasklab.evaluation.cards import card_markdown, catalogue_markdown, figure

KINDS = (
    "tra", "deepbe", "deepbe-hinge", "int", "rbc", "rbc-s10", "rbc-s100", "rbc-gn", "tra-at", "rbc-at-train",
    "rbc-at-margin",
)
SETS = ("digits", "mnist")
CONTRAST = ("mnist-tra-contrast", "mnist-tra-at-contrast", "mnist-rbc-at-contrast")
PHOTOGRAPHS = tuple(f"cifar10-{kind}" for kind in ("tra", "deepbe", "int", "rbc", "tra-at", "rbc-at-margin"))
CORRECTING = ("digits-ecoc", "mnist-ecoc")
LARGE = ("cifar10-efficientnet-tra", "cifar10-efficientnet-rbc")
NAMES = [*(f"{dataset}-{kind}" for dataset in SETS for kind in KINDS), *CONTRAST, *CORRECTING, *PHOTOGRAPHS,
         *LARGE]


def needs(dataset: str) -> None:
    if not data.available(dataset):
        pytest.skip(f"{dataset} is not under TASKLAB_DATA")


def test_the_catalogue_is_complete() -> None:
    assert set(zoo.names()) == set(NAMES)
    assert zoo.names("digits") == tuple(sorted(name for name in NAMES if name.startswith("digits")))


@pytest.mark.parametrize("name", NAMES)
def test_each_is_small_and_carries_its_card(name: str) -> None:
    assert (zoo.folder() / f"{name}.safetensors").stat().st_size < (8_400_000 if name in LARGE else 1_050_000)
    card = zoo.card(name)
    assert card["name"] == name and card["command"].startswith("tasklab train ")
    assert (zoo.folder() / f"{name}.md").read_text(encoding="utf-8") == card_markdown(card)


def test_the_catalogue_page_is_what_the_cards_say() -> None:
    page = (zoo.folder() / "README.md").read_text(encoding="utf-8")
    assert page.strip() == catalogue_markdown([zoo.card(name) for name in zoo.names()]).strip()


@pytest.mark.parametrize("name", LARGE)
def test_the_large_ones_read_here_what_they_read_where_they_were_made(name: str) -> None:
    needs("cifar10")
    cells = json.loads((zoo.folder() / "cifar10.json").read_text(encoding="utf-8"))
    (row, *_) = next(cell["worst"] for cell in cells if cell["card"]["name"] == name)
    test = data.load("cifar10", "test").subset(row["n"])
    decoded = zoo.load(name).predict(test.x())
    assert int((decoded == test.labels).sum()) == pytest.approx(row["clean"]["correct"], abs=2)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(LARGE)))
def test_clean_accuracy_is_the_cards(name: str) -> None:
    card = zoo.card(name)
    needs(card["data"]["name"])
    test = data.load(card["data"]["name"], "test")
    decoded = zoo.load(name).predict(test.x())
    clean = figure(card, "clean")
    assert clean is not None
    assert int((decoded == test.labels).sum()) == pytest.approx(clean["correct"], abs=2)
    assert int((decoded < 0).sum()) == pytest.approx(clean["abnormal"], abs=2)


@pytest.mark.parametrize(("name", "eps"), [("digits-rbc", 0.2), ("mnist-rbc", 0.1)])
def test_masked_control_own_loss_leaves_what_the_margin_breaks(name: str, eps: float) -> None:
    needs(zoo.card(name)["data"]["name"])
    system, test = zoo.load(name), data.load(zoo.card(name)["data"]["name"], "test").subset(100)
    own = attack(system, test.x(), test.labels, PGD(eps=eps, objective="train", keep="last"))
    aimed = attack(system, test.x(), test.labels, PGD(eps=eps, steps=40))
    assert own.share(own.zero_gradient) > 0.1
    assert own.accuracy > aimed.accuracy + 0.4
    assert aimed.accuracy < 0.15 and aimed.share(aimed.zero_gradient) == 0


@pytest.mark.parametrize("name", ["digits-tra", "mnist-tra"])
def test_positive_control_an_undefended_softmax_falls(name: str) -> None:
    needs(zoo.card(name)["data"]["name"])
    test = data.load(zoo.card(name)["data"]["name"], "test").subset(100)
    result = attack(zoo.load(name), test.x(), test.labels, PGD(eps=0.3, steps=40))
    assert result.accuracy < 0.05


class Straight(torch.nn.Module):
    """A layer forwards, the identity backwards: what hides behind the layer's slope is in the open."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + (self.layer(x) - x).detach()


@pytest.mark.parametrize("name", CONTRAST)
def test_stretched_contrast_hides_nothing_from_a_gradient(name: str) -> None:
    needs("mnist")
    test = data.load("mnist", "test").subset(100)
    own, opened = zoo.load(name), zoo.load(name)
    opened.network.contrast = Straight(opened.network.contrast)
    assert torch.allclose(opened.outputs(test.x()), own.outputs(test.x()), rtol=1e-3, atol=1e-3 * own.task.unit)
    settings = PGD(eps=0.3, steps=20)
    plain, straight = (attack(system, test.x(), test.labels, settings) for system in (own, opened))
    assert plain.accuracy <= straight.accuracy + 0.01
    assert plain.accuracy > (0.85 if "-at-" in name else 0.4)
    assert plain.share(plain.zero_gradient) == 0
    beyond = attack(own, test.x(), test.labels, PGD(eps=0.6, steps=20))
    assert beyond.accuracy < 0.1, "a ball that reaches across the stretch breaks it, as it must"


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"expected a system among .*digits-rbc.*, got 'nonsense'"):
        zoo.load("nonsense")


def test_loading_gives_frozen_weights_in_evaluation_mode() -> None:
    network = zoo.load("digits-int").network
    assert not any(module.training for module in network.modules())
    assert not any(weight.requires_grad for weight in network.parameters())
    assert all(weight.dtype == torch.float32 for weight in network.parameters())
