"""A scenario: one experiment as plain values, which mean the same in a link, a snippet, a page and a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tasklab import data, zoo
from tasklab.attacks import OBJECTIVES, AttackResult, Settings, attack
from tasklab.attacks.building import Built, build
from tasklab.attacks.criteria import Criterion
from tasklab.attacks.objectives import as_objective
from tasklab.attacks.registry import ATTACKS, choices, default_of, fields_of, import_lines, kind_of
from tasklab.attacks.settings import Keep, Norm
from tasklab.checks import as_number, as_whole, check_switch, keep
from tasklab.data.info import info_of, radii_of
from tasklab.data.radii import Radii, eps_said
from tasklab.tasks import Task

HERE = "http://localhost:8501"
"""Where the app answers if it was started on this machine, with no other port."""

__all__ = ["ATTACKS", "KEYS", "PLAIN", "Scenario"]

KEYS = {"step": "step_size", "start": "random_start"}
"""Names in links that are shorter than the fields they stand for."""

PLAIN = ("data", "image", "attack", "eps", "steps", "step", "norm", "start", "restarts", "criterion", "target", "keep",
         "seed", "n")
"""The names in a link, but for systems and objectives."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One image, some systems, one attack, aimed at some objectives.

    Args:
        data: name of the data set.
        image: the image's place in its test split.
        systems: names in the zoo; by default four systems of the data set.
        attack: a name of `ATTACKS`.
        objectives: what the attack maximises, one after the other, where it maximises anything; see `aims`.
        eps: of the attack; by default the one that is usual for the data set and the norm.
        steps, step_size, norm, random_start, restarts, criterion, keep, seed: of the attack, where it has them; what
            contradicts it is settled by `tasklab.attacks.building.build`, and said in `sentences`.
        target: the class to reach, None for any other.
        n: how many images, where many are looked at.

    >>> Scenario(eps=0.1, systems=("digits-rbc",)).link("outputs")
    'http://localhost:8501/outputs?eps=0.1&systems=rbc'
    >>> Scenario(data="mnist").systems[0], Scenario(data="cifar10").eps == 8 / 255
    ('mnist-tra', True)
    """

    data: str = "digits"
    image: int = 54
    systems: tuple[str, ...] = ("digits-tra", "digits-deepbe", "digits-int", "digits-rbc")
    attack: str = "PGD"
    objectives: tuple[str, ...] = ("train", "margin")
    eps: float = None  # type: ignore[assignment]  # a number once it is made
    steps: int = 10
    step_size: float | None = None
    norm: Norm = "linf"
    random_start: bool = False
    restarts: int = 1
    criterion: Criterion = "misclassified"
    target: int | None = None
    keep: Keep = "best"
    seed: int = 0
    n: int = 200

    def __post_init__(self) -> None:
        if self.systems == Scenario.systems:
            own = tuple(name.replace("digits", self.data, 1) for name in self.systems)
            object.__setattr__(self, "systems", own)
        keep(self, attack=self.kind.__name__)
        if self.eps is None:
            keep(self, eps=self.radii.usual)
        for name, plain in (("image", as_whole), ("steps", as_whole), ("restarts", as_whole), ("seed", as_whole),
                            ("n", as_whole), ("eps", as_number), ("target", as_whole), ("step_size", as_number)):
            value = getattr(self, name)
            if value is not None or name not in ("target", "step_size"):
                number = plain(value)
                if number is None:
                    kind = "an integer" if plain is as_whole else "a number"
                    raise ValueError(f"expected {name} as {kind}, got {value!r}; try {getattr(Scenario, name)!r}")
                keep(self, **{name: number})
        keep(self, random_start=check_switch("random_start", self.random_start))

    @property
    def kind(self) -> type[Settings]:
        """The class of the attack's settings.

        Raises:
            ValueError: there is no such attack.
        """
        return kind_of(self.attack)

    @property
    def radii(self) -> Radii:
        """The usual ε of the data set, in the norm that the attack uses."""
        norms = choices(self.attack, "norm")
        return radii_of(self.data, self.norm if self.norm in norms else norms[0])

    @property
    def aims(self) -> tuple[str, ...]:
        """What the attack maximises, one after the other; one name alone where it has no objective to choose.

        >>> Scenario().aims, Scenario(attack="HopSkipJump").aims
        (('train', 'margin'), ('label',))
        """
        if "objective" in fields_of(self.attack):
            return self.objectives
        return (as_objective(default_of(self.attack, "objective")).name,)

    @property
    def sentences(self) -> tuple[str, ...]:
        """A sentence about each value of the scenario that the attack cannot have, and what replaces it.

        >>> Scenario(attack="CW", steps=3, norm="l2").sentences
        ('CW shares its 3 steps out among 6 searches, which need one each, so it makes 3 searches.',)
        """
        sentences = dict[str, None]()
        for aim in self.aims:
            try:
                sentences |= dict.fromkeys(self.build(aim).sentences)
            except ValueError:  # the attack itself will say so
                continue
        return tuple(sentences)

    def build(self, objective: str, *, task: Task | None = None) -> Built:
        """The attack's settings for one objective, and sentences on what was settled.

        Raises:
            ValueError: a contradiction that cannot be settled, such as a target for an objective that has none.
        """
        return build(self.attack, self._wanted(objective), task=task)

    def settings(self, objective: str) -> Settings:
        """The settings of `build` alone."""
        return self.build(objective).settings

    def run(self) -> dict[tuple[str, str], AttackResult]:
        """The attack on the image: each system under each objective.

        Raises:
            ValueError: a system, an image or a setting that is not there.
        """
        test = data.load(self.data, "test")
        if not 0 <= self.image < len(test):
            raise ValueError(f"expected image in 0..{len(test) - 1}, got {self.image}")
        x, y = test.x(self.image), test.labels[self.image : self.image + 1]
        targets = y.new_tensor([self.target]) if self.targeted else None
        return {
            (name, objective): attack(zoo.load(name), x, y, self.settings(objective), targets=targets)
            for objective in self.aims for name in self.systems
        }

    def to_query(self) -> dict[str, str | list[str]]:
        """The values of a link that differ from the defaults."""
        defaults, query = Scenario(), dict[str, str | list[str]]()
        usual, classes = self.radii.usual, info_of(self.data).classes
        other = self.data != defaults.data  # which opens with an image and a number of images of its own
        for key in PLAIN:
            name = KEYS.get(key, key)
            value = getattr(self, name)
            if value != (usual if key == "eps" else getattr(defaults, name)) or (key in ("image", "n") and other):
                named = classes[value] if key == "target" and value in range(len(classes)) else str(value)
                query[key] = named.lower() if isinstance(value, bool) else named
        keys = [name.removeprefix(f"{self.data}-") for name in self.systems]
        if keys != [name.removeprefix("digits-") for name in defaults.systems]:
            query["systems"] = keys
        for objective in OBJECTIVES:
            if (objective in self.objectives) != (objective in defaults.objectives):
                query[objective] = str(objective in self.objectives).lower()
        if len(self.objectives) == 1 and self.objectives[0] != "margin":
            query["objective"] = self.objectives[0]
        return query

    @staticmethod
    def from_query(query: Mapping[str, str | Sequence[str]]) -> Scenario:
        """The scenario of a link; values that mean nothing are left at their defaults.

        >>> Scenario.from_query({"eps": "0.1", "steps": "many"}).eps
        0.1
        """
        values: dict[str, Any] = {}
        for key in PLAIN:
            if key in query:
                name = KEYS.get(key, key)
                text = query[key] if isinstance(query[key], str) else query[key][-1]
                try:
                    values[name] = _READERS[name](str(text))
                except (ValueError, KeyError):
                    continue
        dataset = values.get("data", Scenario.data)
        if "target" in values:
            classes = data.DATASETS[dataset].classes
            values["target"] = classes.index(values["target"]) if values["target"] in classes else None
        keys = query.get("systems", [name.removeprefix("digits-") for name in Scenario.systems])
        values["systems"] = tuple(f"{dataset}-{key}" for key in ([keys] if isinstance(keys, str) else keys))
        values["objectives"] = tuple(
            o for o in OBJECTIVES if query.get(o, str(o in Scenario.objectives).lower()) == "true"
        )
        return Scenario(**values)

    def link(self, page: str = "attack_lab", base: str | None = None) -> str:
        """The address of a page of a running app that shows this scenario.

        Args:
            page: slug of the page.
            base: where the app is; by default the address in the environment variable ``TASKLAB_APP``, or else this
                machine.
        """
        base = (os.environ.get("TASKLAB_APP") or HERE).rstrip("/") if base is None else base
        query = urlencode(self.to_query(), doseq=True)
        return f"{base}/{'' if page == 'start' else page}{'?' if query else ''}{query}"

    def to_code(self, runs: Sequence[tuple[str, str]] | None = None) -> str:
        """Python that repeats it with the library alone and prints the labels read.

        Args:
            runs: pairs of system and objective; by default all.
        """
        if runs is None:
            runs = [(name, objective) for objective in self.aims for name in self.systems]
        runs = list(dict.fromkeys((name, self.climbed(objective)) for name, objective in runs))
        names, objectives = list(dict.fromkeys(n for n, _ in runs)), list(dict.fromkeys(o for _, o in runs))
        if list(runs) == [(name, objective) for objective in objectives for name in names]:
            loop, pad = [f"for objective in {_list(objectives)}:", f"    for name in {_list(names)}:"], " " * 8
        else:
            loop = ["for name, objective in [", *(f'    ("{n}", "{o}"),' for n, o in runs), "]:"]
            pad = " " * 4
        target = f", targets=torch.tensor([{self.target}])" if self.targeted else ""
        lines = ["import torch", ""] if target else []
        lines += [
            "from tasklab import data, zoo",
            *import_lines(self.kind, "attack"),
            "",
            f'test = data.load("{self.data}", "test")',
            f"x, y = test.x({self.image}), test.labels[{self.image}:{self.image + 1}]  # one image, one label",
            "",
            "decoded = {}",
            *loop,
            f"{pad}settings = {self.attack}({self.arguments()})",
            f"{pad}result = attack(zoo.load(name), x, y, settings{target})",
            f"{pad}decoded[name, objective] = result.decoded.item()  # -1 is None",
            f"{pad}print(objective, name, result.clean_decoded.item(), '→', result.decoded.item())",
        ]
        return "\n".join(lines)

    def arguments(self, objective: str = "objective") -> str:
        """The attack's arguments as code: those that differ from its defaults, ε first, ``objective`` as written.

        >>> Scenario(eps=0.1).arguments()
        'eps=0.1, steps=10, random_start=False, keep="best", objective=objective'
        """
        fields, settings = fields_of(self.attack), self.settings("margin")
        names = dict.fromkeys([*self._wanted("margin"), *fields])
        values = {name: getattr(settings, name) for name in names if name in fields and name != "objective"}
        changed = {name: value for name, value in values.items()
                   if name in ("eps", "steps") or value != fields[name].default}
        levels = eps_said(self.eps)
        words = [f"{name}={levels if name == 'eps' and '/' in levels else _quoted(value)}"
                 for name, value in changed.items()]
        return ", ".join(words + ([f"objective={objective}"] if "objective" in fields else []))

    def climbed(self, objective: str) -> str:
        """The objective that the attack maximises in place of this one: the same, unless it cannot maximise that."""
        try:
            return as_objective(self.settings(objective).objective).name if objective in OBJECTIVES else objective
        except ValueError:
            return objective

    def _wanted(self, objective: str) -> dict[str, Any]:
        """The values requested of the attack: all settings that it has, and others that differ from their defaults."""
        wanted = {
            "eps": self.eps, "steps": self.steps, "step_size": self.step_size, "norm": self.norm,
            "random_start": self.random_start, "restarts": self.restarts, "criterion": self.criterion,
            "targeted": self.target is not None, "keep": self.keep, "seed": self.seed, "objective": objective,
        }
        known = fields_of(self.attack)
        return {name: value for name, value in wanted.items()
                if name in known or (name != "objective" and value != getattr(Scenario, name, False))}

    @property
    def targeted(self) -> bool:
        """Whether the attack is to reach a target class, and can be told which."""
        return self.target is not None and "targeted" in fields_of(self.attack)


_READERS: dict[str, Callable[[str], Any]] = {
    "data": lambda text: info_of(text).name, "image": int,
    "attack": lambda text: {name: name for name in ATTACKS}[text], "eps": float,
    "steps": int, "step_size": float, "norm": lambda text: {"linf": "linf", "l2": "l2"}[text],
    "random_start": lambda text: {"true": True, "false": False}[text], "restarts": int,
    "criterion": lambda text: {"misclassified": "misclassified", "evaded": "evaded"}[text], "target": str,
    "keep": lambda text: {"first": "first", "best": "best", "last": "last"}[text], "seed": int, "n": int,
}


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _list(words: Sequence[str]) -> str:
    return "[" + ", ".join(_quoted(w) for w in words) + "]"
