"""The words of the course: a glossary for the app and the notebooks, and names that readers meet elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from tasklab.course.references import PAPER, REFERENCES

TASKS = {
    "TRA": ("traditional classification", "One score for each class; the largest wins."),
    "DeepBE": ("deep binary encoding", "A few bits, each read as 1 above 0.5 and as 0 below."),
    "INT": ("interval-label classification", "One number on a line; each class has an interval, and a gap means None."),
    "RBC": ("robust binary-label classification", "A few bits read by their sign, trained to lie S away from 0."),
    "ECOC": ("error-correcting output codes", "More bits than needed; the nearest codeword wins."),
}
"""Short name of a task to its full name, and how it answers."""

WORDS = {
    "ε": "The largest change of a pixel that an attack may make; black is 0 and white is 1.",
    "threat model": "What an attacker wants, knows and may do. An accuracy under attack means nothing without it.",
    "adversarial example": "An image that an attacker has changed a little, so that a system misclassifies it.",
    "white box, black box": "White box: the attacker knows the whole network and its gradients. Black box: the "
                            "attacker sees nothing but its outputs.",
    "PGD": "Projected gradient descent: an attack that takes small steps along the gradient of what it is aimed at.",
    "training loss": "What training made small. The paper's attacks make it large again.",
    "margin": "The distance of the outputs from where the decision changes: positive while the image is classified "
              "correctly.",
    "gradient exactly 0": "Where a training loss is exactly 0 it has no gradient, and an attack on it has nothing to "
                          "follow. That is called gradient masking.",
    "adaptive attack": "An attack that was designed against one system, knowing how it defends itself. Here: one "
                       "that climbs the decision instead of the training loss.",
    "None": "The outputs belong to no class: an alarm rather than an answer.",
    "worst case found": "An image counts as correct only if none of several attacks fooled it. A better attack may "
                        "still find more, so it is an upper bound.",
    "an honest number": "The checks on the attack found nothing to say against the accuracy that it left. If the "
                        "attack itself failed, the verdict is “do not trust this number”.",
}
"""The meaning of each term."""


@dataclass(frozen=True, kw_only=True)
class Name:
    """An attack, a benchmark or a method that papers name without saying what it is.

    Attributes:
        says: what it is, and how it relates to this course.
        sources: keys of `REFERENCES`.
    """

    says: str
    sources: tuple[str, ...]


NAMES = {
    "FGSM": Name(says="The fast gradient sign method: one step of length ε along the sign of the gradient "
                      "(notebook 03).", sources=("goodfellow2015",)),
    "PGD": Name(says="Many short steps, each followed by the projection back into the ε-ball (notebook 03). The paper "
                     "cites the first for it; the second made it the usual test.",
                sources=("kurakin2017", "madry2018")),
    "CW, DeepFool": Name(says="Attacks that look for the *smallest* change that fools: CW minimises it together with a "
                              "margin, DeepFool walks to the boundary of a linear approximation (notebook 03).",
                         sources=("carlini2017", "moosavi2016")),
    "APGD": Name(says="Auto-PGD: PGD that chooses the length of its steps by itself, with no settings to get wrong. "
                      "tasklab has it for any objective.", sources=("croce2020",)),
    "DLR": Name(says="The difference of logits ratio: what APGD climbs besides cross-entropy. It is a margin divided "
                     "by another difference of scores, so that multiplying all scores changes nothing.",
                sources=("croce2020",)),
    "FAB, Square": Name(says="FAB is a minimum-norm attack like DeepFool, but stronger; Square is a random search that "
                             "sees nothing but scores (notebook 08).", sources=("croce2020fab", "andriushchenko2020")),
    "AutoAttack": Name(says="Four attacks in a fixed order: APGD on cross-entropy, APGD on DLR towards other classes, "
                            "FAB and Square. It is always the same, which makes papers comparable. It expects a score "
                            "for each class; a code needs a view such as `system.as_logits()`.",
                       sources=("croce2020",)),
    "RobustBench": Name(says="A public ranking of defences by their accuracy under AutoAttack, with their weights. It "
                             "refuses defences that it cannot judge, such as those that mask gradients.",
                        sources=("robustbench2021",)),
    "BPDA": Name(says="Backward pass differentiable approximation: where part of a defence has no useful gradient, run "
                      "it forwards as it is, and backwards through something smooth instead. Climbing a margin "
                      "where the training loss is flat follows the same idea.", sources=("athalye2018",)),
    "EOT": Name(says="Expectation over transformation: where a defence is random, or the world is, climb the mean over "
                     "many draws.", sources=("athalye2018eot",)),
    "adaptive attack": Name(says="An attack that is designed against one defence. Thirteen published defences fell to "
                                 "attacks that were designed for them.", sources=("tramer2020", "carlini2019")),
    "certified robustness": Name(says="A proof instead of a search: no image of the ball is misclassified. A "
                                      "certificate is a *lower* bound, and an attack gives an *upper* bound; the truth "
                                      "lies between them. No system of this course has a certificate.",
                                 sources=("wong2018", "gowal2018", "cohen2019")),
}
"""What each name stands for, in the order in which they build on each other."""


class Page:
    """Markdown that Jupyter shows as text.

    >>> print(Page("**a** word"))
    **a** word
    """

    def __init__(self, markdown: str) -> None:
        self.markdown = markdown

    def __str__(self) -> str:
        return self.markdown

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown


def tasks_markdown() -> str:
    """A list of the tasks."""
    return "\n".join(f"- **{name}**, {full_name}. {words}" for name, (full_name, words) in TASKS.items())


def words_markdown() -> str:
    """A list of the terms."""
    return "\n".join(f"- **{term}**: {words}" for term, words in WORDS.items())


def names_markdown() -> str:
    """A list of the names, each with its sources."""
    return "\n".join(f"- **{name}**: {each.says} " + " ".join(f"[{REFERENCES[key].short}]({REFERENCES[key].address})"
                                                              for key in each.sources) for name, each in NAMES.items())


def references_markdown() -> str:
    """A list of the publications that the names refer to, by author."""
    used = {key for each in NAMES.values() for key in each.sources} | {PAPER}
    return "\n".join(f"- {reference.markdown}" for key, reference in sorted(
        REFERENCES.items(), key=lambda item: item[1].authors) if key in used)


def glossary() -> Page:
    """The tasks and the terms of the course, as a page for a notebook."""
    return Page(f"{tasks_markdown()}\n\n{words_markdown()}")


def reading() -> Page:
    """Names that readers meet in the literature, with their meanings and sources, as a page for a notebook."""
    return Page(f"{names_markdown()}\n\n{references_markdown()}")
