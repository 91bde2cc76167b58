"""Figures: pure functions from data to a plotly ``Figure`` or, for images, to pixels.

Backgrounds are transparent, and every colour can be read on white and on black. Correct is blue, wrong is orange, and
None is hatched in grey; each of them also has its own marker and word.
"""

from __future__ import annotations

from tasklab.figures.decisions import read_decisions
from tasklab.figures.histograms import decision_histogram, outcome_stack
from tasklab.figures.image_grid import gallery
from tasklab.figures.line_chart import lines
from tasklab.figures.live.sweep import scene_html
from tasklab.figures.maps import Landed, Stops, feature_map
from tasklab.figures.matrix import transfer_figure
from tasklab.figures.outputs import outputs_figure
from tasklab.figures.pictures import perturbation, picture, to_png
from tasklab.figures.regions import plane
from tasklab.figures.report import accuracy_curves, check_lights, distance_curves
from tasklab.figures.style import look_of

__all__ = [
    "Landed",
    "Stops",
    "accuracy_curves",
    "check_lights",
    "decision_histogram",
    "distance_curves",
    "feature_map",
    "gallery",
    "lines",
    "look_of",
    "outcome_stack",
    "outputs_figure",
    "perturbation",
    "picture",
    "plane",
    "read_decisions",
    "scene_html",
    "to_png",
    "transfer_figure",
]
