"""Settings of an attack from whatever is wanted of it: the one place where contradictions are settled, and said.

A page, a link and the command line hold one bag of values for every attack: a norm, a number of steps, an aim. Which of
them an attack has, and with which values, its settings know. `build` keeps what fits, settles what does not in the
nearest way there is, and says so in sentences for the person who asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasklab.attacks.apgd import APGD
from tasklab.attacks.criteria import CRITERIA
from tasklab.attacks.cw import CW
from tasklab.attacks.fab import FAB
from tasklab.attacks.hopskipjump import HopSkipJump
from tasklab.attacks.noise import Noise
from tasklab.attacks.objectives import OBJECTIVES, as_objective
from tasklab.attacks.pgd import FGSM, PGD
from tasklab.attacks.settings import Settings
from tasklab.attacks.square import Square
from tasklab.checks import as_whole
from tasklab.tasks import Task

ATTACKS: dict[str, type[Settings]] = {
    kind.__name__: kind for kind in (FGSM, PGD, APGD, Square, FAB, CW, HopSkipJump, Noise)
}
"""What can be asked for, by name."""

WORDS = {
    "steps": "steps", "step_size": "step size", "restarts": "restarts", "random_start": "random start", "keep": "keep",
    "objective": "objective", "norm": "norm", "criterion": "criterion", "targeted": "target", "seed": "seed",
}
"""What a person calls a setting."""

IDLE: dict[str, tuple[object, ...]] = {"random_start": (False,), "restarts": (1,), "targeted": (False,)}
"""Values that ask for nothing, so that an attack without the setting has nothing to leave out."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """An attack's settings, and what of the wishes did not fit.

    Attributes:
        settings: of the attack.
        sentences: one for each wish that was left out or settled otherwise.
    """

    settings: Settings
    sentences: tuple[str, ...] = ()


def kind_of(attack: str | type[Settings]) -> type[Settings]:
    """An attack's settings by its name, upper or lower case.

    Raises:
        ValueError: no such attack.
    """
    if isinstance(attack, type):
        return attack
    found = {name.lower(): kind for name, kind in ATTACKS.items()}.get(str(attack).lower())
    if found is None:
        raise ValueError(f"expected an attack among {', '.join(ATTACKS)}, got {attack!r}; try 'PGD'")
    return found


def fields_of(attack: str | type[Settings]) -> dict[str, dataclasses.Field[Any]]:
    """The settings that an attack can be given, by name.

    >>> "keep" in fields_of("PGD"), "keep" in fields_of("CW"), "objective" in fields_of("Noise")
    (True, False, False)
    """
    return {field.name: field for field in dataclasses.fields(kind_of(attack)) if field.init}


def fixed(attack: str | type[Settings], name: str) -> Any:
    """The value that a setting has where none is given; None where there is no such setting.

    >>> fixed("CW", "norm"), fixed("PGD", "samples")
    ('l2', None)
    """
    return next((field.default for field in dataclasses.fields(kind_of(attack)) if field.name == name), None)


def choices(attack: str | type[Settings], name: str) -> tuple[Any, ...]:
    """The values among which one of an attack's settings is chosen: none where it has no such choice.

    >>> choices("Square", "norm"), choices("CW", "norm"), choices("APGD", "keep"), choices("FAB", "keep")
    (('linf',), ('l2',), ('first', 'best'), ())
    """
    kind, given = kind_of(attack), fields_of(attack)
    if name == "norm":
        return kind.norms if name in given else (fixed(kind, name),)
    if name not in given:
        return ()
    known: dict[str, tuple[Any, ...]] = {"keep": getattr(kind, "keeps", ()), "criterion": CRITERIA,
                                         "objective": tuple(OBJECTIVES), "targeted": (False, True),
                                         "random_start": (False, True)}
    return known.get(name, ())


def build(attack: str | type[Settings], wanted: Mapping[str, Any], *, task: Task | None = None) -> Built:
    """The settings of an attack that come nearest to what is wanted.

    Args:
        attack: its name, or the class of its settings.
        wanted: values by the names of settings; what this attack does not have is left out, and said unless it asks for
            nothing.
        task: of the system that is to be attacked, where its objectives are to be checked.

    Returns:
        Settings, and a sentence for each wish that was not fulfilled to the letter.

    Raises:
        ValueError, TypeError: a value out of range, or a contradiction that has no nearest way, in one sentence.

    >>> build("Square", {"eps": 0.1, "norm": "l2", "steps": 50}).sentences
    ('Square measures ε in linf alone, so the norm is linf and not l2.',)
    >>> build("HopSkipJump", {"eps": 0.1, "objective": "train"}).sentences
    ('HopSkipJump has no objective; “train” is left out.',)
    >>> build("PGD", {"eps": 0.1, "steps": 5}).sentences
    ()
    """
    kind = kind_of(attack)
    known, said = fields_of(kind), list[str]()
    given = {name: value for name, value in wanted.items() if name in known}
    for name, value in wanted.items():
        if name not in known and not _idle(kind, name, value):
            said.append(_left_out(kind, name, value))
    _settle_choices(kind, given, said)
    _settle_restarts(kind, given, said)
    _settle_searches(kind, given, said)
    _settle_objective(kind, given, said)
    settings = kind(**given)
    if task is not None:
        as_objective(settings.objective).check(task)
    return Built(settings=settings, sentences=tuple(said))


def changed(settings: Settings, **changes: Any) -> Settings:
    """Settings with other values, as ``dataclasses.replace`` makes them, but settled as `build` settles them.

    >>> changed(Noise(eps=0.1), objective="train", eps=0.2).eps
    0.2
    """
    now = {name: getattr(settings, name) for name in fields_of(type(settings))}
    return build(type(settings), now | changes).settings


def _idle(kind: type[Settings], name: str, value: Any) -> bool:
    """Whether a wish for a setting that an attack does not have asks for nothing that it would not do anyway."""
    if value is None or any(value is idle or value == idle for idle in IDLE.get(name, ())):
        return True
    return name != "objective" and bool(fixed(kind, name) == value)


def _left_out(kind: type[Settings], name: str, value: Any) -> str:
    called, here = kind.__name__, WORDS.get(name, name)
    if name == "norm":
        own = fixed(kind, name)
        return f"{called} measures ε in {own} alone, so the norm is {own} and not {value}."
    if name == "targeted":
        return f"{called} has no target; any other class counts as a success."
    if name == "objective":
        return f"{called} has no objective; “{_named(value)}” is left out."
    if name == "steps":
        return f"{called} takes {fixed(kind, name)} step; {value} steps are left out."
    return f"{called} has no setting “{here}”; {value} is left out."


def _settle_choices(kind: type[Settings], given: dict[str, Any], said: list[str]) -> None:
    """A norm or an iterate that another attack has gives way to this one's nearest."""
    norm, keep = given.get("norm"), given.get("keep")
    if norm in ("linf", "l2") and norm not in kind.norms:
        given["norm"] = kind.norms[0]
        said.append(f"{kind.__name__} measures ε in {kind.norms[0]} alone, so the norm is {kind.norms[0]} and not "
                    f"{norm}.")
    if keep in PGD.keeps and kind.keeps and keep not in kind.keeps:
        given["keep"] = kind.keeps[-1]
        said.append(f"{kind.__name__} keeps the {' or the '.join(kind.keeps)} iterate, so it is the {kind.keeps[-1]} "
                    f"and not the {keep}.")


