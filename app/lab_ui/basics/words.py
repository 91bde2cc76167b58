"""Names of systems, aims and attacks as pages show them, and the sentences that explain them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from urllib.parse import urlencode

from tasklab.attacks import ATTACKS
from tasklab.codecs import ABNORMAL
from tasklab.experiments.scenario import Scenario
from tasklab.tasks import TASKS

NETWORKS = {"efficientnet": "EfficientNet"}
"""Prefix of a system's short name to the name of its network; without a prefix it is the small network."""

SYSTEMS = {name: kind.title for name, kind in TASKS.items()}
VARIANTS = {
    "at": "trained under attack",
    "at-train": "trained under attacks on its training loss",
    "at-margin": "trained under attacks on its margin",
    "at-contrast": "trained under attacks on its margin, contrast stretched",
    "contrast": "contrast stretched",
    "gn": "trained on noise",
    "hinge": "hinge loss",
}

GAPS = {"None": "abnormal", "class below": "floor"}
"""What an output in a gap between INT's intervals means, to the name of the rule."""

GAP_HELP = ("What an output in a gap means. The paper has two rules: it means None, or it means the class below the "
            "gap, and then INT never answers None between two classes.")

AIMS = {
    "train": "the training loss",
    "margin": "the decision margin",
    "bits": "each bit in turn",
    "soft_margin": "the softened margin",
    "sum_bits": "the sum of the bits",
    "towards_code": "another class's codeword",
    "up": "larger outputs",
    "down": "smaller outputs",
    "unclipped": "the training loss with a larger S",
    "dlr": "AutoAttack's ratio",
}
"""Objective to its name in a sentence, to be read after “aimed at”."""

AIM_NOTES = {
    "train": "The loss that the system was trained with, as in the paper. The attack makes it larger, whether or not "
    "that changes the decision.",
    "margin": "The distance of the outputs from where the label changes. The attack makes it smaller, whatever the "
    "training loss is; an attack that is fitted to the decision in this way is called adaptive.",
    "bits": "One attack for each bit (for TRA, for each rival class; for INT, for each end of the interval). The most "
    "successful one counts.",
    "soft_margin": "The margin with its corners rounded off, so that the attack is not held up where two bits are "
    "equally close to changing.",
    "sum_bits": "All bits at once: the sum of their distances instead of the smallest one.",
    "towards_code": "The attack moves towards each other class in turn, and the most successful attempt counts. It "
    "ends at a class, not at None.",
    "up": "Makes INT's single output larger. Unlike the training loss, the output itself always has a gradient.",
    "down": "Makes INT's single output smaller. Unlike the training loss, the output itself always has a gradient.",
    "unclipped": "RBC's training loss with S ten times as large, so that it is not 0 even for an image that the system "
    "has learned well.",
    "dlr": "The difference between two scores, divided by the spread of all scores, where None counts as a class. It "
    "does not depend on the scale of the outputs.",
}

TARGETED = {
    "train": ("the training loss of the target",
              "The training loss that the system would have if the target were the label. The attack makes it "
              "smaller."),
    "margin": ("the margin of the target",
               "How far the outputs are from being read as the target. It is positive once they are."),
    "soft_margin": ("the softened margin of the target", "The margin of the target with its corners rounded off."),
    "sum_bits": ("all bits of the target",
                 "All bits at once, towards the target's codeword: the sum of their distances."),
    "unclipped": ("the un-clipped loss of the target",
                  "RBC's loss with ten times the S, as if the target were the label. The attack makes it smaller."),
    "dlr": ("AutoAttack's ratio for the target",
            "How far the target's score lies above all others, divided by the spread of the scores."),
}
"""Objective to its name and a sentence about it, for attacks that aim at a target class."""

