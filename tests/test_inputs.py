"""What is said about images and labels of the wrong kind: each hint, followed to the letter, mends what was given."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tasklab import data
from tasklab.attacks import FAB, PGD, Noise, attack
from tasklab.data import ImageSet
from tasklab.evaluation import evaluate
from tasklab.system import System
from tasklab.tasks import make_task

X = torch.rand(4, 1, 2, 2, generator=torch.Generator().manual_seed(3))
Y = torch.tensor([0, 1, 2, 0])


def system(**more: Any) -> System:
    return System(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), make_task("tra", num_classes=3), **more)


def hint(error: Exception) -> str:
    result = re.search(r"; try (?:images without normalisation or scaling, here )?(.*?)( if no pixel.*)?$", str(error))
    assert result, f"no hint in: {error}"
    return result[1]


IMAGES: dict[str, Any] = {
    "bytes": (X * 255).round().byte(),
    "whole numbers up to 255": (X * 255).round().long(),
    "whole numbers up to 1": X.round().int(),
    "float64": X.double(),
    "float64 bytes": (X * 255).double(),
    "float16": X.half(),
    "bfloat16": X.bfloat16(),
    "switches": X > 0.5,
    "complex": X.to(torch.complex64),
    "array of float64": X.double().numpy(),
    "array of float32": X.numpy(),
    "array of bytes": (X * 255).round().byte().numpy(),
    "array of float64 bytes": (X * 255).double().numpy(),
    "nested lists": X.tolist(),
    "a list of pictures": [x[None] for x in X],
    "an image set": ImageSet(name="four", split="test", images=(X * 255).round().byte(), labels=Y, mean=(0.5,),
                             std=(0.5,), classes=("a", "b", "c")),
    "floats up to 255": X * 255,
    "a little outside": X / X.max() * 1.004,
    "sixteenths": (X * 16).round(),
}


@pytest.mark.parametrize("name", IMAGES)
def test_the_hint_on_images_makes_images_of_what_was_given(name: str) -> None:
    images = IMAGES[name]
    with pytest.raises((TypeError, ValueError), match=r"expected images .*in \[0, 1\]") as refused:
        attack(system(), images, Y, PGD(eps=0.1, steps=2))
    mended = eval(hint(refused.value), {"images": images, "torch": torch})
    assert attack(system(), mended, Y, PGD(eps=0.1, steps=2)).images.shape == X.shape


def test_images_that_nothing_mends_are_told_apart() -> None:
    text = {}
    for name, images in (("normalised", (X - 0.5) / 0.25), ("broken", X / 0), ("lost", X * torch.nan)):
        with pytest.raises(ValueError, match=r"expected images in \[0, 1\]") as refused:
            attack(system(), images, Y, PGD(eps=0.1, steps=2))
        text[name] = str(refused.value)
    assert "without normalisation: it is the network's first layer" in text["normalised"]
    assert "infinite or not numbers" in text["broken"] and "infinite or not numbers" in text["lost"]


LABELS: dict[str, Any] = {
    "floats": Y.float(),
    "float64": Y.double(),
    "one-hot": nn.functional.one_hot(Y, 3),
    "one-hot floats": nn.functional.one_hot(Y, 3).float(),
    "one-hot switches": nn.functional.one_hot(Y, 3).bool(),
    "probabilities": torch.softmax(5.0 * nn.functional.one_hot(Y, 3), dim=1),
    "a column": Y[:, None],
    "a row": Y[None],
    "a column of floats": Y[:, None].float(),
    "an array": Y.numpy(),
    "an array of floats": Y.double().numpy(),
    "a one-hot array": nn.functional.one_hot(Y, 3).numpy(),
    "an array of bytes": Y.byte().numpy(),
    "a list": Y.tolist(),
    "a list of floats": Y.float().tolist(),
}


@pytest.mark.parametrize("name", LABELS)
def test_the_hint_on_labels_makes_labels_of_what_was_given(name: str) -> None:
    y = LABELS[name]
    with pytest.raises((TypeError, ValueError), match="expected labels") as refused:
        attack(system(), X, y, PGD(eps=0.1, steps=2))
    mended = eval(hint(refused.value), {"y": y, "torch": torch})
    assert torch.equal(attack(system(), X, mended, PGD(eps=0.1, steps=2)).labels, Y)


def test_one_label_alone_becomes_a_batch() -> None:
    codec = system().task.codec
    for y in (torch.tensor(2), 2, np.int64(2), np.array(2)):
        with pytest.raises((TypeError, ValueError), match="expected labels") as refused:
            codec.check_labels(y)  # type: ignore[arg-type]
        assert codec.check_labels(eval(hint(refused.value), {"y": y, "torch": torch})).tolist() == [2]


@pytest.mark.parametrize(("y", "says"), [
    (torch.tensor([0.5, 1.0]), "one whole class number for each image"),
    (torch.zeros(2, 5, dtype=torch.int64), "one class number for each image"),
    (torch.tensor([1, 2, 3]), "num_classes=4, or y - 1 where labels count from 1"),
    (torch.tensor([0, 7]), "num_classes=8$"),
    (torch.tensor([-1, 1]), "leaving abnormal examples out"),
    (object(), "a tensor of one class number for each image"),
    (["a", "b"], "a tensor of one class number for each image"),
])
def test_labels_that_nothing_mends_are_told_apart(y: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"expected labels.*; try .*{says}"):
        system().task.codec.check_labels(y)


@pytest.mark.parametrize("settings", [
    PGD(eps=0.3, steps=2, targeted=True), FAB(targeted=True, objective="margin"),
    Noise(eps=0.3, steps=2, targeted=True),
], ids=lambda s: s.name)
def test_a_target_that_is_the_label_is_no_target(settings: Any) -> None:
    with pytest.raises(ValueError, match=r"targets other than the labels, got the label itself for 2 of 4 images "
                                         r"\(image 0: class 0\); try only the images where targets != labels"):
        attack(system(), X, Y, settings, targets=torch.zeros(4, dtype=torch.int64))
    others = Y != 0
    result = attack(system(), X[others], Y[others], settings, targets=torch.zeros(2, dtype=torch.int64))
    assert torch.equal(result.fooled, result.decoded == 0)


def reads(kind: str, network: nn.Module, x: Tensor) -> object:
    of = System(network, make_task("tra", num_classes=3), features=network[0])  # type: ignore[index]
    return {
        "outputs": lambda: of.outputs(x), "predict": lambda: of.predict(x), "margins": lambda: of.margins(x),
        "attack": lambda: attack(of, x, Y, PGD(eps=0.1, steps=2)),
        "square": lambda: attack(of, x, Y, Noise(eps=0.1, steps=2)),
    }[kind]()


@pytest.mark.parametrize("kind", ["outputs", "predict", "margins", "attack", "square"])
def test_a_network_of_another_type_or_elsewhere_is_told_in_our_words(kind: str) -> None:
    with pytest.raises(TypeError, match=r"images of torch.float32 and weights of torch.float64; try network.float\(\)"):
        reads(kind, system().network.double(), X)
    with pytest.raises(TypeError, match=r"expected images on the network's device meta, got images on cpu; try"):
        reads(kind, system().network.to("meta"), X)


@pytest.mark.parametrize("x", [(X * 255).byte(), X.long(), X.numpy(), X.tolist()], ids=lambda x: type(x).__name__)
def test_a_system_reads_floating_point_tensors_alone(x: Any) -> None:
    for read in (system().predict, system().outputs, system().read):
        with pytest.raises(TypeError, match=r"expected images as float32 .*; try"):
            read(x)


def test_a_network_that_sees_to_it_by_itself_is_left_alone() -> None:
    class Double(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3).double()

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.layer(x.double().flatten(1)).float()
            return result

    of = System(Double(), make_task("tra", num_classes=3))
    assert attack(of, X, Y, PGD(eps=0.1, steps=2)).backwards > 0
    double = System(system().network.double(), make_task("tra", num_classes=3))
    assert double.outputs(X.double()).dtype == torch.float32


def test_an_error_of_the_network_itself_passes() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("its own")

    with pytest.raises(RuntimeError, match="its own"):
        System(Broken(), make_task("tra", num_classes=3)).predict(X)


SETS: list[tuple[dict[str, Any], str]] = [
    ({"images": X}, r"try \(images \* 255\)\.round\(\)\.to\(torch\.uint8\)"),
    ({"images": X.double()}, r"try \(images \* 255\)\.round\(\)\.to\(torch\.uint8\)"),
    ({"images": X * 255}, r"try images\.round\(\)\.to\(torch\.uint8\)"),
    ({"images": (X * 255).long()}, r"try images\.to\(torch\.uint8\)"),
    ({"images": (X * 255).byte()[:, 0]}, r"try images\[:, None\]"),
    ({"images": X[:, 0, 0].double()}, r"try images\.float\(\)"),
    ({"images": X.numpy()}, r"try torch\.from_numpy\(images\), then \(images \* 255\)"),
    ({"images": (X * 255).byte().numpy()}, r"try torch\.from_numpy\(images\)$"),
    ({"images": X.tolist()}, r"try torch\.tensor\(images\), then \(images \* 255\)"),
    ({"labels": Y.numpy()}, r"try torch\.from_numpy\(y\)"),
    ({"labels": Y.tolist()}, r"try torch\.tensor\(y\)"),
    ({"labels": Y.int()}, r"got torch\.int32 \(4,\); try one label for each image, with \.long\(\)"),
    ({"labels": nn.functional.one_hot(Y, 3)}, r"try y\.argmax\(dim=1\)"),
    ({"labels": Y[:, None]}, r"try y\.flatten\(\)"),
    ({"labels": Y[:3]}, r"expected labels as int64 \(4,\), got torch\.int64 \(3,\); try one label for each image"),
]


@pytest.mark.parametrize(("wrong", "says"), SETS)
def test_an_image_set_says_what_would_make_it_one(wrong: dict[str, Any], says: str) -> None:
    given = {"images": (X * 255).byte(), "labels": Y, "name": "four", "split": "test", "classes": ("a", "b", "c"),
             "mean": (0.5,), "std": (0.5,)}
    with pytest.raises((TypeError, ValueError), match=says):
        ImageSet(**given | wrong)


def test_a_pair_of_arrays_is_told_how_to_become_tensors() -> None:
    with pytest.raises(TypeError, match=r"got \(ndarray of float32, ndarray of int64\); try .*from_numpy"):
        evaluate(system(), (X.numpy(), Y.numpy()))  # type: ignore[arg-type]
    assert data.load("digits", "test").subset(3).x().shape == (3, 1, 8, 8)
