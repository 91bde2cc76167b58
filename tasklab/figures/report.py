"""Figures of a report on robustness: accuracy over ε, zero gradients, the smallest ε of each image, and checks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tasklab.data.radii import eps_said
from tasklab.evaluation.honesty import Assessment, Check, Level
from tasklab.evaluation.statistics import Share
from tasklab.figures.line_chart import PENS
from tasklab.figures.style import BLUE, GREY, ORANGE, faded, frame, label
from tasklab.figures.words import in_words
from tasklab.text import in_html

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Trace = dict[str, Any]

CURVE_PENS = dict(zip(
    ("margin", "train", "noise", "bits", "towards_code", "transfer"), PENS, strict=True
)) | {"worst": ("#d14a61", "solid", "star"), "square": ("#0f8f9c", "dot", "hourglass")}
"""Colour, dash and marker of each curve of a report; they do not depend on which other curves are shown."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """How the level of a check is shown: its sign, word and colour."""

    sign: str
    word: str
    colour: str


LIGHTS: dict[Level, Light] = {
    "pass": Light(sign="●", word="pass", colour=BLUE),
    "warn": Light(sign="▲", word="warn", colour="#b8860b"),
    "fail": Light(sign="✕", word="fail", colour=ORANGE),
    "not run": Light(sign="○", word="not run", colour=GREY),
}


QUESTIONS = {
    "zero gradient": "Did the attack have a gradient to follow?",
    "unmoved": "Did the attack change the images?",
    "flat": "Does a larger ε break more?",
    "order": "Do stronger attacks break at least as much?",
    "black box": "Do attacks with gradients break every image that those without break?",
    "unbounded": "Is every image broken once any change is allowed?",
    "adaptive": "Do attacks with another aim break no more?",
    "converged": "Do twice the steps break no more?",
    "not a number": "Was every gradient a finite number?",
    "known examples": "Does the attack find adversarial examples that are known to exist?",
}
"""Name of a check to the question that it asks; the answer is yes where the check passes."""


def accuracy_curves(
    curves: Mapping[str, Mapping[float, Share]],
    *,
    zeros: Mapping[str, Mapping[float, float]] | None = None,
    names: Mapping[str, str] | None = None,
    marks: Mapping[str, float] | None = None,
    up: str = "withstood, %",
    height: int = 430,
) -> Figure:
    """The share of images that withstood the attack over ε, with 95 % Wilson bands.

    A lower panel shows for how many images the gradient was exactly zero.

    Args:
        curves: key to the share at each ε. Keys of `CURVE_PENS` have fixed pens; others take the next ones.
        zeros: key to the share, 0 to 1, of correctly classified images with zero gradient at each ε; None for no lower
            panel.
        names: key to the name that is shown.
        marks: name of a vertical line to its ε.
        up: title of the y axis.
        height: in pixels.

    Raises:
        ValueError: there are no curves.

    >>> figure = accuracy_curves({"margin": {0.0: Share(99, 100), 0.1: Share(20, 100)}})
    >>> [trace.name for trace in figure.data]
    ['95 % interval', 'margin']
    """
    if not curves:
        raise ValueError("expected at least one curve, got none")
    called, floor = dict(names or {}), 0.34 if zeros is not None else 0.0
    traces: list[Trace] = []
    for key, pen in _pens(curves).items():
        points = sorted(curves[key].items())
        name = label(called.get(key, key))
        traces += _banded(name, pen, points)
        if zeros is not None and key in zeros:
            share = sorted(zeros[key].items())
            traces.append(_line(name, pen, [eps for eps, _ in share], [100 * s for _, s in share]) | {
                "yaxis": "y2", "showlegend": False,
                "hovertemplate": "%{y:.0f} % without a gradient<extra>" + name + "</extra>",
            })
    shown = {"showgrid": True, "gridcolor": "rgba(138,138,138,0.25)"}
    end = max(eps for points in curves.values() for eps in points)
    across = shown | _levels(end) | {"title": {"text": "ε"}, "rangemode": "tozero"}
    across |= {"anchor": "y2" if zeros is not None else "y"}
    layout = frame(height, legend=len(curves) > 1, xaxis=across, yaxis=shown | {
        "title": {"text": up}, "range": [-3, 103], "tickvals": [0, 25, 50, 75, 100], "domain": [floor, 1],
    })
    layout["hovermode"] = "closest"
    layout["shapes"] = [
        {"type": "line", "x0": eps, "x1": eps, "y0": 0, "y1": 1, "yref": "paper",
         "line": {"color": GREY, "width": 2, "dash": "dot"}, "label": {
             "text": label(name), "textposition": "end", "textangle": 0, "xanchor": "left", "font": {"size": 14}}}
        for name, eps in (marks or {}).items()
    ]
    if zeros is not None:
        layout["yaxis2"] = layout["yaxis"] | {
            "domain": [0, 0.2], "range": [-8, 108], "tickvals": [0, 50, 100], "title": {"text": "gradient 0, %"},
        }
    return in_words(_figure(traces, layout), describe_curves(curves, names=names, up=up.removesuffix(", %")))


def describe_curves(
    curves: Mapping[str, Mapping[float, Share]], *, names: Mapping[str, str] | None = None, up: str = "withstood"
) -> str:
    """The curves in words, a sentence for each.

    >>> describe_curves({"margin": {0.0: Share(99, 100), 0.1: Share(20, 100)}})
    'Share that withstood. margin: 99 % at ε = 0, 20 % at ε = 0.1.'
    """
    called = dict(names or {})
    sentences = []
    for key, points in curves.items():
        parts = ", ".join(f"{100 * share.value:.0f} % at ε = {eps_said(eps)}" for eps, share in sorted(points.items()))
        sentences.append(f"{called.get(key, key)}: {parts}.")
    return " ".join([f"Share that {up}." if up == "withstood" else f"Share of the images, {up}.", *sentences])


def distance_curves(
    distances: Mapping[str, Tensor | Sequence[float]], *, most: float | None = None, height: int = 330,
) -> Figure:
    """A step curve for each system: the share of its images for which nothing was found within ε.

    Args:
        distances: system to the smallest ε found for each image, infinite where none was found.
        most: end of the axis; by default a little beyond the largest finite ε.
        height: in pixels.

    Raises:
        ValueError: there are no systems, or one has no images.

    >>> figure = distance_curves({"a": [0.0, 0.1, 0.2, math.inf]})
    >>> list(figure.data[0].y)[:3]
    [75.0, 50.0, 25.0]
    """
    if not distances or any(not len(values) for values in distances.values()):
        raise ValueError("expected the distances of at least one system and image, got none")
    by_system = {key: sorted(map(float, values)) for key, values in distances.items()}
    finite = [value for values in by_system.values() for value in values if math.isfinite(value)]
    end = most if most is not None else 1.1 * max([*finite, 0.05])
    traces = []
    for key, pen in _pens(by_system).items():
        values, n = by_system[key], len(by_system[key])
        within = [value for value in values if value <= end]
        x = [0.0, *(value for value in within if value > 0), end]
        start = sum(value == 0 for value in values)
        y = [100 * (n - start) / n, *(100 * (n - start - i - 1) / n for i in range(len(within) - start))]
        y.append(y[-1])
        colour, dash, symbol = pen
        name = label(key)
        trace = _line(name, (colour, dash, symbol), x, y)
        traces.append(trace | {
            "mode": "lines", "line": trace["line"] | {"shape": "hv"},
            "hovertemplate": "nothing within ε = %{x:.3g} for %{y:.0f} %<extra>" + name + "</extra>",
        })
    shown = {"showgrid": True, "gridcolor": "rgba(138,138,138,0.25)"}
    return in_words(_figure(traces, frame(
        height, legend=len(by_system) > 1,
        xaxis=shown | _levels(end) | {"title": {"text": "the smallest ε that fools"}, "range": [0, end]},
        yaxis=shown | {"title": {"text": "images not fooled, %"}, "range": [-3, 103], "tickvals": [0, 25, 50, 75, 100]},
    )), "The smallest ε that fools. " + " ".join(
        f"{key}, {len(values)} images: median {values[(len(values) - 1) // 2]:.3g}, largest {values[-1]:.3g}."
        for key, values in by_system.items()))


def check_lights(assessment: Assessment, *, height: int | None = None) -> Figure:
    """A table of the checks on a claim: level, name, value, threshold and sentence.

    Args:
        assessment: the claim and its checks.
        height: in pixels; by default it grows with the number of checks.
    """
    checks = assessment.checks
    lights = [LIGHTS[check.level] for check in checks]
    columns = [
        [f"<b>{light.sign} {light.word}</b>" for light in lights],
        [f"<b>{label(QUESTIONS.get(check.name, check.name))}</b>" for check in checks],
        [value_of(check) for check in checks],
        [in_html(check.threshold) for check in checks],
        [in_html(check.sentence, 1000) for check in checks],
    ]
    colours = [[light.colour for light in lights], *([GREY] * len(checks) for _ in range(4))]
    table = {
        "type": "table", "columnwidth": [1, 2.2, 0.8, 2.2, 3.6],
        "header": {"values": ["", "check", "figure", "threshold", "what it means"], "align": "left",
                   "fill": {"color": faded(GREY, 0.25)}, "font": {"size": 15}, "line": {"width": 0}},
        "cells": {"values": columns, "align": "left", "height": 46, "fill": {"color": [
                      [faded(colour, 0.25) for colour in colours[0]], *([faded(GREY, 0.06)] for _ in range(4))]},
                  "font": {"size": 14}, "line": {"width": 1, "color": faded(GREY, 0.3)}},
    }
    layout = frame(height or 60 + 58 * len(checks), legend=False, xaxis={}, yaxis={})
    return in_words(_figure([table], layout), " ".join(
        f"{QUESTIONS.get(check.name, check.name)}: {light.word}. {check.sentence}"
        for check, light in zip(checks, lights, strict=True)))


def value_of(check: Check) -> str:
    """The value of a check as text, in percent; “–” where it has none."""
    return "–" if check.figure is None else f"{100 * check.figure:.1f} %".replace("-", "−")


def _levels(end: float) -> dict[str, Any]:
    """Ticks in levels of 255, for an axis of ε that ends at a whole number of levels."""
    if "/" not in eps_said(end):
        return {}
    last = round(255 * end)
    ticks = [level / 255 for level in range(0, last + 1, max(1, round(last / 4)))]
    return {"tickvals": ticks, "ticktext": [eps_said(eps) for eps in ticks]}


def _banded(name: str, pen: tuple[str, str, str], points: Sequence[tuple[float, Share]]) -> list[Trace]:
    points = [(eps, share) for eps, share in points if share.n]
    x = [eps for eps, _ in points]
    low, high = ([100 * share.interval[end] for _, share in points] for end in (0, 1))
    band = {
        "type": "scatter", "mode": "lines", "name": "95 % interval", "x": x + x[::-1], "y": high + low[::-1],
        "fill": "toself", "fillcolor": faded(pen[0], 0.15), "line": {"width": 0}, "hoverinfo": "skip",
        "showlegend": False, "legendgroup": name,
    }
    line = _line(name, pen, x, [100 * share.value for _, share in points])
    return [band, line | {
        "legendgroup": name,
        "customdata": [f"{eps_said(eps)}: {share.count} of {share.n}: {share.percent()} %" for eps, share in points],
        "hovertemplate": "ε = %{customdata}<extra>" + name + "</extra>",
    }]


def _line(name: str, pen: tuple[str, str, str], x: Sequence[float], y: Sequence[float]) -> Trace:
    colour, dash, symbol = pen
    return {"type": "scatter", "mode": "lines+markers", "name": name, "x": list(x), "y": list(y),
            "line": {"color": colour, "dash": dash, "width": 3},
            "marker": {"color": colour, "symbol": symbol, "size": 10}}


def _pens(keys: Mapping[str, object]) -> dict[str, tuple[str, str, str]]:
    spare = iter([pen for pen in PENS if pen not in [CURVE_PENS[key] for key in keys if key in CURVE_PENS]] + [*PENS])
    return {key: CURVE_PENS[key] if key in CURVE_PENS else next(spare) for key in keys}


def _figure(traces: list[Trace], layout: dict[str, Any]) -> Figure:
    import plotly.graph_objects as go

    return go.Figure({"data": traces, "layout": layout})
