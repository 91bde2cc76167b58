"""The parts of the course in one list: each page of the app has a notebook, and each notebook links to a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Part:
    """One page, one notebook, or both.

    Attributes:
        notebook: file name without the suffix.
        block: number of the block that it belongs to, 1 to 4; the sessions in class are in `tasklab.course.plan`.
        minutes: duration, exercises and questions included.
        page: slug of the page: the name of its file, and its URL in the app.
        title: of the page and the notebook.
        own: whether this is the main notebook of the page, rather than a further one.
    """

    notebook: str
    block: int
    minutes: int
    page: str
    title: str
    own: bool = True


COURSE = (
    Part(notebook="00_tour", block=1, minutes=25, page="start", title="Start"),
    Part(notebook="01_codecs_and_losses", block=1, minutes=45, page="codecs", title="Codecs"),
    Part(notebook="02_training", block=1, minutes=50, page="train", title="Train"),
    Part(notebook="03_attacks_from_scratch", block=1, minutes=50, page="attack_lab", title="Attack lab"),
    Part(notebook="04_decision_outputs", block=2, minutes=35, page="outputs", title="Outputs"),
    Part(notebook="05_feature_maps", block=2, minutes=50, page="feature_map", title="Feature map"),
    Part(notebook="06_transfer", block=2, minutes=40, page="transfer", title="Transfer"),
    Part(notebook="07_effect_of_s", block=2, minutes=45, page="train", title="The effect of S", own=False),
    Part(notebook="08_is_it_really_robust", block=3, minutes=60, page="robust", title="Really robust?"),
    Part(notebook="09_adversarial_training", block=3, minutes=60, page="train",
         title="Adversarial training", own=False),
    Part(notebook="10_decision_regions", block=3, minutes=45, page="regions", title="Regions"),
    Part(notebook="11_bring_your_own", block=3, minutes=60, page="draw", title="Draw"),
    Part(notebook="12_the_paper", block=3, minutes=60, page="paper", title="Paper"),
    Part(notebook="13_which_system", block=3, minutes=30, page="systems", title="Systems"),
    Part(notebook="14_review_this_defence", block=4, minutes=90, page="robust", title="Review this defence", own=False),
)
"""All parts, in the order in which they are taught."""

PAGES = {
    "start": "",
    "codecs": "How a network says 3: bars, bits, a line. Drag an output and read it.",
    "attack_lab": "Drag ε, step through PGD, watch the marker cross the line.",
    "robust": "Guess how much is left, then ask the right question.",
    "systems": "All trained systems, ranked, and a page on each of them.",
    "outputs": "Where all the outputs lie, before and after. What S does.",
    "feature_map": "A map of what a network sees, forming before your eyes.",
    "transfer": "Which systems are fooled by images made for another one.",
    "train": "Train your own S in seconds, then attack it.",
    "draw": "Your own handwriting, classified and then attacked.",
    "paper": "The paper's tables beside what is measured here.",
    "regions": "Decisions as colours in the plane, trained live.",
    "room": "A class draws on its phones, guesses, and sees its handwriting attacked.",
}
"""Slug of each page, in the app's order, to the sentence with which the start page links to it.

A new page is three files: the page in ``app/app_pages``, its notebook, and this one, with its slug here and its `Part`
in `COURSE`; a page that teaches nothing a notebook could repeat has its title in `ALONE` instead.
"""

ALONE = {"room": "Room"}
"""Slug of each page that has no notebook, to its title."""


def title_of(page: str) -> str:
    """The title of a page: that of its main notebook, if it has one.

    >>> title_of("robust"), title_of("room")
    ('Really robust?', 'Room')
    """
    return ALONE[page] if page in ALONE else notebook_of(page).title


def notebook_of(page: str) -> Part:
    """The part with the main notebook of a page.

    >>> notebook_of("robust").notebook
    '08_is_it_really_robust'
    """
    return next(part for part in COURSE if part.own and part.page == page)


def notebooks_of(page: str) -> tuple[str, ...]:
    """The names of all notebooks that link to a page, the main one first.

    >>> notebooks_of("train")
    ('02_training', '07_effect_of_s', '09_adversarial_training')
    """
    parts = sorted((part for part in COURSE if part.page == page), key=lambda part: not part.own)
    return tuple(part.notebook for part in parts)
