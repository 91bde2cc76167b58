"""A network's size is worked out before it is built, and refused above the limit."""

from __future__ import annotations

from typing import Any

import pytest

from tasklab.codecs import Argmax, Binary, Interval, base
from tasklab.data import load
from tasklab.jobs.training import Training
from tasklab.models import ARCHITECTURES, NetworkSpec, build_network, network, spec
from tasklab.system import new_system
from tasklab.tasks import RBC, make_task

SHAPES = [("mlp", (2,), 7, 0), ("mlp", (5,), 1, 3), ("small_cnn", (1, 8, 8), 9, 0), ("small_cnn", (3, 33, 17), 1, 9),
          *((name, (channels, 32, 32), 32, 0) for name in ("resnet18", "efficientnet_b0", "densenet121")
            for channels in (1, 3))]


@pytest.mark.parametrize(("arch", "shape", "width", "levels"), SHAPES)
def test_the_count_is_exact(arch: str, shape: tuple[int, ...], width: int, levels: int) -> None:
    described = NetworkSpec(arch=arch, in_shape=shape, outputs=1 if levels else 5, mean=(0.5,) * shape[0],
                            std=(0.5,) * shape[0], width=width, levels=tuple(range(levels)))
    built = build_network(described, seed=0)
    assert described.weights == sum(weight.numel() for weight in built.parameters())
    assert ARCHITECTURES[arch].count(shape, width)[1] == built.num_features
    assert described.weights < spec.MAX_WEIGHTS / 4


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "MAX_WEIGHTS", 20_000)

    def early(*_: Any) -> None:
        raise AssertionError("it was built")

    monkeypatch.setattr(network, "Network", early)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("change", [{"width": 64}, {"outputs": 1000}, {"levels": tuple(range(200)), "outputs": 1},
                                    {"arch": "resnet18", "width": 32}])
def test_a_network_above_the_limit_is_not_built(change: dict[str, Any]) -> None:
    good = {"arch": "small_cnn", "in_shape": (1, 8, 8), "outputs": 4, "mean": (0.1,), "std": (0.3,), "width": 8}
    NetworkSpec(**good)  # type: ignore[arg-type]  # the control
    with pytest.raises(ValueError, match=r"expected a network of up to 20,000 weights, got \w+ with [\d,]+; try"):
        NetworkSpec(**good | change)  # type: ignore[arg-type]


@pytest.mark.usefixtures("small_limit")
def test_nor_is_one_of_a_new_system_or_of_a_training() -> None:
    with pytest.raises(ValueError, match="20,000 weights"):
        new_system(RBC(), load("digits"), width=64)
    with pytest.raises(ValueError, match="20,000 weights"):
        Training(width=64)
    with pytest.raises(ValueError, match="20,000 weights"):
        Training.from_dict({"width": 64})


@pytest.mark.parametrize("width", [10**9, 10**18, 10**400])
def test_even_absurd_sizes_are_one_sentence(width: int) -> None:
    for arch, shape in (("small_cnn", (1, 8, 8)), ("mlp", (2,))):
        with pytest.raises(ValueError, match="expected"):
            NetworkSpec(arch=arch, in_shape=shape, outputs=4, mean=(0.1,) * shape[0], std=(0.3,) * shape[0],
                        width=width)


def test_the_size_of_a_code_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for codec, limit in ((Argmax, "MAX_CLASSES"), (Interval, "MAX_CLASSES"), (Binary, "MAX_CLASSES")):
        with monkeypatch.context() as small:
            small.setattr(base, limit, 20)
            codec(num_classes=20)
            with pytest.raises(ValueError, match="num_classes up to 20, got 21"):
                codec(num_classes=21)
    monkeypatch.setattr(base, "MAX_BITS", 8)
    assert make_task("rbc", bits=8).width == 8
    for settings in ({"bits": 9}, {"num_classes": 2, "code": ((0,) * 9, (1,) * 9)}):
        with pytest.raises(ValueError, match="bits up to 8, got 9; try bits="):
            make_task("rbc", **settings)
    monkeypatch.setattr(base, "MAX_CODE", 70)
    with pytest.raises(ValueError, match="classes × bits up to 70, got 10 × 8"):
        make_task("deepbe", bits=8)
