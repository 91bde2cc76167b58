"""Named scenes: whole scenarios that are worth showing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A page and the values of its link."""

    name: str
    words: str
    page: str
    query: Mapping[str, str | Sequence[str]]


SCENES = (
    Scene(name="RBC looks unbreakable", page="attack_lab",
          words="The paper's attack climbs the training loss, and the gradient is exactly zero.",
          query={"margin": "false", "systems": ["tra", "rbc"]}),
    Scene(name="… until you ask the right question", page="attack_lab",
          words="The same attack, aimed at the decision.", query={"systems": ["tra", "rbc"]}),
)
