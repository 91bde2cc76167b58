"""Settings of an attack from any set of requested values; each value that cannot be met is reported in a sentence.

A page, a link and the command line hold one set of values for every attack: a norm, a number of steps, an objective.
`build` keeps the values that the chosen attack can have, replaces the others by the nearest that it can have, and
returns a sentence about each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from tasklab.attacks.objectives import as_objective, name_of
from tasklab.attacks.registry import default_of, fields_of, kind_of
from tasklab.attacks.settings import Keep, Norm, Settings
from tasklab.checks import as_whole
from tasklab.tasks import Task

WORDS = {
    "steps": "steps", "step_size": "step size", "restarts": "restarts", "random_start": "random start", "keep": "keep",
    "objective": "objective", "norm": "norm", "criterion": "criterion", "targeted": "target", "seed": "seed",
}
"""The name of each setting in a sentence."""

IDLE: dict[str, tuple[object, ...]] = {"random_start": (False,), "restarts": (1,), "targeted": (False,)}
"""Values that make no difference to an attack without the setting."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """An attack's settings, and which of the requested values they do not have.

    Attributes:
        settings: of the attack.
        sentences: one for each requested value that was left out or replaced.
    """

    settings: Settings
    sentences: tuple[str, ...] = ()


def build(attack: str | type[Settings], wanted: Mapping[str, Any], *, task: Task | None = None) -> Built:
    """The settings of an attack that are nearest to what is wanted.

    Args:
        attack: its name, or the class of its settings.
        wanted: values by the names of settings. Those that this attack does not have are left out, which is reported
            unless the value makes no difference.
        task: of the system to be attacked; if it is given, it is checked that it has the objective.

    Returns:
        The settings, and a sentence for each requested value that was left out or replaced.

    Raises:
        ValueError, TypeError: a value out of range, or a contradiction that cannot be resolved, in one sentence.

    >>> build("Square", {"eps": 0.1, "norm": "l2", "steps": 50}).sentences
    ('Square measures ε in linf alone, so the norm is linf and not l2.',)
    >>> build("HopSkipJump", {"eps": 0.1, "objective": "train"}).sentences
    ('HopSkipJump has no objective; “train” is left out.',)
    >>> build("PGD", {"eps": 0.1, "steps": 5}).sentences
    ()
    """
    kind = kind_of(attack)
    known = fields_of(kind)
    given = {name: value for name, value in wanted.items() if name in known}
    sentences = [_left_out(kind, name, value) for name, value in wanted.items()
                 if name not in known and not _makes_no_difference(kind, name, value)]
    sentences += _settle_choices(kind, given)
    sentences += _settle_restarts(kind, given)
    sentences += kind.settle(given)
    settings = kind(**given)
    if task is not None:
        as_objective(settings.objective).check(task)
    return Built(settings=settings, sentences=tuple(sentences))


def changed(settings: Settings, **changes: Any) -> Settings:
    """Settings with some values changed, as by ``dataclasses.replace``, and contradictions resolved as by `build`.

    >>> from tasklab.attacks import Noise
    >>> changed(Noise(eps=0.1), objective="train", eps=0.2).eps
    0.2
    """
    present = {name: getattr(settings, name) for name in fields_of(type(settings))}
    return build(type(settings), present | changes).settings


def _makes_no_difference(kind: type[Settings], name: str, value: Any) -> bool:
    """Whether an attack that lacks the setting does anyway what this value asks for."""
    if value is None or any(value is idle or value == idle for idle in IDLE.get(name, ())):
        return True
    return name != "objective" and bool(default_of(kind, name) == value)


def _left_out(kind: type[Settings], name: str, value: Any) -> str:
    """A sentence about a value of a setting that an attack does not have."""
    attack, only = kind.__name__, default_of(kind, name)
    if name == "norm":
        return _other_norm(kind, only, value)
    if name == "targeted":
        return f"{attack} has no target; any other class counts as a success."
    if name == "objective":
        return f"{attack} has no objective; “{name_of(value)}” is left out."
    if name == "steps":
        return f"{attack} takes {only} step; {value} steps are left out."
    return f"{attack} has no setting “{WORDS.get(name, name)}”; {value} is left out."


def _other_norm(kind: type[Settings], norm: str, wanted: object) -> str:
    return f"{kind.__name__} measures ε in {norm} alone, so the norm is {norm} and not {wanted}."


def _settle_choices(kind: type[Settings], given: dict[str, Any]) -> list[str]:
    """Replace a norm or a choice of iterate that only other attacks have by one of this attack's own."""
    sentences = []
    norm, keep = given.get("norm"), given.get("keep")
    if norm in get_args(Norm) and norm not in kind.norms:
        given["norm"] = kind.norms[0]
        sentences.append(_other_norm(kind, kind.norms[0], norm))
    if keep in get_args(Keep) and kind.keeps and keep not in kind.keeps:
        given["keep"] = kind.keeps[-1]
        sentences.append(f"{kind.__name__} returns the {' or the '.join(kind.keeps)} image of its steps, here "
                         f"the {kind.keeps[-1]} and not the {keep} one.")
    return sentences


def _settle_restarts(kind: type[Settings], given: dict[str, Any]) -> list[str]:
    """Replace several restarts without a random start by one, since all of them would be the same."""
    known, restarts = fields_of(kind), as_whole(given.get("restarts"))
    if restarts is None or restarts <= 1 or "random_start" not in known:
        return []
    if given.get("random_start", known["random_start"].default):
        return []
    given["restarts"] = 1
    return [f"Without a random start {restarts} tries would all be the same, so {kind.__name__} makes only one."]
