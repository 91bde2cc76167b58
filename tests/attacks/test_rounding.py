"""What an attack calls a success is one beside any other images, with any number of threads, on any processor.

Matrix kernels sum in another order for another number of rows, of threads, or another instruction set. Another set is
had by telling the libraries to use an older one, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tasklab import zoo
from tasklab.attacks import APGD, CW, FAB, PGD, HopSkipJump, Noise, Settings, Square, attack
from tasklab.attacks.criteria import ROUNDING, tolerance
from tasklab.data import load
from tasklab.system import System

ROOT = Path(__file__).parents[2]
N = 20
SYSTEMS = ("digits-tra", "digits-rbc", "digits-int", "digits-deepbe")
ATTACKS: list[Settings] = [
    FAB(steps=5), FAB(steps=5, norm="l2", objective="margin"), CW(steps=60, searches=3, rate=0.05),
    HopSkipJump(steps=2, samples=20), PGD(eps=0.1, steps=10), APGD(eps=0.1, steps=10), Square(eps=0.25, steps=40),
    Noise(eps=0.6, steps=10),
]
PROCESSORS = {
    "two threads": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "oldest": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"},
}


def depth(system: System) -> int:
    return sum(parameter.ndim > 1 for parameter in system.network.parameters())


def problem(name: str) -> tuple[System, Tensor, Tensor]:
    """Images that are read correctly, by far more than rounding."""
    system, data = zoo.load(name), load("digits", "test")
    images, labels = data.x(slice(0, 2 * N)), data.labels[: 2 * N]
    clear = system.margins(images).gather(1, labels[:, None]).squeeze(1) > 1e-3 * system.task.unit
    return system, images[clear][:N], labels[clear][:N]


def one_at_a_time(system: System, images: Tensor) -> Tensor:
    return system.predict(images, batch_size=1)


@pytest.mark.parametrize("settings", ATTACKS, ids=lambda s: f"{s.name}-{s.norm}")
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_success_is_one_in_every_company(name: str, settings: Settings) -> None:
    system, images, labels = problem(name)
    result = attack(system, images, labels, settings)
    assert int(result.fooled.sum()) > 2, "a control"
    for read in (one_at_a_time(system, result.images), system.predict(result.images, batch_size=3),
                 system.predict(result.images.repeat(3, 1, 1, 1))[-len(images) :]):
        assert torch.equal(read != labels, result.fooled)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_distance_does_not_depend_on_the_batch_size(name: str, norm: str) -> None:
    system, images, labels = problem(name)
    images, labels = images[:8], labels[:8]
    settings = FAB(steps=5, norm=norm)  # type: ignore[arg-type]
    whole = attack(system, images, labels, settings)
    for batch_size in (1, 5):
        other = attack(system, images, labels, settings, batch_size=batch_size)
        assert torch.equal(other.fooled, whole.fooled)
        assert torch.allclose(other.distance, whole.distance, rtol=1e-3)


def test_the_tolerance_is_well_above_what_rounding_does() -> None:
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for name in SYSTEMS:
        system, images, _ = problem(name)
        images = (images + 0.05 * torch.randn(images.shape, generator=generator)).clamp(0, 1)
        whole, limit = system.read(images), tolerance(system.read(images), system.task.unit, depth(system))
        for batch_size in (1, 2, 5):
            gap = (system.read(images, batch_size=batch_size) - whole).abs().amax(dim=1)
            worst = max(worst, float((gap / limit).max()))
    assert worst < 0.3, f"rounding takes {worst:.2f} of the tolerance of {ROUNDING:g} · √depth"


def find() -> dict[tuple[str, int], tuple[Tensor, Tensor]]:
    """Each attack on each system: the images it ends on, and which of them fool."""
    results = {}
    for name in SYSTEMS[:3]:
        system, images, labels = problem(name)
        for index, settings in enumerate(ATTACKS):
            result = attack(system, images, labels, settings)
            results[name, index] = (result.images, result.fooled)
    return results


def confirm(results: dict[tuple[str, int], tuple[Tensor, Tensor]]) -> None:
    """Read them here."""
    for name in SYSTEMS[:3]:
        system, _, labels = problem(name)
        for index, settings in enumerate(ATTACKS):
            images, fooled = results[name, index]
            assert torch.equal(system.predict(images) != labels, fooled), (name, settings)


ELSEWHERE = """
import sys, torch
from tests.attacks.test_rounding import confirm, find
confirm(torch.load(sys.argv[1]))
torch.save(find(), sys.argv[2])
"""


@pytest.fixture(scope="module")
def found_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("found") / "here.pt"
    torch.save(find(), file)
    return file


@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_success_is_one_on_another_processor(processor: str, found_here: Path, tmp_path: Path) -> None:
    """What is found here is read there, and what is found there is read here."""
    there = os.environ | {"PYTHONPATH": str(ROOT)} | PROCESSORS[processor]
    file = tmp_path / "there.pt"
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(found_here), str(file)], check=True, env=there, cwd=ROOT,
                   timeout=500)
    confirm(torch.load(file))
