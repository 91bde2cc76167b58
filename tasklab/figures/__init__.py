"""Figures: pure functions from data to a plotly Figure (or, for images, to pixels); text takes the template's colour.

Backgrounds are transparent and every colour reads on white and on black. Correct is blue, wrong is orange, None is a
grey hatch, and none of them is told by colour alone.
"""

from __future__ import annotations

from tasklab.figures.describing import describe_outputs
from tasklab.figures.gallery import gallery
from tasklab.figures.matrix import describe_transfer, transfer_figure
from tasklab.figures.outputs import bit_gauges, number_line, output_bars, outputs_figure
from tasklab.figures.pictures import amplification, perturbation, picture, to_png
from tasklab.figures.style import BLUE, GREY, LOOKS, ORANGE, Look, look_of

__all__ = [
    "BLUE",
    "GREY",
    "LOOKS",
    "ORANGE",
    "Look",
    "amplification",
    "bit_gauges",
    "describe_outputs",
    "describe_transfer",
    "gallery",
    "look_of",
    "number_line",
    "output_bars",
    "outputs_figure",
    "perturbation",
    "picture",
    "to_png",
    "transfer_figure",
]
