"""A grid of small images with captions as a plotly figure, enlarged without blur."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from tasklab.figures.pictures import Pixels, picture, to_png
from tasklab.figures.style import Look
from tasklab.figures.words import in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CAPTION, GAP = 0.32, 0.14
"""Height of a caption, and gap between two images, in units of an image's side."""


def gallery(
    images: Tensor | Sequence[Tensor | Pixels],
    captions: Sequence[str] = (),
    *,
    looks: Sequence[Look | None] = (),
    columns: int = 6,
    size: int = 150,
) -> Figure:
    """A grid of images, row by row.

    Args:
        images: float ``(N, C, H, W)`` in [0, 1], or a sequence of ``(C, H, W)`` and of pixels as `picture` and
            `perturbation` make them.
        captions: text under each image, or empty; a ``<br>`` starts a second line.
        looks: outcome of each image, or empty; its caption gets the sign and the colour.
        columns: largest number of images side by side.
        size: side of one image, in pixels of the screen.

    Raises:
        ValueError: there are no images, or the captions or looks are not one for each.

    >>> import torch
    >>> figure = gallery(torch.rand(3, 1, 8, 8), ["one", "two", "three"])
    >>> len(figure.layout.images)
    3
    """
    n = len(images)
    for what, values in (("captions", captions), ("looks", looks)):
        if not n or (values and len(values) != n):
            raise ValueError(f"expected at least one image and {what} for all or none, got {n} and {len(values)}")
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    step_x, step_y = 1 + GAP, 1 + (CAPTION if captions else GAP)
    drawn, notes = [], []
    for index in range(n):
        left, top = (index % columns) * step_x, (index // columns) * step_y
        drawn.append({
            "source": _data_url(images[index]), "xref": "x", "yref": "y", "x": left, "y": top, "sizex": 1, "sizey": 1,
            "sizing": "stretch", "layer": "above",
        })
        if captions:
            notes.append(_caption(captions[index], looks[index] if looks else None, left + 0.5, top + 1.02))
    hidden = {"visible": False, "fixedrange": True}
    layout = {
        "images": drawn, "annotations": notes, "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 4, "r": 4, "t": 4, "b": 4}, "height": round(rows * step_y * size) + 8, "dragmode": False,
        "font": {"size": 15},
        "xaxis": hidden | {"range": [0, columns * step_x - GAP], "constrain": "domain", "constraintoward": "left"},
        "yaxis": hidden | {"range": [rows * step_y, 0], "scaleanchor": "x", "constrain": "domain"},
    }
    import plotly.graph_objects as go

    figure = go.Figure({"data": [{"type": "scatter", "x": [], "y": [], "hoverinfo": "skip"}], "layout": layout})
    return in_words(figure, describe_gallery(n, captions, looks))


def describe_gallery(n: int, captions: Sequence[str] = (), looks: Sequence[Look | None] = ()) -> str:
    """What `gallery` shows, in words: how many images, with their captions and outcomes.

    >>> describe_gallery(2, ["before", "after<br>PGD"])
    '2 images: before; after, PGD.'
    """
    words = [caption.replace("<br>", ", ") for caption in captions]
    outcomes = [f" ({look.word})" if look else "" for look in looks] or [""] * len(words)
    listed = "; ".join(word + outcome for word, outcome in zip(words, outcomes, strict=True))
    return f"{n} image{'s' * (n > 1)}{': ' + listed if listed else ''}."


def _caption(text: str, look: Look | None, x: float, y: float) -> dict[str, object]:
    note: dict[str, object] = {"text": text, "x": x, "y": y, "showarrow": False, "yanchor": "top", "xanchor": "center"}
    if look is not None:
        note |= {"text": f"<b>{look.sign} {text}</b>", "font": {"color": look.colour}}
    return note


def _data_url(image: Tensor | Pixels) -> str:
    """An image as a PNG in a data URL, with pixels large enough to stay sharp."""
    if isinstance(image, Tensor):
        image = picture(image, scale=max(1, 160 // image.shape[-1]))
    return "data:image/png;base64," + base64.b64encode(to_png(image)).decode()
