"""The scenes of the menu “Scenes”: named views of pages that are worth showing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class MenuScene:
    """A page, and values for its widgets.

    Attributes:
        name: as in the menu.
        words: the sentence shown above the page while the scene is open.
        page: slug of the page.
        values: widget key to value; every other widget is set to its value in `BEGINNING`.
    """

    name: str
    words: str
    page: str
    values: dict[str, Any]


SCENES = (
    MenuScene(name="The invisible 9 → 8", page="attack_lab",
          words="No pixel changes by more than 3 % of the way from black to white, yet the 9 is read as an 8.",
          values={"image": 356, "eps": 0.03, "target": "8"}),
    MenuScene(name="RBC looks unbreakable", page="attack_lab",
          words="The paper's attack climbs the training loss, but for RBC the gradient of that loss is exactly 0 here.",
          values={"margin": False, "systems": ["tra", "rbc"]}),
    MenuScene(name="… until you ask the right question", page="attack_lab",
          words="In the second row the same attack aims at the decision.", values={"systems": ["tra", "rbc"]}),
    MenuScene(name="The plane around an 8", page="attack_lab",
          words="Where the colour is full, the training loss is exactly flat, and an attack on it stays where it is. "
                "Drag the point to the right, and the image is no longer read as an 8.",
          values={"systems": ["rbc"], "view": "the plane around the image"}),
    MenuScene(name="S does not matter", page="outputs",
          words="A larger S (10, 100, 350) moves the whole histogram, but an attack on the decision leaves almost the "
                "same accuracy.",
          values={"systems": ["rbc-s10", "rbc-s100", "rbc"], "objective": "margin"}),
    MenuScene(name="Black box beats white box", page="attack_lab",
          words="HopSkipJump sees only the labels, yet it fools systems that an attack with access to every gradient "
                "could not.",
          values={"attack": "HopSkipJump", "steps": 10, "margin": False}),
    MenuScene(name="One level of 255", page="attack_lab",
          words="No colour of any pixel in this photograph changes by more than 1 of 255 levels. The training loss of "
                "two systems has no gradient here; under the attack on the decision, none of the four reads a deer.",
          values={"data": "cifar10", "image": 94, "eps": 1 / 255, "n": 50}),
)
"""All scenes, in the order of the menu."""

BEGINNING: dict[str, Any] = {
    "data": "digits", "image": 54, "systems": ["tra", "deepbe", "int", "rbc"], "seed": 0, "n": 200, "eps": 0.2,
    "attack": "PGD", "steps": 10, "step": None, "norm": "linf", "start": False, "restarts": 1,
    "criterion": "misclassified", "target": "any other", "keep": "best", "objective": "margin",
    "train": True, "margin": True, "view": "ε to drag",
}
"""Widget key to value when the app is first opened; the objectives not listed here are off."""
