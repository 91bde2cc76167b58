"""Figures: pure functions from data to a plotly `Figure` or, for images, to pixels.

Backgrounds are transparent, and every colour can be read on white and on black. Correct is blue, wrong is orange, and
None is hatched in grey; each of them also has its own marker and word.
"""

from __future__ import annotations

from tasklab.figures.cross_sections import cut, describe_cut
from tasklab.figures.decisions import Reading, read_decisions
from tasklab.figures.describing import describe_outputs
from tasklab.figures.gallery import gallery
from tasklab.figures.histograms import decision_histogram, describe_decisions, outcome_stack
from tasklab.figures.lines import lines
from tasklab.figures.live.sweep import scene_html
from tasklab.figures.maps import Landed, Stops, describe_map, feature_map
from tasklab.figures.matrix import describe_transfer, transfer_figure
from tasklab.figures.outputs import bit_gauges, number_line, output_bars, outputs_figure
from tasklab.figures.pictures import amplification, perturbation, picture, to_png
from tasklab.figures.regions import describe_regions, plane
from tasklab.figures.robustness import (
    CURVE_PENS,
    LIGHTS,
    accuracy_curves,
    check_lights,
    describe_curves,
    distance_curves,
)
from tasklab.figures.style import BLUE, GREY, LOOKS, ORANGE, Look, look_of

__all__ = [
    "BLUE",
    "CURVE_PENS",
    "GREY",
    "LIGHTS",
    "LOOKS",
    "ORANGE",
    "Landed",
    "Look",
    "Reading",
    "Stops",
    "accuracy_curves",
    "amplification",
    "bit_gauges",
    "check_lights",
    "cut",
    "decision_histogram",
    "describe_curves",
    "describe_cut",
    "describe_decisions",
    "describe_map",
    "describe_outputs",
    "describe_regions",
    "describe_transfer",
    "distance_curves",
    "feature_map",
    "gallery",
    "lines",
    "look_of",
    "number_line",
    "outcome_stack",
    "output_bars",
    "outputs_figure",
    "perturbation",
    "picture",
    "plane",
    "read_decisions",
    "scene_html",
    "to_png",
    "transfer_figure",
]
