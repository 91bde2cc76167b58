"""The lessons: for each page, steps that set a scene and say what to look at.

A step's own words hold on every data set. What a scene shows on the present one is a fact: the page computes it from
the very numbers that it draws, and `lab_ui.shell.frame.tell` adds it to the words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LessonStep:
    """One step of a page's lesson.

    Attributes:
        words: what to look at.
        subject: CSS selector of what the words are about; it is outlined, and scrolled to.
        values: widget key to value, set when the step is opened, on top of those of all steps before; they are written
            for the data set “digits”.
        fact: name of the sentence that the page computes and adds; empty where there is none.
        needs: short names of systems without which the step is left out.
    """

    words: str
    subject: str
    values: Mapping[str, Any] = field(default_factory=dict)
    fact: str = ""
    needs: frozenset[str] = frozenset()


NO_DIGIT = "no digit"
"""The example of the page “Draw” that shows none of the classes."""

FOUR = ["tra", "deepbe", "int", "rbc"]
ATTACK = {"systems": FOUR, "attack": "PGD", "steps": 10, "norm": "linf", "criterion": "misclassified", "step": None,
          "start": False, "restarts": 1, "keep": "best", "target": "any other", "seed": 0}
"""Settings of the attack that the lessons are about."""

LAB = ATTACK | {"image": 54, "eps": 0.2, "view": "ε to drag"}
CURVES = ["training loss", "margin", "noise", "worst case"]
SCENE, PLANES = ".st-key-attack_lab_scene", ".st-key-regions_squares"
RUNS = ".st-key-train_runs"
ROWS = ("[data-part=badge0] + .tl-row", "[data-part=badge1] + .tl-row")
"""The systems' cells under the first and the second objective, in a figure with ε to drag."""

