"""One what-if of the attack lab, as plain values: its attack settings, and the code that repeats it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tasklab.attacks import FGSM, OBJECTIVES, PGD
from tasklab.attacks.criteria import Criterion
from tasklab.attacks.settings import Keep, Norm
from tasklab.tasks import INT, RBC, Task


class Refused(ValueError):
    """A combination that means nothing, as one sentence for the person who asked for it."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that fixes what the page shows."""

    dataset: str
    image: int
    systems: tuple[str, ...]
    aims: tuple[str, ...]
    attack: Literal["FGSM", "PGD"] = "PGD"
    eps: float = 0.2
    steps: int = 10
    step_size: float | None = None
    norm: Norm = "linf"
    random_start: bool = False
    restarts: int = 1
    criterion: Criterion = "misclassified"
    target: int | None = None
    keep: Keep = "best"
    seed: int = 0

    def settings(self, aim: str) -> PGD:
        """The library's settings for one aim; a `Refused` where they contradict each other."""
        if self.target is not None and not OBJECTIVES[aim].targetable:
            raise Refused(f"“{aim}” cannot be aimed at a target class. Choose “any other” as target, or another aim.")
        targeted = self.target is not None
        if self.attack == "FGSM":
            return FGSM(eps=self.eps, norm=self.norm, objective=aim, criterion=self.criterion, targeted=targeted)
        return PGD(
            eps=self.eps, steps=self.steps, step_size=self.step_size, norm=self.norm, random_start=self.random_start,
            restarts=self.restarts if self.random_start else 1, objective=aim, criterion=self.criterion,
            targeted=targeted, keep=self.keep, seed=self.seed,
        )

    def code(self, runs: list[tuple[str, str]]) -> str:
        """Python that repeats these (system, aim) pairs with the library alone and prints the labels read."""
        names, aims = list(dict.fromkeys(n for n, _ in runs)), list(dict.fromkeys(a for _, a in runs))
        whole = runs == [(name, aim) for aim in aims for name in names]
        lines = [
            "import torch",
            "",
            "from tasklab import data, zoo",
            f"from tasklab.attacks import {self.attack}, attack",
            "",
            f'test = data.load("{self.dataset}", "test")',
            f"x, y = test.x({self.image}), test.labels[{self.image}:{self.image + 1}]  # one picture, one label",
            "",
            "decoded = {}",
        ]
        if whole:
            lines += [f"for objective in {_list(aims)}:", f"    for name in {_list(names)}:"]
            pad = " " * 8
        else:
            lines += ["for name, objective in [", *(f'    ("{n}", "{a}"),' for n, a in runs), "]:"]
            pad = " " * 4
        target = "" if self.target is None else f", targets=torch.tensor([{self.target}])"
        lines += [
            f"{pad}settings = {self.attack}({self._arguments()})",
            f"{pad}result = attack(zoo.load(name), x, y, settings{target})",
            f"{pad}decoded[name, objective] = result.decoded.item()  # -1 is None",
            f"{pad}print(objective, name, result.clean_decoded.item(), '→', result.decoded.item())",
        ]
        return "\n".join(lines if target else lines[2:])

    def _arguments(self) -> str:
        """The arguments that differ from the library's defaults, and those that a reader should see."""
        given: dict[str, object] = {"eps": self.eps}
        if self.attack == "PGD":
            given |= {"steps": self.steps}
            given |= {} if self.step_size is None else {"step_size": self.step_size}
            given |= {"random_start": self.random_start}
            if self.random_start:
                given |= {"restarts": self.restarts, "seed": self.seed}
            given |= {"keep": self.keep}
        given |= {} if self.norm == "linf" else {"norm": self.norm}
        given |= {} if self.criterion == "misclassified" else {"criterion": self.criterion}
        given |= {} if self.target is None else {"targeted": True}
        return ", ".join(f"{k}={_quoted(v)}" for k, v in given.items()) + ", objective=objective"


def check(aim: str, task: Task, title: str) -> None:
    """A `Refused` with a way on, if a task does not have an aim."""
    if aim in ("up", "down") and not isinstance(task, INT):
        raise Refused(f"“{aim}” slides along INT's number line, and {title} has none. Try the decision margin instead.")
    if aim == "unclipped" and not isinstance(task, RBC):
        raise Refused(f"“unclipped” lifts the margin S of RBC's loss, and {title} has none. Try the decision margin.")


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _list(words: list[str]) -> str:
    return "[" + ", ".join(_quoted(w) for w in words) + "]"
