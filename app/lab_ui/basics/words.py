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
    "train": "The system's own training loss, as in the paper. The attack makes it larger, whatever the decision says.",
    "margin": "The adaptive question: shrink the distance to where the label changes, whatever the training loss says.",
    "bits": "One attack per bit (TRA: per rival class, INT: per end of the interval); the best one counts.",
    "soft_margin": "The margin with its corners rounded off, so that a plateau between two bits is no obstacle.",
    "sum_bits": "All bits together: the sum of their distances instead of the smallest one.",
    "towards_code": "Towards every other class in turn; the best one counts. It lands on a class, not on None.",
    "up": "Push INT's single output to larger numbers: a number always has a gradient.",
    "down": "Push INT's single output to smaller numbers: a number always has a gradient.",
    "unclipped": "RBC's training loss with ten times the S, so that it is not yet zero on a well-fitted image.",
    "dlr": "AutoAttack's difference of scores over their spread, None counted as a class: free of any scale.",
}

TARGETED = {
    "train": ("the training loss of the target",
              "The training loss that the system would have if the target were the label; it is made smaller."),
    "margin": ("the margin of the target",
               "How far the outputs are from being read as the target; positive once they are."),
    "soft_margin": ("the softened margin of the target", "The margin of the target with its corners rounded off."),
    "sum_bits": ("all bits of the target",
                 "All bits together, towards the target's codeword: the sum of their distances."),
    "unclipped": ("the un-clipped loss of the target",
                  "RBC's loss with ten times the S, as if the target were the label. The attack makes it smaller."),
    "dlr": ("AutoAttack's ratio for the target",
            "How far the target's score lies above all others, over their spread."),
}
"""Objective to its name and a sentence about it, for attacks that aim at a target class."""

HELP = {
    "dataset": "Digits (8×8 pixels) come with the library. MNIST (28×28), CIFAR-10 and CIFAR-100 "
    "(photographs in 10 and in 100 classes, 32×32 in colour) are downloaded once, if you ask for them.",
    "systems": "The same kind of network, trained for four kinds of answer. Pick any number; each gets a column.",
    "image": "The image's number in the test set: no system has seen it in training.",
    "only": "The two buttons jump to the next image of this class.",
    "aims": "What the attack tries to bring about. Each aim gets a row; nothing else differs between the rows.",
    "attack": "How the change is searched for; the line below explains the chosen attack.",
    "n": "How many images are attacked: the first ones of the test set. More of them take longer and make the interval "
    "narrower.",
    "eps": "How much any pixel may change (0 is black, 1 is white). The paper uses 0.1, 0.2 and 0.3 on MNIST, "
    "3/255, 6/255 and 9/255 on CIFAR: one level of the 255 of a photograph is 0.004. In the L2 norm ε is the length "
    "of the whole change, which grows with the number of pixels.",
    "steps": "How many steps the attack takes, or how many changes it tries if it searches at random.",
    "step": "How far one step goes. Empty: 2.5·ε/steps, enough to cross the ball and turn around.",
    "norm": "What ε measures: the largest change of a pixel (linf), or the length of the whole change (l2).",
    "start": "Begin at a random point of the ball. Off: begin at the image, as in the paper's PGD.",
    "restarts": "How many random starts; the best result counts.",
    "criterion": "misclassified: any other answer is a success, None included. evaded: only another class is "
    "(None raises an alarm, so the attack is noticed).",
    "target": "“any other” accepts every wrong answer; a class makes the attack aim at exactly that one.",
    "keep": "Which image the attack returns: the best of all steps, the last one (as published), or the first "
    "that succeeds.",
    "seed": "Fixes the random starts: the same seed gives the same image.",
    "margin": "The margin is the distance, in units of the outputs, to where the answer would stop being the label: "
    "positive while the label is read, negative once it is lost. It is the smallest of the system's conditions "
    "(its worst bit, its nearer interval end, its closest rival).",
    "badge": "What stands behind this row: how many images, how many steps from how many starts, and for how many "
    "systems the gradient was exactly 0 at every step, so that the attack had nothing to follow. One image proves "
    "nothing about a system; it shows what can happen.",
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