LESSONS: dict[str, tuple[LessonStep, ...]] = {
    "codecs": (
        LessonStep(
            "Drag INT's marker along the line. Between two intervals the answer is None: no class at all.",
            "[data-panel=int]",
            {"codecs_label": "3", "codecs_gap": "None", "codecs_alpha": 4.0, "codecs_beta": 16.0, "codecs_s0": 0.0,
             "codecs_S": 350, "codecs_code": "binary", "codecs_bits": 4, "codecs_loss": "hinge", "codecs_outputs": {}},
        ),
        LessonStep(
            "Now the marker is inside the label's interval. There INT's loss is exactly 0, and so is its gradient: an "
            "attack that climbs it has nothing to follow.",
            "[data-panel=int]", {"codecs_outputs": {"int": [68.0]}},
        ),
        LessonStep(
            "RBC reads a bit by its sign, but the training loss asks for S. Drag the last bit up to its rail: there "
            "the pull vanishes.",
            "[data-panel=rbc]", {"codecs_outputs": {}},
        ),
        LessonStep(
            "A smaller S moves the rails, not the sign. Where the answer changes stays where it was: at 0.",
            "[data-panel=rbc]", {"codecs_S": 50},
        ),
        LessonStep(
            "DeepBE with the squared error: the pull stops nowhere but at the codeword itself. How much ground a loss "
            "leaves flat is a choice.",
            "[data-panel=deepbe]", {"codecs_S": 350, "codecs_loss": "mse"},
        ),
    ),
    "attack_lab": (
        LessonStep("Drag ε up from 0. The attack climbs the training loss, as in the paper.", SCENE,
                   LAB | {"eps": 0.0, "train": True, "margin": False}, "own_loss"),
        LessonStep("Only one line is different: the same attack now aims at the decision.", ROWS[1],
                   {"eps": 0.2, "margin": True}, "both"),
        LessonStep("Why? Look at the ground under this image. In full colour the training loss is exactly flat.",
                   ".st-key-attack_lab_ground", {"systems": ["rbc"], "view": "the ground under the image"}, "ground"),
        LessonStep("Drag ε and watch INT's output slide along the number line.", SCENE,
                   {"eps": 0.0, "train": False, "systems": ["int"], "image": 96, "view": "ε to drag"}, "way"),
        LessonStep("Now the attack counts only where another class is read, because a None raises an alarm.", ROWS[0],
                   {"eps": 0.2, "systems": FOUR, "image": 54, "criterion": "evaded"}, "evaded"),
        LessonStep("How one step is made: gradient, sign, step, projection. Play it with the key P.",
                   ".st-key-attack_lab_steps", {"train": True, "criterion": "misclassified"}),
    ),
    "robust": (
        LessonStep("The paper's attack climbs the training loss. Compare its line with plain noise of the same size.",
                   ".st-key-robust_chart",
                   {"robust_system": "rbc", "robust_curves": ["training loss", "noise"]}, "noise"),
        LessonStep("The area behind the curves shows for how many images the gradient was exactly 0. There an attack "
                   "has nothing to follow.",
                   ".st-key-robust_chart", {"robust_revealed": True, "robust_aim": "training loss"}, "zero"),
        LessonStep("Only one word is different: the same attack now aims at the decision. Compare the lights of "
                   "both.",
                   ".st-key-robust_checks", {"robust_curves": CURVES, "robust_aim": "margin"}, "claims"),
        LessonStep("Is every high number false, then? This one was trained under attack. The number to quote is the "
                   "worst case found.",
                   ".st-key-robust_checks", {"robust_system": "tra-at", "robust_aim": "training loss"}, "worst",
                   frozenset({"tra-at"})),
        LessonStep("Bits can be trained under attack, too. Compare them, image by image, with bits that were not.",
                   ".st-key-robust_pictures", {"robust_system": "rbc-at-margin", "robust_with": "rbc"}, "worst",
                   frozenset({"rbc-at-margin"})),
    ),
    "outputs": (
        LessonStep("The paper's attack climbs the training loss. The line is drawn before the attack, the bars after "
                   "it.",
                   ".st-key-outputs_histograms",
                   ATTACK | {"objective": "train", "eps": 0.2, "outputs_bit": "the whole answer",
                             "outputs_class": "all classes"}, "left"),
        LessonStep("Now the same attack aims at the decision. Look for bars outside the blue background.",
                   ".st-key-outputs_histograms", {"objective": "margin"}, "left"),
        LessonStep("One bit alone: training pushed it away from 0, the attack pulls it back.",
                   ".st-key-outputs_histograms", {"outputs_bit": "bit 1"}, "bit"),
        LessonStep("One class of INT on its line. What leaves its interval lands in a gap or in another interval.",
                   ".st-key-outputs_histograms",
                   {"outputs_bit": "the whole answer", "outputs_class": "3", "systems": ["int"]}, "ends"),
        LessonStep("The rails move out with S. Does that help? Guess, then look.", ".st-key-outputs_sizes",
                   {"outputs_class": "all classes", "systems": FOUR}, "", frozenset({"rbc-s10"})),
    ),
    "feature_map": (
        LessonStep("Each image is a point: the numbers just before the last layer, drawn on a plane. No label was "
                   "used to place it. Watch it form (key P).",
                   ".st-key-feature_map_living",
                   ATTACK | {"feature_map_kind": "t-SNE", "feature_map_system": "rbc", "objective": "margin",
                             "image": 54}),
        LessonStep("The numbered stops are one image under attack. t-SNE keeps neighbours, not distances, so a stop "
                   "may jump; the paper reads distances off such a map.",
                   ".st-key-feature_map_living", {"eps": 0.1}, "way"),
        LessonStep("PCA keeps straight lines straight, but it shows only two of many directions.",
                   ".st-key-feature_map_living", {"feature_map_kind": "PCA", "eps": 0.2}, "spread"),
        LessonStep("The outputs decide. INT has only one: between the coloured intervals lies None.",
                   ".st-key-feature_map_living", {"feature_map_kind": "Outputs", "feature_map_system": "int"}, "way"),
        LessonStep("Now many images are attacked. Guess first, then drag the slider of the steps.",
                   ".st-key-feature_map_many", {"feature_map_kind": "t-SNE", "feature_map_system": "rbc"}),
    ),
    "transfer": (
        LessonStep("The paper's attack climbs the training loss. Look at the last column: how many images were "
                   "not changed.",
                   ".st-key-transfer_grid_train", ATTACK | {"train": True, "margin": False, "transfer_aim": "train"},
                   "train"),
        LessonStep("Now the same attack aims at the decision.", ".st-key-transfer_grid_margin",
                   {"margin": True, "transfer_revealed": True, "transfer_aim": "margin"}, "margin"),
        LessonStep("The paper counts every image that the attacked system classifies correctly, even those that "
                   "the other system misclassifies anyway. Compare with noise, the last row.",
                   ".st-key-transfer_grid_margin",
                   {"transfer_kept": "the attacked system classifies correctly (paper)"}, "noise"),
        LessonStep("Several systems are attacked at once: another one counts as fooled if the image of any of "
                   "them fools it.",
                   ".st-key-transfer_cell",
                   {"transfer_kept": "both classified correctly", "transfer_threat": "all others"}, "together"),
    ),
    "train": (
        LessonStep("The same images, learned twice: as ten scores (TRA) and as four bits with a margin (RBC).", RUNS,
                   {"data": "digits", "train_left": "digits-tra", "train_right": "digits-rbc"}, "clean"),
        LessonStep("The grey area shows for how many images the gradient of the training loss is exactly 0. Where "
                   "there is no gradient, an attack on the loss, the dotted curve, goes nowhere.", RUNS, {}, "zero"),
        LessonStep("DeepBE with two losses: squared distances on the left, the paper's hinge on the right. The hinge "
                   "is 0 for every image classified correctly.", RUNS,
                   {"train_left": "digits-deepbe", "train_right": "digits-deepbe-hinge"}, "zero"),
        LessonStep("Training on noise. Compare the dotted curves, and the dashed ones, which are aimed at the "
                   "decision.", RUNS, {"train_left": "digits-rbc", "train_right": "digits-rbc-gn"}, "attacked"),
        LessonStep("Training under real attacks. Look at the dashed curve: codes can be hardened, but the code alone "
                   "does not do it.", RUNS, {"train_right": "digits-rbc-at-margin"}, "attacked"),
    ),
    "draw": (
        LessonStep("Draw a digit of your own, or take an example. Every system reads it at once, on 8×8 pixels and on "
                   "28×28.",
                   ".st-key-draw_own", {"draw_from": "draw", "draw_example": 2, "eps": 0.0,
                                        "draw_label": "as most systems read it"}),
        LessonStep("Now attack it, aimed at the training loss.", ROWS[0],
                   {"eps": 0.2, "train": True, "margin": False}, "own_loss"),
        LessonStep("The same attack, aimed at the decision.", ROWS[1], {"margin": True}, "both"),
        LessonStep("This is no digit; draw another one, if you like. TRA always names a digit; bits and intervals can "
                   "say None.",
                   ".st-key-draw_read", {"eps": 0.0, "draw_example": NO_DIGIT}, "none"),
    ),
    "draw_photographs": (
        LessonStep("Take an example, or upload a photograph of your own. Every system reads it at once, on 32×32 "
                   "pixels.",
                   ".st-key-draw_own", {"eps": 0.0, "draw_label": "as most systems read it"}),
        LessonStep("Now attack it, aimed at the training loss. The change is far smaller than on digits: a few of the "
                   "255 levels of a pixel.",
                   ".st-key-draw_scene", {"eps": 0.2, "train": True, "margin": False}, "own_loss"),
        LessonStep("The same attack, aimed at the decision. Drag ε down: how little is enough?", ".st-key-draw_scene",
                   {"margin": True}, "both"),
        LessonStep("Upload something that is none of the classes. TRA always names one; bits and intervals can say "
                   "None.",
                   ".st-key-draw_own", {"eps": 0.0}),
    ),
    "paper": tuple(
        LessonStep(words, ".st-key-paper_cell",
                   {"paper_table": table, "paper_system": system, "paper_column": column}, "cell")
        for words, table, system, column in (
            ("Each cell has the paper's number, the same attack here, and what all attacks together leave.",
             "Table 1", "TRA", "PGD III"),
            ("The same attack, another task.", "Table 1", "RBC", "PGD III"),
            ("One step instead of twenty, at the smallest ε.", "Table 1", "RBC", "FGSM I"),
            ("A number on a line can also answer None.", "Table 1", "INT", "PGD III"),
            ("Trained again, under attacks on the training loss.", "Table 2", "RBC+AT", "PGD III"),
            ("Trained again, under attacks on the margin.", "Table 2", "RBC+AT (margin)", "PGD III"),
        )
    ),
    "regions": (
        LessonStep("TRA has a score for each class, and cuts the square into pieces. INT has one number and lays its "
                   "classes on a line; what lies between two of them is None.", PLANES,
                   {"regions_set": "blobs", "regions_tasks": ["TRA", "INT"], "regions_field": "training loss",
                    "regions_noise": 0.06, "regions_point": 8, "regions_s": 350, "regions_eps": 0.25, "seed": 0,
                    "regions_form": "scaled"}, "flat"),
        LessonStep("The arrows climb the training loss. Where the colour is full there are none: RBC's loss is exactly "
                   "0 wherever every bit has its margin S. An attack that starts there has no way to go.", PLANES,
                   {"regions_tasks": ["TRA", "RBC"], "regions_revealed": True}, "flat"),
        LessonStep("Now they climb the margin instead. Nothing was retrained; look for the arrows again.", PLANES,
                   {"regions_field": "margin"}, "flat"),
        LessonStep("Does a larger S help? In its own scale the loss is the same function for every S.", PLANES,
                   {"regions_s": 1000}, "flat"),
        LessonStep("Spirals: four ways of answering, one and the same network.", PLANES,
                   {"regions_set": "spirals", "regions_tasks": ["TRA", "DeepBE", "INT", "RBC"],
                    "regions_noise": 0.015, "regions_field": "training loss", "regions_point": 5, "regions_s": 350},
                   "flat"),
    ),
}
"""Slug of a page to the steps of its lesson; the page “Draw” has another one for photographs."""


def values_of(lesson: Sequence[LessonStep], step: int) -> dict[str, Any]:
    """The values of all widgets that a step sets, together with the steps before it."""
    values: dict[str, Any] = {}
    for each in lesson[: step + 1]:
        values |= each.values
    return values
