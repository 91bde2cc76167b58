"""The settings of a training run: plain values that determine its outcome, wherever it is run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tasklab import data, zoo
from tasklab.attacks.presets import card_attacks
from tasklab.checkpoint import digest_of
from tasklab.checks import check_whole, keep
from tasklab.data import ImageSet
from tasklab.data.info import info_of
from tasklab.files import check_name
from tasklab.jobs.training_text import as_code, as_command
from tasklab.models import ARCHITECTURES, NetworkSpec
from tasklab.system import System, new_system
from tasklab.tasks import RBC, Task
from tasklab.training import Recipe, Watch, start_from

Store = Literal["float32", "float16"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything that determines a training run, and what is measured of its result.

    Args:
        name: of the system.
        data: the data set.
        n: train on this many images only; None for all.
        task, recipe: what is trained, and how.
        arch, width, contrast: of the network; see `tasklab.system.new_system`.
        start: the trained system that the training run starts from, by its name or the path of its file; None for fresh
            weights. The network must be that system's: see `tasklab.training.start_from`.
        start_file: the path of its file, if the name does not lead to it; it is not part of the command.
        device: ``"cpu"`` or ``"cuda"``.
        devices: number of devices that train it together; see `tasklab.training.fit`.
        watch: what is measured after each epoch, None for nothing but the clean accuracy.
        eps: radii measured for the card.
        attacked: test images attacked for the card.
        seeds: how many seeds are trained, beginning with the recipe's; the first system is kept, and its card has the
            accuracy of each.
        store: the type of the weights in the file.
    """

    name: str = "my-system"
    data: str = "digits"
    n: int | None = None
    task: Task = field(default_factory=RBC)
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=20, batch_size=32, average=0.99))
    arch: str = "small_cnn"
    width: int = 32
    contrast: tuple[float, float] | None = None
    start: str | None = None
    start_file: str | None = None
    device: str = "cpu"
    devices: int = 1
    watch: Watch | None = None
    eps: tuple[float, ...] = (0.1, 0.2, 0.3)
    attacked: int = 200
    seeds: int = 1
    store: Store = "float32"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(f"expected a name that can be a file's, got {self.name!r}; try 'my-system'")
        check_name(self.name)
        info = info_of(self.data)
        if self.task.num_classes != info.num_classes:
            raise ValueError(f"expected a task with num_classes={info.num_classes}, got {self.task.num_classes}")
        for name, low in (("n", self.recipe.batch_size), ("attacked", 1), ("seeds", 1), ("devices", 1)):
            value = getattr(self, name)
            if value is not None or name != "n":
                keep(self, **{name: check_whole(name, value, low=low)})
        if self.arch not in ARCHITECTURES:
            raise ValueError(f"expected arch to be one of {', '.join(ARCHITECTURES)}, got {self.arch!r}")
        if self.store not in get_args(Store):
            raise ValueError(f"expected store to be one of {', '.join(get_args(Store))}, got {self.store!r}")
        NetworkSpec(  # its errors are raised now, too
            arch=self.arch, in_shape=info.shape, outputs=self.task.width, mean=info.mean, std=info.std,
            width=self.width, levels=self.task.levels, contrast=self.contrast,
        )
        card_attacks(self.eps)  # and the attacks'

    @property
    def all_seeds(self) -> range:
        """The seeds that are trained, the kept system's first."""
        return range(self.recipe.seed, self.recipe.seed + self.seeds)

    def to_dict(self) -> dict[str, Any]:
        """A plain dict (JSON-safe) that `from_dict` reads."""
        settings = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return settings | {
            "task": self.task.to_dict(), "recipe": self.recipe.to_dict(), "eps": list(self.eps),
            "watch": dataclasses.asdict(self.watch) if self.watch else None,
        }

    @staticmethod
    def from_dict(settings: dict[str, Any]) -> Training:
        """The training that `to_dict` described; what is left out has its default.

        Raises:
            ValueError: an unknown setting, or a value that is refused.
        """
        known = {each.name for each in dataclasses.fields(Training)}
        if unknown := sorted(settings.keys() - known):
            raise ValueError(f"expected settings among {', '.join(sorted(known))}, got {', '.join(unknown)}")
        values = dict(settings)
        if "task" in values:
            values["task"] = Task.from_dict(values["task"])
        if "recipe" in values:
            values["recipe"] = Recipe.from_dict(values["recipe"])
        if values.get("watch") is not None:
            values["watch"] = Watch(**values["watch"])
        for name in ("eps", "contrast"):
            if values.get(name) is not None:
                values[name] = tuple(float(value) for value in values[name])
        return Training(**values)

    def begin(self, *, seed: int | None = None, root: Path | None = None) -> tuple[System, ImageSet, ImageSet]:
        """The system that training begins with, on its device, the training images and the validation images.

        Args:
            seed: of the initial weights, by default the recipe's.
            root: the folder of the data sets, by default the usual one.

        Raises:
            ValueError: a device that this machine does not have, or a system to start from that does not exist or has
                another network.
            CheckpointError: the file of the system to start from cannot be read.
            DataMissing: a set that has to be fetched first.
        """
        train, validation = (data.load(self.data, split, root=root) for split in ("train", "validation"))
        train = train.subset(min(self.n, len(train))) if self.n else train
        seed = self.recipe.seed if seed is None else seed
        if (base := self.base) is not None:
            system = self._started(base, train, seed)
        else:
            system = new_system(self.task, train, arch=self.arch, width=self.width, contrast=self.contrast,
                                seed=seed)
        try:
            return system.to(self.device), train, validation
        except (RuntimeError, AssertionError):
            raise ValueError(f"expected a device of this machine, got {self.device!r}; try 'cpu'") from None

    @property
    def base(self) -> Path | None:
        """The file of the system to start from; None for fresh weights.

        Raises:
            ValueError: there is no system of that name.
        """
        if self.start is None:
            return None
        return zoo.find(self.start) if self.start_file is None else Path(self.start_file)

    def _started(self, base: Path, train: ImageSet, seed: int) -> System:
        """A system with the trunk of a trained one, all of whose parameters learn; its card names that one."""
        fitted = System.load(base)
        network = fitted.card["network"]
        own = (self.arch, self.width, self.contrast)
        theirs = (network["arch"], network["width"], network["contrast"] and tuple(network["contrast"]))
        if own != theirs:
            raise ValueError(f"expected the network of {self.start}, arch, width and contrast {theirs}, got {own}")
        fitted.network.requires_grad_(True)
        system = start_from(fitted, self.task, train, seed=seed)
        system.card = {"start": {"name": Path(str(self.start).removesuffix(zoo.SUFFIX)).name,
                                 "digest": digest_of(base)}}
        return system

    def command(self, *, threads: int | None = None) -> str:
        """The command that trains and measures the same system, with this many threads; see `as_command`."""
        return as_command(self, threads=threads)

    def to_code(self) -> str:
        """Python that trains the same system with the library alone and prints what happens.

        >>> print(Training(name="mine", n=300).to_code().splitlines()[4])
        train = load_data("digits").subset(300)
        """
        return as_code(self)
