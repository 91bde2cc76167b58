"""The matrix of transfer rates shows the rates, what the attack left unchanged, and says both in words."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tasklab.attacks import PGD
from tasklab.evaluation import TransferResult, transfer
from tasklab.figures import transfer_figure
from tasklab.figures.matrix import describe_transfer
from tasklab.system import System
from tasklab.tasks import make_task

N = 40


def system(task: str, turned: float = 0.0) -> System:
    """Two classes, on either side of a plane through mid-grey; ``turned`` planes lie otherwise."""
    made = make_task(task, num_classes=2)
    w = torch.linspace(-1, 1, 16) + turned * torch.tensor([1.0, -1.0] * 8)
    network = nn.Linear(16, made.width)
    with torch.no_grad():
        network.weight.copy_(torch.stack([-w, w]) if task == "tra" else w[None])
        network.bias.copy_(-network.weight.sum(1) / 2 + made.centre)
    return System(nn.Sequential(nn.Flatten(), network), made)


@pytest.fixture(scope="module")
def result() -> TransferResult:
    x = torch.rand(N, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    systems = {"tra": system("tra"), "other": system("tra", 0.3), "flat": system("deepbe")}
    y = systems["flat"].predict(x)
    return transfer(systems, systems, x, y, PGD(eps=0.2, steps=3, random_start=False, objective="train"))


def test_every_rate_is_drawn_and_written(result: TransferResult) -> None:
    figure = transfer_figure(result, "both")
    heat, bars, text = figure.data
    lines = result.lines("both")
    assert [line.name for line in lines] == ["tra", "other", "flat", "all others", "noise"]
    for row, line in enumerate(lines):
        for column, share in enumerate(line.rates.values()):
            assert heat.z[row][column] == pytest.approx(share.value, nan_ok=True)
            assert (f"{share.count} of {share.n}" if share.n else "no image counts") in heat.customdata[row][column]
    written = dict(zip(zip(text.x, text.y, strict=True), text.text, strict=True))
    assert len(written) == 5 * 3 + 3
    flat = result.threats["flat"].unmoved
    assert flat.value == 1, "every bit is on its side, so its training loss is 0"
    assert bars.x[2] == pytest.approx(0.9 * flat.value)
    assert list(bars.x[3:]) == [0, 0]
    assert list(figure.layout.yaxis.ticktext)[-2:] == ["all others together", "noise of the same ε"]
    assert heat.zmin == 0 and heat.zmax == 1


def test_names_and_the_filter_are_the_callers(result: TransferResult) -> None:
    figure = transfer_figure(result, "threat", names={"tra": "TRA"}, height=300)
    assert figure.layout.height == 300
    assert figure.layout.xaxis.ticktext == ("TRA", "other", "flat", "unchanged")
    assert list(figure.data[0].z[2]) == pytest.approx([s.value for s in result.lines("threat")[2].rates.values()])
    with pytest.raises(ValueError, match="expected images 'threat' or 'both'"):
        transfer_figure(result, "all")  # type: ignore[arg-type]


def test_in_words(result: TransferResult) -> None:
    words = describe_transfer(result, names={"flat": "DeepBE"})
    line = result.lines()[2]
    assert f"From DeepBE: tra {100 * line.rates['tra'].value:.0f} %" in words
    assert "unchanged." in words
    assert "From noise of the same ε:" in words
