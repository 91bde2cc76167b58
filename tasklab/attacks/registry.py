"""The registered attacks by name, and the settings that each of them can be given.

A new attack is one file. Its settings are a frozen dataclass under `Settings`, decorated with `register`; its loop is a
generator, decorated with ``@loop.register`` (see `tasklab.attacks.candidates`). A file in this folder is imported
automatically; a file elsewhere has to be imported. Menus, the command line and scenarios list what is registered here.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, TypeVar

from tasklab.attacks.criteria import CRITERIA
from tasklab.attacks.objectives import OBJECTIVES
from tasklab.attacks.settings import Settings

ATTACKS: dict[str, type[Settings]] = {}
"""The settings of the registered attacks, by name and in the order of their rank."""

Kind = TypeVar("Kind", bound=type[Settings])


def register(kind: Kind) -> Kind:
    """Make an attack known by the name of its settings; a decorator of that class.

    Raises:
        TypeError: it is not a class under `Settings`.
        ValueError: another attack has that name, or the class has no ``note`` of its own.
    """
    if not (isinstance(kind, type) and issubclass(kind, Settings)):
        raise TypeError(f"expected a class under Settings, got {kind!r}; try class MyAttack(Settings)")
    name = kind.__name__
    taken = {known.lower(): other for known, other in ATTACKS.items()}.get(name.lower(), kind)
    if (taken.__module__, taken.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ValueError(f"expected a name that no attack has, got {name!r}; try another name")
    note = vars(kind).get("note")
    if not (isinstance(note, str) and note.strip()):
        raise ValueError(f"expected a note, one sentence about {name}, got none; try note: ClassVar[str] = \"…\"")
    ordered = sorted((ATTACKS | {name: kind}).items(), key=lambda item: item[1].rank)
    ATTACKS.clear()
    ATTACKS.update(ordered)
    return kind


def kind_of(attack: str | type[Settings]) -> type[Settings]:
    """The settings of an attack by its name, in upper or lower case.

    Raises:
        ValueError: there is no such attack.
    """
    if isinstance(attack, type):
        return attack
    kind = {name.lower(): kind for name, kind in ATTACKS.items()}.get(str(attack).lower())
    if kind is None:
        raise ValueError(f"expected an attack among {', '.join(ATTACKS)}, got {attack!r}; try 'PGD'")
    return kind


def fields_of(attack: str | type[Settings]) -> dict[str, dataclasses.Field[Any]]:
    """The settings that an attack can be given, by name.

    >>> "keep" in fields_of("PGD"), "keep" in fields_of("CW"), "objective" in fields_of("Noise")
    (True, False, False)
    """
    return {field.name: field for field in dataclasses.fields(kind_of(attack)) if field.init}


def default_of(attack: str | type[Settings], name: str) -> Any:
    """The value that a setting has if none is given; None if the attack does not have the setting.

    >>> default_of("CW", "norm"), default_of("PGD", "samples")
    ('l2', None)
    """
    return next((field.default for field in dataclasses.fields(kind_of(attack)) if field.name == name), None)


def choices(attack: str | type[Settings], name: str) -> tuple[Any, ...]:
    """The values that one of an attack's settings can have; empty if there is nothing to choose from.

    Every attack has a norm and a criterion; if either is fixed, its one value is returned.

    >>> choices("Square", "norm"), choices("CW", "norm"), choices("APGD", "keep"), choices("FAB", "keep")
    (('linf',), ('l2',), ('first', 'best'), ())
    """
    kind = kind_of(attack)
    if name not in fields_of(kind):
        return (default_of(kind, name),) if name in ("norm", "criterion") else ()
    known: dict[str, tuple[Any, ...]] = {
        "norm": kind.norms, "keep": kind.keeps, "criterion": CRITERIA,
        "objective": tuple(objective for objective in OBJECTIVES if objective not in kind.unfit),
        "targeted": (False, True), "random_start": (False, True),
    }
    return known.get(name, ())


def import_lines(attack: str | type[Settings], *others: str) -> list[str]:
    """Lines of Python that import an attack's settings, and other names of `tasklab.attacks`.

    >>> import_lines("PGD", "attack")
    ['from tasklab.attacks import PGD, attack']
    """
    kind, package = kind_of(attack), __name__.rpartition(".")[0]
    if getattr(sys.modules[package], kind.__name__, None) is kind:
        return [f"from {package} import {', '.join((kind.__name__, *others))}"]
    shared = [f"from {package} import {', '.join(others)}"] if others else []
    return [*shared, f"from {kind.__module__} import {kind.__name__}"]