def _settle_restarts(kind: type[Settings], given: dict[str, Any], said: list[str]) -> None:
    """Several tries from one place would all be the same one."""
    restarts = as_whole(given.get("restarts"))
    if restarts is not None and restarts > 1 and "random_start" in fields_of(kind) and not given.get(
            "random_start", fields_of(kind)["random_start"].default):
        given["restarts"] = 1
        said.append(f"Without a random start {restarts} tries would all be the same, so {kind.__name__} makes one.")


def _settle_searches(kind: type[Settings], given: dict[str, Any], said: list[str]) -> None:
    """Each of CW's searches needs a step at least."""
    known = fields_of(kind)
    if "searches" not in known:
        return
    steps, searches = (as_whole(given.get(name, known[name].default)) for name in ("steps", "searches"))
    if steps is not None and searches is not None and 1 <= steps < searches:
        given["searches"] = steps
        said.append(f"{kind.__name__} shares its {steps} step{'s' * (steps > 1)} out among {searches} searches, which "
                    f"need one each, so it makes {steps} search{'es' * (steps > 1)}.")


def _settle_objective(kind: type[Settings], given: dict[str, Any], said: list[str]) -> None:
    """FAB's own objective, bits, leads to no target, and not to a class."""
    if not issubclass(kind, FAB):
        return
    named = given.get("objective", fields_of(kind)["objective"].default)
    if _named(named) != "bits":
        return
    if given.get("targeted"):
        if "objective" not in given:
            given["objective"] = "margin"
            said.append("FAB reaches a target by the margin and not by single bits, so it follows “margin”.")
    elif given.get("criterion") == "evaded":
        given["objective"] = "towards_code"
        said.append("Single bits may lead FAB to None, which is no success here, so it follows “towards_code” and not "
                    "“bits”.")


def _named(objective: Any) -> str:
    try:
        return as_objective(objective).name
    except (TypeError, ValueError):
        return str(objective)