HELP = {
    "dataset": "The images that this page is about. The digits (8×8 pixels) come with the library; MNIST (28×28 "
    "pixels), CIFAR-10 and CIFAR-100 (colour photographs of 32×32 pixels in 10 and in 100 classes) are downloaded "
    "once, when you ask for them. Choose another data set to see whether the same holds for other images.",
    "systems": "The trained systems to compare; add and remove as many as you like. They differ in the kind of answer "
    "that they give and in how they were trained.",
    "image": "The number of the image in the test set, which no system has seen in training. Choose another image to "
    "see whether the same happens to it.",
    "only": "Choose a class, and the two buttons go to the previous and the next image of that class.",
    "aims": "What the attack tries to change. Compare several aims: nothing else about the attack differs, and one aim "
    "may succeed where another has no gradient to follow.",
    "attack": "The method that searches for a change of the image that fools the system. The line below explains the "
    "one that is chosen. Try others, since one attack may succeed where another fails.",
    "n": "How many images are attacked, counted from the beginning of the test set. With more images the attack takes "
    "longer, but the intervals become narrower.",
    "eps": "The most that the attack may change any pixel (0 is black, 1 is white). A larger ε makes the attack "
    "stronger, but the change easier to see. The paper uses 0.1, 0.2 and 0.3 on MNIST and 3/255, 6/255 and 9/255 on "
    "CIFAR; one of the 255 levels of a photograph is 0.004. In the L2 norm, ε is the length of the whole change, which "
    "grows with the number of pixels.",
    "steps": "How many steps the attack takes or, if it searches at random, how many changes it tries. More steps make "
    "it stronger and slower.",
    "step": "How far the attack moves in one step. If the field is empty, that is 2.5·ε/steps, enough to go from one "
    "end of what ε allows to the other and to turn around. Smaller steps are finer but may not get as far.",
    "norm": "How ε is measured: as the largest change of any pixel (linf) or as the length of the whole change (l2). "
    "With l2, an attack can change a few pixels a lot.",
    "start": "If this is on, the attack begins at a random point within ε of the image, which helps where the gradient "
    "at the image itself leads nowhere. If it is off, the attack begins at the image, as in the paper's PGD.",
    "restarts": "How many random starts the attack makes. The best result counts, so more of them make the attack "
    "stronger and slower.",
    "criterion": "When the attack has succeeded. misclassified: when the system gives any other answer, None included. "
    "evaded: only when it names another class, because None raises an alarm and the attack is noticed.",
    "target": "The answer that the attack is after. With “any other”, every wrong answer counts as a success; choose a "
    "class to make the attack aim at exactly that class, which is harder.",
    "keep": "Which image the attack returns: that of its best step, that of its last step (as published), or that of "
    "the first step that succeeds. The best step makes the attack strongest.",
    "seed": "Fixes all random numbers, so that the same seed gives the same result. Change it to see how much a result "
    "depends on chance.",
    "margin": "The margin says how far the outputs are, in their own units, from where the answer would no longer be "
    "the label. It is positive while the answer is the label and negative once it is not. It is the smallest of the "
    "system's conditions: its worst bit, the nearer end of its interval, or its closest rival.",
    "badge": "How the numbers here were measured: how many images were attacked, with how many steps from how many "
    "starts, and how often the gradient was exactly 0 at every step, so that the attack had nothing to follow. One "
    "image proves nothing about a system; it only shows what can happen.",
}


def aim_words(attack: str, aim: str, *, targeted: bool = False) -> tuple[str, str]:
    """What an attack is aimed at, and a sentence about it.

    Args:
        attack: its name.
        aim: its objective.
        targeted: whether it aims at a target class.

    >>> aim_words("PGD", "margin")[0], aim_words("HopSkipJump", "label")[0]
    ('the decision margin', 'the label alone')
    >>> aim_words("PGD", "train", targeted=True)[0]
    'the training loss of the target'
    """
    fixed = ATTACKS[attack].fixed_aim if attack in ATTACKS else None
    if targeted and aim in TARGETED and fixed is None:
        return TARGETED[aim]
    return fixed or (AIMS.get(aim, f"“{aim}”"), AIM_NOTES.get(aim, ""))


def aimed(scenario: Scenario, aim: str) -> tuple[str, str]:
    """What a scenario's attack really follows when it is asked to follow an objective, and a sentence about it.

    >>> aimed(Scenario(attack="FAB"), "train")[0], aimed(Scenario(attack="Noise"), "train")[0]
    ('each bit in turn', 'nothing')
    """
    return aim_words(scenario.attack, scenario.climbed(aim), targeted=scenario.targeted)


def title(key: str) -> str:
    """A system's heading, made from its short name.

    >>> title("rbc-s100"), title("tra-at"), title("my-own"), title("efficientnet-rbc")
    ('RBC, S = 100', 'TRA, trained under attack', 'my-own', 'RBC, EfficientNet')
    """
    network, _, rest = key.partition("-")
    if network in NETWORKS and title(rest) != rest:
        return f"{title(rest)}, {NETWORKS[network]}"
    base, _, variant = key.partition("-")
    if base not in SYSTEMS:
        return key
    if not variant:
        return SYSTEMS[base]
    if variant[0] == "s" and variant[1:].isdigit():
        return f"{SYSTEMS[base]}, S = {variant[1:]}"
    return f"{SYSTEMS[base]}, {VARIANTS[variant]}" if variant in VARIANTS else key


def subject(key: str) -> str:
    """The heading as the subject of a sentence: with a comma after what stands behind a comma.

    >>> subject("tra"), subject("tra-at")
    ('TRA', 'TRA, trained under attack,')
    """
    words = title(key)
    return f"{words}," if "," in words else words


def page_of(name: str) -> str:
    """The address of the page on a system, relative to any other page.

    >>> page_of("digits-rbc")
    'systems?system=digits-rbc'
    """
    return f"systems?{urlencode({'system': name})}"


def linked(name: str, words: str) -> str:
    """The name of a system as a link to its page; HTML.

    Args:
        name: its full name.
        words: its name as it is shown; plain text.

    >>> linked("digits-rbc", "RBC")
    '<a href="systems?system=digits-rbc" target="_self">RBC</a>'
    """
    return f'<a href="{html.escape(page_of(name))}" target="_self">{html.escape(words)}</a>'


def number(value: float) -> str:
    """A number for people: whole from 10 upwards, else two digits; no exponent, a real minus sign.

    >>> number(-1034.2), number(0.05171), number(352.4), number(0.0)
    ('−1,034', '0.052', '352', '0')
    """
    text = f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"
    return text.replace("-", "−")


def read(decoded: int, names: Sequence[str] | None = None) -> str:
    """A decoded label as text: the name of its class where ``names`` are given, else its number, or “None”.

    >>> read(3), read(3, ("airplane", "automobile", "bird", "cat")), read(-1)
    ('3', 'cat', 'None')
    """
    return "None" if decoded == ABNORMAL else str(decoded) if names is None else names[decoded]
