"""The steps of PGD as a live figure that shows gradient, sign, step and projection (the player)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasklab.attacks.objectives import as_objective
from tasklab.experiments.trajectory import Trajectory
from tasklab.figures.live.page import live_page
from tasklab.figures.live.sweep import chart_data


def trajectory_html(
    trajectory: Trajectory, *, title: str = "", aim: str = "", names: Sequence[str] | None = None
) -> str:
    """The player as a complete HTML file that needs no server; the arguments are those of `trajectory_data`."""
    data = trajectory_data(trajectory, title=title, aim=aim, names=names)
    return live_page("Player", data, title=title or "PGD, step by step")


def trajectory_data(
    trajectory: Trajectory, *, title: str = "", aim: str = "", names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Everything that the player shows, as plain values for JSON; the browser computes the rest of each step.

    Args:
        trajectory: from `record_trajectory`.
        title: name of the system.
        aim: the objective in words; by default its name.
        names: of the classes; by default their numbers.
    """
    names = [str(k) for k in range(trajectory.task.num_classes)] if names is None else list(names)
    peaks = trajectory.gradients.flatten(1).abs().amax(dim=1)  # (T,)
    packed = {"clean": _in_levels(trajectory.clean), "images": _in_levels(trajectory.images),
              "gradients": _in_shares(trajectory.gradients, peaks)}
    identity = hashlib.sha256("".join(packed.values()).encode()).hexdigest()[:16]
    return packed | {
        "peaks": peaks.tolist(),
        "id": f"{identity}-{title}-{aim}", "title": title,
        "aim": aim or as_objective(trajectory.settings.objective).name,
        "label": trajectory.label, "names": names, "shape": list(trajectory.clean.shape[1:]),
        "chart": chart_data(trajectory.task, trajectory.outputs, trajectory.label, names),
        "outputs": trajectory.task.drawn(trajectory.outputs).tolist(), "values": trajectory.values.tolist(),
        "decoded": trajectory.decoded.tolist(),
        "eps": trajectory.settings.eps, "step_size": trajectory.settings.effective_step_size,
        "norm": trajectory.settings.norm,
        "random": trajectory.settings.random_start, "kept": trajectory.kept, "rows": trajectory.rows,
    }


def _in_levels(images: Tensor) -> str:
    """Pixels in [0, 1] as 16-bit numbers: 65535 stands for 1, so that each of 255 levels is a whole number."""
    return _packed((65535 * images.detach().cpu()).round().numpy().astype(np.uint16))


def _in_shares(gradients: Tensor, peaks: Tensor) -> str:
    """Gradients ``(T, C, H, W)`` as 16-bit numbers: 32767 is the peak ``(T,)`` of a step; only 0 becomes 0."""
    scale = peaks.clamp_min(torch.finfo(torch.float32).tiny).reshape(-1, *[1] * (gradients.ndim - 1))
    shares = 32767 * (gradients / scale).clamp(-1, 1).detach().cpu()
    return _packed((shares.sign() * shares.abs().ceil()).clamp(-32767, 32767).numpy().astype(np.int16))


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
