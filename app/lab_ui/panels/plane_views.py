"""HTML of the page “Decision regions”: the plane during training, and the result of each attack on the point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from lab_ui.basics.words import HELP, SYSTEMS
from lab_ui.results.plane_systems import Plane
from lab_ui.shell import frame
from tasklab import data
from tasklab.codecs import ABNORMAL
from tasklab.evaluation.counts import Outcomes
from tasklab.experiments.plane import PlaneTrajectory, Regions
from tasklab.figures.regions import CLASS_COLOURS, data_url, region_pixels
from tasklab.figures.style import look_of, outcome_of
from tasklab.tasks import Task
from tasklab.text import unbroken

SIDE = 420
"""Largest side of a chart of the plane, in pixels; it grows with the type of the page."""

STYLE = """
<style>
.lab-live { aspect-ratio: 1; max-width: 100%; margin: 0 auto; outline: 1px solid #8a8a8a; }
.stElementContainer:has(.lab-live)[data-stale="true"] { opacity: 1 !important; transition: none !important; }
.lab-live img { width: 100%; height: 100%; display: block; }
[class*="st-key-regions_square_"] { aspect-ratio: 1; max-height: SIDE; }
.lab-head h2 { font-size: 1.3rem; font-weight: 700; padding: 0; margin: 0; line-height: 1.25; }
.lab-ways { display: grid; grid-template-columns: 6rem 1fr; gap: 0.3rem 0.8rem; align-items: center;
  margin: 0.4rem 0 0; font-size: 1.05rem; }
</style>
""".replace("SIDE", f"{SIDE / 16}rem")

AIM_WORDS = {"train": "training loss", "margin": "margin"}


def heading(task: Task) -> None:
    """Draw the heading of a system's chart."""
    st.html(f'<div class="lab-head"><h2>{SYSTEMS[task.name]}</h2><p>{task.answers}</p></div>')


def live(regions: Regions, each: Plane) -> None:
    """Draw the plane as a system reads it during training: one image, with the training points.

    Args:
        regions: what is read where at this moment.
        each: the settings of the system.
    """
    words = f"the class that each place is read as at this moment; None on {100 * regions.none_share:.0f} %"
    ground, points = Image.fromarray(region_pixels(regions, SIDE)), _points(each.data, each.n, each.noise, each.seed)
    ground = Image.alpha_composite(ground.resize(points.size), points)
    picture = f'<img src="{data_url(np.asarray(ground))}" alt="{words}">'
    st.html(f'<div class="lab-live" style="width:{SIDE / 16}rem">{picture}</div>')


@lru_cache(maxsize=16)
def _points(name: str, n: int, noise: float, seed: int) -> Image.Image:
    """The training points alone, on a transparent ground; the arguments are those of `tasklab.data.load`."""
    points, drawn = data.load(name, "train", n=n, noise=noise, seed=seed), Image.new("RGBA", (2 * SIDE, 2 * SIDE))
    pen = ImageDraw.Draw(drawn)
    for (x, y), k in zip(points.x().tolist(), points.labels.tolist(), strict=True):
        _mark(pen, x * drawn.width, (1 - y) * drawn.height, drawn.width / 120, k)
    return drawn.resize((SIDE, SIDE))


def _mark(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, k: int) -> None:
    """Draw a point with the marker of its class: disc, square, triangle or diamond.

    Args:
        pen: draws on the image.
        x: position in pixels from the left.
        y: position in pixels from the top.
        r: radius in pixels.
        k: the class.
    """
    if k == 0:
        pen.ellipse((x - r, y - r, x + r, y + r), fill=CLASS_COLOURS[0], outline="#ffffff", width=2)
    else:
        sides, turn = ((4, 0), (3, 0), (4, 45))[k - 1]
        pen.regular_polygon((x, y, 1.25 * r), sides, turn, fill=CLASS_COLOURS[k], outline="#ffffff", width=2)


def verdict(trajectories: Sequence[PlaneTrajectory], classes: Sequence[str]) -> str:
    """The result of each attack on the point as HTML."""
    rows = []
    for trajectory in trajectories:
        look = look_of(trajectory.end, trajectory.label)
        read = "None" if trajectory.end == ABNORMAL else classes[trajectory.end]
        if len(trajectory.points) == 1 and not trajectory.zero_gradient:
            words = "misclassified from the start"
        elif trajectory.zero_gradient:
            words = "stuck, gradient exactly 0"
        else:
            steps = len(trajectory.points) - 1
            outcome = "misclassified" if trajectory.crossed else "still correct"
            words = f"{outcome} after {steps} step{'s' * (steps > 1)}"
        chip = f'<span class="lab-chip lab-{outcome_of(trajectory.end, trajectory.label)}">{look.sign} {read}</span>'
        rows.append(f"<span>{chip}</span><span><b>{AIM_WORDS[trajectory.objective]}</b>: {words}</span>")
    return f'<div class="lab-ways">{"".join(rows)}</div>'


def badge(results: Mapping[str, tuple[Outcomes, float]], eps: float) -> None:
    """Draw the conditions under which a system's numbers were measured.

    Args:
        results: from `plane_systems.under_attack`.
        eps: of the attacks.
    """
    zero = ", ".join(f"{frame.share(results[aim][1])} ({words})" for aim, words in AIM_WORDS.items() if results[aim][1])
    verdict = " · masked: the training loss gave no gradient to follow" if results["train"][1] > 0.1 else ""
    st.caption(unbroken(f"n = {results['clean'][0].n:,} test points · PGD, 20 steps, 1 start, ε = {eps:g}"
                        + f" · gradient exactly 0 for {zero}" * bool(zero) + verdict), help=HELP["badge"])
