"""The lessons: for each page, steps that set its controls and say what to look at.

A step's own words hold on every data set. What the page shows on the present data set is a fact: the page computes it
from exactly the numbers that it draws, and `lab_ui.shell.frame.tell` adds it to the words.
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
        subject: CSS selector of what the words are about. The page outlines it and scrolls to it.
        values: widget key to value, set when the step is opened, together with the values of all steps before it. They
            are written for the data set “digits”.
        fact: name of the sentence that the page computes and adds; empty if there is none.
        needs: short names of systems; the step is left out unless all of them are there.
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
PLANES = ".st-key-regions_squares"
RUNS = ".st-key-train_runs"
ROWS = ("[data-part=badge0] + .tl-row", "[data-part=badge1] + .tl-row")
"""The systems' cells under the first and the second objective, in a figure with ε to drag."""

LESSONS: dict[str, tuple[LessonStep, ...]] = {
    "codecs": (
        LessonStep(
            "Drag INT's marker along the line. Between two intervals the answer is None, which means no class at all.",
            "[data-panel=int]",
            {"codecs_label": "3", "codecs_gap": "None", "codecs_alpha": 4.0, "codecs_beta": 16.0, "codecs_s0": 0.0,
             "codecs_S": 350, "codecs_code": "binary", "codecs_bits": 4, "codecs_loss": "hinge", "codecs_outputs": {}},
        ),
        LessonStep(
            "Now the marker is inside the label's interval. Here INT's loss is exactly 0, and so is its gradient: an "
            "attack that climbs this loss has nothing to follow.",
            "[data-panel=int]", {"codecs_outputs": {"int": [68.0]}},
        ),
        LessonStep(
            "RBC decodes a bit by its sign alone, but its training loss wants each bit to be at least S away from 0. "
            "Drag the last bit up to its rail, the dotted line: there the loss stops pulling.",
            "[data-panel=rbc]", {"codecs_outputs": {}},
        ),
        LessonStep(
            "A smaller S puts the rails closer to 0: read the numbers on the axis, which is drawn to fit them. The "
            "place where the answer changes does not move; it is still at 0.",
            "[data-panel=rbc]", {"codecs_S": 50},
        ),
        LessonStep(
            "DeepBE is now trained with the squared error, which stops pulling only at the codeword itself. How large "
            "the region without a gradient is depends on the choice of the loss.",
            "[data-panel=deepbe]", {"codecs_S": 350, "codecs_loss": "mse"},
        ),
    ),
    "attack_lab": (
        LessonStep("Drag ε up from 0. The attack climbs the training loss, as in the paper.", ROWS[0],
                   LAB | {"eps": 0.0, "train": True, "margin": False}, "own_loss"),
        LessonStep("In the second row the same attack aims at the decision. Nothing else is different.", ROWS[1],
                   {"eps": 0.2, "margin": True}, "both"),
        LessonStep("To see why, look at the plane around this image. Where the colour is full, the training loss is "
                   "exactly flat.",
                   ".st-key-attack_lab_ground", {"systems": ["rbc"], "view": "the plane around the image"}, "ground"),
        LessonStep("Drag ε and watch INT's output slide along the number line.", ROWS[0],
                   {"eps": 0.0, "train": False, "systems": ["int"], "image": 96, "view": "ε to drag"}, "way"),
        LessonStep("Now an attack succeeds only if the system names another class, because None raises an "
                   "alarm.", ROWS[0],
                   {"eps": 0.2, "systems": FOUR, "image": 54, "criterion": "evaded"}, "evaded"),
        LessonStep("This is how the attack makes each step: gradient, sign, step, projection. Press P to play the "
                   "steps.",
                   ".st-key-attack_lab_steps", {"train": True, "criterion": "misclassified"}),
    ),
    "robust": (
        LessonStep("The paper's attack climbs the training loss. Compare its curve with that of noise of the same "
                   "size.",
                   ".st-key-robust_chart",
                   {"robust_system": "rbc", "robust_curves": ["training loss", "noise"]}, "noise"),
        LessonStep("The lower chart shows for how many images the gradient was exactly 0. For these images, "
                   "an attack has nothing to follow.",
                   ".st-key-robust_chart", {"robust_revealed": True, "robust_aim": "training loss"}, "zero"),
        LessonStep("Now the same attack aims at the decision, and nothing else is different. Compare the checks on "
                   "both attacks.",
                   ".st-key-robust_checks", {"robust_curves": CURVES, "robust_aim": "margin"}, "claims"),
        LessonStep("Is every high accuracy under attack false, then? This system was trained under attack. The number "
                   "to quote is the worst case found.",
                   ".st-key-robust_checks", {"robust_system": "tra-at", "robust_aim": "training loss"}, "worst",
                   frozenset({"tra-at"})),
        LessonStep("A system that answers in bits can be trained under attack, too. Compare it, image by image, with "
                   "one that was not.",
                   ".st-key-robust_pictures", {"robust_system": "rbc-at-margin", "robust_with": "rbc"}, "worst",
                   frozenset({"rbc-at-margin"})),
    ),
    "outputs": (
        LessonStep("The paper's attack climbs the training loss. The grey line shows the outputs before the attack, "
                   "the bars show them after it.",
                   ".st-key-outputs_histograms",
                   ATTACK | {"objective": "train", "eps": 0.2, "outputs_bit": "the whole answer",
                             "outputs_class": "all classes"}, "left"),
        LessonStep("Now the same attack aims at the decision. Look for bars outside the blue background.",
                   ".st-key-outputs_histograms", {"objective": "margin"}, "left"),
        LessonStep("These are the values of a single bit. Training pushed it away from where it changes, 0.5 for "
                   "DeepBE and 0 for RBC, and the attack pulls it back.",
                   ".st-key-outputs_histograms", {"outputs_bit": "bit 1", "systems": ["deepbe", "rbc"]}, "bit"),
        LessonStep("These are images of one class on INT's line. Those that leave the interval of their class land in "
                   "a gap or in another interval.",
                   ".st-key-outputs_histograms",
                   {"outputs_bit": "the whole answer", "outputs_class": "3", "systems": ["int"]}, "ends"),
        LessonStep("With a larger S the rails are further out. Does that help against an attack? Make a guess, then "
                   "look.",
                   ".st-key-outputs_sizes",
                   {"outputs_class": "all classes", "systems": FOUR}, "", frozenset({"rbc-s10"})),
    ),
    "feature_map": (
        LessonStep("Each image is a point, placed by its features, the numbers just before the last layer; its label "
                   "was not used. Press P to watch the map form.",
                   ".st-key-feature_map_living",
                   ATTACK | {"feature_map_kind": "t-SNE", "feature_map_system": "rbc", "objective": "margin",
                             "image": 54}),
        LessonStep("The numbers mark the path of one image under attack. t-SNE preserves neighbours but not distances, "
                   "so the path may jump; yet the paper reads distances off such a map.",
                   ".st-key-feature_map_living", {"eps": 0.1}, "way"),
        LessonStep("PCA keeps straight lines straight, but it shows only two of many directions.",
                   ".st-key-feature_map_living", {"feature_map_kind": "PCA", "eps": 0.2}, "spread"),
        LessonStep("This map shows the outputs, from which the decision is made. INT has only one output, and between "
                   "the coloured intervals it means None.",
                   ".st-key-feature_map_living", {"feature_map_kind": "Outputs", "feature_map_system": "int"}, "way"),
        LessonStep("Now many images are attacked. Make a guess first, then drag the slider to follow the attack step "
                   "by step.",
                   ".st-key-feature_map_many", {"feature_map_kind": "t-SNE", "feature_map_system": "rbc"}),
    ),
    "transfer": (
        LessonStep("The paper's attack climbs the training loss. The last column shows how many images it did not "
                   "change at all.",
                   ".st-key-transfer_grid_train", ATTACK | {"train": True, "margin": False, "transfer_aim": "train"},
                   "train"),
        LessonStep("Now the same attack aims at the decision.", ".st-key-transfer_grid_margin",
                   {"margin": True, "transfer_revealed": True, "transfer_aim": "margin"}, "margin"),
        LessonStep("The paper counts every image that the attacked system classifies correctly, even those that "
                   "the other system misclassifies anyway. Compare the rates with those of noise in the last row.",
                   ".st-key-transfer_grid_margin",
                   {"transfer_kept": "the attacked system classifies correctly (paper)"}, "noise"),
        LessonStep("Here the images found against all other systems are tried together: a system counts as fooled if "
                   "any of them fools it.",
                   ".st-key-transfer_cell",
                   {"transfer_kept": "both classified correctly", "transfer_threat": "all others"}, "together"),
    ),
    "train": (
        LessonStep("Two networks learn the same images. One answers with ten scores (TRA), the other with four bits "
                   "that have a margin (RBC).", RUNS,
                   {"data": "digits", "train_left": "digits-tra", "train_right": "digits-rbc"}, "clean"),
        LessonStep("The grey area shows for how many images the gradient of the training loss is exactly 0. Where "
                   "there is no gradient, an attack on that loss changes nothing; the dotted curve shows what it "
                   "leaves.",
                   RUNS, {}, "zero"),
        LessonStep("DeepBE is trained with two losses: the squared error on the left, the paper's hinge loss on the "
                   "right. The hinge loss is 0 for every image that is classified correctly.", RUNS,
                   {"train_left": "digits-deepbe", "train_right": "digits-deepbe-hinge"}, "zero"),
        LessonStep("The system on the right was trained on noisy images. Compare the dotted curves of attacks on the "
                   "training loss, and the dashed curves of attacks on the decision.", RUNS,
                   {"train_left": "digits-rbc", "train_right": "digits-rbc-gn"}, "attacked"),
        LessonStep("The system on the right was trained under attacks on its margin. Its dashed curve shows that "
                   "training can make a code withstand such attacks; the code alone does not.", RUNS,
                   {"train_right": "digits-rbc-at-margin"}, "attacked"),
    ),
    "draw": (
        LessonStep("Draw a digit of your own, or choose an example. Every system reads it at once, some from 8×8 "
                   "pixels and some from 28×28.",
                   ".st-key-draw_own", {"draw_from": "draw", "draw_example": 2, "eps": 0.0,
                                        "draw_label": "as most systems read it"}),
        LessonStep("Now attack it, aimed at the training loss.", ROWS[0],
                   {"eps": 0.2, "train": True, "margin": False}, "own_loss"),
        LessonStep("In the second row the same attack aims at the decision.", ROWS[1], {"margin": True}, "both"),
        LessonStep("This is not a digit; draw something else if you like. TRA always names a digit, whereas systems "
                   "with bits or intervals can answer None.",
                   ".st-key-draw_read", {"eps": 0.0, "draw_example": NO_DIGIT}, "none"),
    ),
    "draw_photographs": (
        LessonStep("Choose an example, or upload a photograph of your own. Every system reads it at once, from 32×32 "
                   "pixels.",
                   ".st-key-draw_own", {"eps": 0.0, "draw_label": "as most systems read it"}),
        LessonStep("Now attack it, aimed at the training loss. The change is far smaller than on digits: a few of the "
                   "255 levels of a pixel.",
                   ROWS[0], {"eps": 0.2, "train": True, "margin": False}, "own_loss"),
        LessonStep("In the second row the same attack aims at the decision. Drag ε down to see how small a change is "
                   "enough.", ROWS[1], {"margin": True}, "both"),
        LessonStep("Upload a photograph that shows none of the classes. TRA always names a class, whereas systems with "
                   "bits or intervals can answer None.",
                   ".st-key-draw_own", {"eps": 0.0}),
    ),
    "paper": tuple(
        LessonStep(words, ".st-key-paper_cell",
                   {"paper_table": table, "paper_system": system, "paper_column": column}, "cell")
        for words, table, system, column in (
            ("Each cell shows the paper's number if the paper used this network and data set, then what the same "
             "attack leaves here, and what all attacks together leave.",
             "Table 1", "TRA", "PGD III"),
            ("This is the same attack on a system that answers in bits with a margin.", "Table 1", "RBC", "PGD III"),
            ("This attack takes one step instead of twenty, at the smallest ε.", "Table 1", "RBC", "FGSM I"),
            ("A system that answers with a number on a line can also answer None.", "Table 1", "INT", "PGD III"),
            ("This system was trained again, under attacks on its training loss.", "Table 2", "RBC+AT", "PGD III"),
            ("This system was trained again, under attacks on its margin.", "Table 2", "RBC+AT (margin)", "PGD III"),
        )
    ),
    "regions": (
        LessonStep("TRA computes a score for each class and divides the plane into pieces. INT computes a single "
                   "number and places its classes along a line; between two classes the answer is None.", PLANES,
                   {"regions_set": "blobs", "regions_tasks": ["TRA", "INT"], "regions_field": "training loss",
                    "regions_noise": 0.06, "regions_point": 8, "regions_s": 350, "regions_eps": 0.25, "seed": 0,
                    "regions_form": "scaled"}, "flat"),
        LessonStep("The arrows climb the training loss. Where the colour is full there are no arrows: RBC's loss is "
                   "exactly 0 wherever every bit has reached its margin S. An attack on this loss cannot move "
                   "from there, but one on the margin can.", PLANES,
                   {"regions_tasks": ["TRA", "RBC"], "regions_revealed": True}, "flat"),
        LessonStep("Now the arrows follow an attack on the margin instead. The systems are the same; look for places "
                   "without arrows again.", PLANES,
                   {"regions_field": "margin"}, "flat"),
        LessonStep("Does a larger S help? Measured in units of S, the loss is the same function for every S.", PLANES,
                   {"regions_s": 1000, "regions_field": "training loss"}, "flat"),
        LessonStep("These points form spirals. All four systems have the same network and differ in how they answer.",
                   PLANES,
                   {"regions_set": "spirals", "regions_tasks": ["TRA", "DeepBE", "INT", "RBC"],
                    "regions_noise": 0.015, "regions_field": "training loss", "regions_point": 5, "regions_s": 350},
                   "flat"),
    ),
}
"""Slug of a page to the steps of its lesson; the page “Draw” has a second lesson for photographs."""


def values_of(lesson: Sequence[LessonStep], step: int) -> dict[str, Any]:
    """The values of all widgets that a step and the steps before it set."""
    values: dict[str, Any] = {}
    for each in lesson[: step + 1]:
        values |= each.values
    return values
