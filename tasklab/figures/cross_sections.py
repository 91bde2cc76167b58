"""A cross-section through the plane: training loss and margin along a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasklab.codecs import ABNORMAL
from tasklab.experiments.plane import CrossSection
from tasklab.figures.outputs import HATCH
from tasklab.figures.regions import CLASS_COLOURS, INK
from tasklab.figures.style import BLUE, GREY, ORANGE, faded, frame
from tasklab.figures.words import in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Trace = dict[str, Any]

RUST = "#a04a00"
"""An orange that is dark enough for text on white."""


def cut(section: CrossSection, *, classes: Sequence[str] = "ABCD", reach: float | None = None,
        height: int = 220) -> Figure:
    """Training loss and margin along a line, in front of the decision regions that it crosses.

    The loss is drawn as a share of its largest value; its line is thick where its gradient is exactly zero. The margin
    is drawn as a share of its largest absolute value: blue where the label is read, orange where it is not.

    Args:
        section: from `tasklab.experiments.plane.cross_section`.
        classes: names of the classes.
        reach: a distance to mark, such as how far the attack may go.
        height: in pixels.
    """
    x = section.distance.cpu().numpy()
    loss, margin = (_share(each.cpu().numpy()) for each in (section.loss, section.margin))
    flat = section.flat.cpu().numpy()
    bands = _ground(section, classes)
    traces = [
        *bands,
        _line("margin, label read", x, np.where(margin >= 0, margin, np.nan), BLUE, 4, dash="dash"),
        _line("margin, label lost", x, np.where(margin <= 0, margin, np.nan), ORANGE, 4, dash="dash"),
        _line("training loss", x, loss, GREY, 4),
        _line("training loss, gradient exactly 0", x, np.where(flat, loss, np.nan), GREY, 10),
    ]
    layout = frame(height, legend=False, xaxis={
                       "range": [0, float(x[-1])], "tickvals": [band["x"][0] for band in bands if _wide(band, x)],
                       "ticktext": [band["name"].removeprefix("read as ") for band in bands if _wide(band, x)],
                   },
                   yaxis={"range": [-1.12, 1.12], "showticklabels": False, "zeroline": True, "zerolinecolor": GREY})
    layout["bargap"] = 0
    ending = BLUE if margin[-1] > 0 else RUST
    layout["annotations"] = [_word("training loss", loss, INK), _word("margin", margin, ending)]
    if reach is not None and reach < x[-1]:
        layout["shapes"] = [{"type": "line", "name": "reach", "x0": reach, "x1": reach, "y0": -1.12, "y1": 1.12,
                             "line": {"color": GREY, "width": 2, "dash": "dot"}}]
    import plotly.graph_objects as go

    return in_words(go.Figure({"data": traces, "layout": layout}), describe_cut(section, classes))


def describe_cut(section: CrossSection, classes: Sequence[str] = "ABCD") -> str:
    """What `cut` shows, in words."""
    flat = float(section.flat.float().mean())
    edge = section.edge
    lost = "is read all along" if edge is None else f"is lost at a distance of {edge:.2f}"
    start = "included" if bool(section.flat[0]) else "not included"
    return (
        f"Along a line of length {float(section.distance[-1]):.2f} from the point, label {classes[section.label]} "
        f"{lost}. The gradient of the training loss is exactly zero on {100 * flat:.0f} % of it, the point {start}."
    )


def _ground(section: CrossSection, classes: Sequence[str]) -> list[Trace]:
    """A band for each region, in the colour of its class; hatched where None is read."""
    x, read = section.distance.cpu().numpy(), section.decoded.cpu().numpy()
    changes = np.flatnonzero(read[1:] != read[:-1])
    middles = (x[changes] + x[changes + 1]) / 2
    ends = list(zip([0.0, *middles], [*middles, float(x[-1])], strict=True))
    kinds = [int(read[0]), *(int(k) for k in read[changes + 1])]
    bands = []
    for (low, high), k in zip(ends, kinds, strict=True):
        none = k == ABNORMAL
        marker = {"pattern": HATCH, "color": "rgba(0,0,0,0)"} if none else {"color": faded(CLASS_COLOURS[k], 0.3)}
        word = "None" if none else classes[k]
        bands.append({
            "type": "bar", "name": f"read as {word}", "x": [(low + high) / 2], "width": [high - low], "base": -1.12,
            "y": [2.24], "marker": marker | {"line": {"width": 0}}, "hovertemplate": f"read as {word}<extra></extra>",
        })
    return bands


def _wide(band: Trace, x: NDArray[Any]) -> bool:
    """Whether a band is wide enough for its name."""
    return bool(band["width"][0] > (0.13 if band["name"] == "read as None" else 0.04) * x[-1])


def _share(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values as shares of the largest absolute value."""
    largest = float(np.abs(values).max())
    return values / largest if largest > 0 else values


def _line(name: str, x: NDArray[Any], y: NDArray[Any], colour: str, width: int, dash: str = "solid") -> Trace:
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "hoverinfo": "skip",
            "line": {"color": colour, "width": width, "dash": dash}}


def _word(text: str, y: NDArray[Any], colour: str) -> dict[str, Any]:
    """The name of a curve at its end, between the curve and 0."""
    end = float(y[-1])
    return {"xref": "paper", "x": 0.99, "y": end, "text": f"<b>{text}</b>", "showarrow": False, "xanchor": "right",
            "yanchor": "top" if end > 0 else "bottom", "yshift": -8 if end > 0 else 8,
            "font": {"size": 15, "color": colour}, "bgcolor": "rgba(255,255,255,0.85)", "borderpad": 1}
