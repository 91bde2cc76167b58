"""The codecs page decodes, and works out losses and gradients, as the library does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from lab_ui.panels import codec_panels
from lab_ui.parts.live import WEB
from tasklab.figures.live.page import script
from tasklab.tasks import Task
from tests.browser.serving import browsing

PLAIN: dict[str, Any] = {"S": 350, "code": "binary", "bits": 4, "alpha": 4.0, "beta": 16.0, "s0": 0.0,
                         "gap": "abnormal", "loss_form": "hinge"}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"S": 0, "loss_form": "mse", "gap": "floor"},
    {"S": 10, "loss_form": "bce", "alpha": 0.0},
    {"alpha": 1.0, "beta": 3.0, "s0": -7.0, "code": "gray"},
    {"alpha": 0.3, "beta": 0.7, "s0": 0.1, "gap": "floor", "code": "hadamard"},
    {"alpha": 0.0, "beta": 0.1, "s0": 1000.0, "code": "random", "bits": 6},
]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browsing() as browser:
        page = browser.new_page()
        page.add_script_tag(content=f"{script()}{(WEB / 'codec_math.js').read_text(encoding='utf-8')}\nwindow.lab = "
                                    "{ decode, lossAndGradient, margin, number, exact };")
        yield page
        page.close()


def outputs(task: Task, spec: dict[str, Any], generator: torch.Generator) -> torch.Tensor:
    """Random outputs, and those on and just beside every edge there is."""
    low, high = spec["span"]
    result = [low + (high - low) * torch.rand(300, task.width, generator=generator)]
    if spec["code"] == "line":
        edges = torch.tensor([*spec["lower"], *spec["upper"], *spec["reach"]], dtype=torch.float32)[:, None]
        result += [edges, *(torch.nextafter(edges, torch.tensor(side)) for side in (torch.inf, -torch.inf))]
    elif spec["code"] == "bits":
        rails = torch.tensor([spec["threshold"], spec["threshold"] + spec["rail"], spec["threshold"] - spec["rail"]])
        result.append(rails[torch.randint(0, 3, (300, task.width), generator=generator)])
    else:
        result.append(torch.randint(-3, 4, (300, task.width), generator=generator).float())  # ties
    return torch.cat(result)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(f"{k}={v}" for k, v in s.items()) or "paper")
def test_every_output_is_read_as_the_library_reads_it(page: Any, settings: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    for key, task in codec_panels.tasks(**PLAIN | settings).items():
        spec = codec_panels.panel(key, task, 3)
        z = outputs(task, spec, generator)
        read = page.evaluate("([spec, z]) => z.map((one) => lab.decode(spec, one))", [spec, z.tolist()])
        assert read == task.codec.decode(z).tolist(), key
        assert -1 in read or key == "tra" or settings.get("gap") == "floor"


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(f"{k}={v}" for k, v in s.items()) or "paper")
def test_losses_gradients_and_margins_are_the_library_s(page: Any, settings: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(1)
    for key, task in codec_panels.tasks(**PLAIN | settings).items():
        spec = codec_panels.panel(key, task, 3)
        z = outputs(task, spec, generator).requires_grad_()
        for label in (0, 3, 9):
            y = torch.full((len(z),), label)
            loss = task.loss(z, y)
            (gradient,) = torch.autograd.grad(loss.sum(), z)
            result = page.evaluate("([spec, z, y]) => z.map((one) => [...lab.lossAndGradient(spec, one, y), "
                                  "lab.margin(spec, one, y)])", [spec, z.tolist(), label])
            scale = max(1.0, float(z.detach().abs().max()) ** 2 * 1e-6)
            assert torch.allclose(torch.tensor([f[0] for f in result]), loss.detach(), rtol=1e-3, atol=1e-4 * scale)
            assert torch.allclose(torch.tensor([f[1] for f in result]), gradient, rtol=1e-3, atol=2e-4 * scale)
            margins = task.codec.margins(z.detach())[:, label]
            assert torch.allclose(torch.tensor([f[2] for f in result]), margins, rtol=1e-3, atol=1e-4 * scale)


def test_where_the_paper_s_losses_are_flat_the_script_says_exactly_zero(page: Any) -> None:
    made = codec_panels.tasks(**PLAIN)
    flat = {"int": [68.0], "rbc": [-350.0, -400.0, 350.0, 1000.0], "deepbe": [0.4, 0.0, 0.6, 1.0]}
    for key, z in flat.items():
        spec = codec_panels.panel(key, made[key], 3)
        loss, gradient = page.evaluate("([spec, z]) => lab.lossAndGradient(spec, z, 3)", [spec, z])
        assert loss == 0 and not any(gradient), key
    steep = page.evaluate("(spec) => lab.lossAndGradient(spec, [-350, -400, 349, 1000], 3)",
                          codec_panels.panel("rbc", made["rbc"], 3))
    assert steep == [1, [0, 0, -2, 0]]


def test_numbers_are_written_as_the_pages_write_them(page: Any) -> None:
    from lab_ui.basics.words import number

    values = [0.0, 1.0, -1034.2, 0.05171, 352.4, 9.96, 10.4, -0.5, 123456.0, 0.001]
    assert page.evaluate("(values) => values.map(lab.number)", values) == [number(v) for v in values]
