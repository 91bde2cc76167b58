"""A visitor's own systems: what their trainings made, and what they brought. Nobody else sees them.

A name is ``DATA-my-NAME``, as a shipped one is ``DATA-NAME``: the library finds a downloaded file under the same name
in the folder that ``TASKLAB_ZOO`` names.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab_ui.basics.refusal import Refused
from lab_ui.visitor import identity
from lab_ui.visitor.disk import trouble
from lab_ui.visitor.limits import MAX_BROUGHT, MAX_UPLOAD
from lab_ui.visitor.uploads import shown_name
from tasklab import zoo
from tasklab.checkpoint import CheckpointError
from tasklab.jobs import Job, JobError

if TYPE_CHECKING:
    from tasklab.system import System

MARK = "my-"
RESULT = "system.safetensors"


def files(dataset: str | None = None) -> dict[str, Path]:
    """The files of the present visitor's systems by name, all or those of one data set."""
    who = identity.visitor()
    if who is None:
        return {}
    place = identity.root() / who
    made = {_named(folder): folder / RESULT for folder in sorted((place / "jobs").glob("*/"))
            if os.path.isfile(folder / RESULT) and os.path.isfile(folder / "outcome.json")}
    brought = {file.stem: file for file in sorted((place / "systems").glob(f"*{zoo.SUFFIX}")) if os.path.isfile(file)}
    found = {name: file for name, file in (made | brought).items() if name}
    return {name: file for name, file in found.items() if dataset is None or name.startswith(f"{dataset}-{MARK}")}


def path(name: str) -> Path | None:
    """The file of an own system, None where there is none of that name."""
    return files().get(name) if f"-{MARK}" in name else None  # most names are not, and a look at the disk takes time


def free_name(dataset: str, wanted: str, taken: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    """A whole name of one's own that is not taken yet, from what somebody typed.

    >>> free_name("digits", "RBC, S = 10!", {"digits-my-rbc-s-10"})
    'digits-my-rbc-s-10-2'
    """
    word = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:30].strip("-") or "system"
    word = word.removeprefix(f"{dataset}-").removeprefix(MARK) or "system"
    names, count = taken | files().keys(), 1
    while (name := f"{dataset}-{MARK}{word}" + (f"-{count}" if count > 1 else "")) in names:
        count += 1
    return name


def bring(content: bytes, filename: str, taken: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    """Take a file that somebody brought, once it has been checked; its name here.

    Raises:
        Refused: too large, too many, not a whole system for pictures that are known here, or the disk does not take it.
    """
    if len(content) > MAX_UPLOAD << 20:
        raise Refused(f"The file is larger than {MAX_UPLOAD} MB, which is all that is taken here.")
    try:
        return _bring(content, filename, taken)
    except OSError as error:
        raise Refused(trouble(error)) from error


def _bring(content: bytes, filename: str, taken: set[str]) -> str:
    place = identity.root() / identity.new_visitor() / "systems"
    if place.is_dir() and len(list(place.glob(f"*{zoo.SUFFIX}"))) >= MAX_BROUGHT:
        raise Refused(f"You have brought {MAX_BROUGHT} systems, which is all there is room for. Remove some first.")
    called = shown_name(filename)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"brought{zoo.SUFFIX}"  # never under a name that somebody else chose
        file.write_bytes(content)
        try:
            system, dataset = _checked(file)
            name = free_name(dataset, system.card.get("name") or os.path.splitext(called)[0], taken)
            data = system.card.get("data", {}) | {"name": dataset}
            system.card |= {"name": name, "data": data, "brought_as": called}
            place.mkdir(parents=True, exist_ok=True)
            system.save(place / f"{name}{zoo.SUFFIX}", dtype=system.card["stored"])
        except (ValueError, RuntimeError) as error:  # also a network that does not take such pictures after all
            raise Refused(f"This is not a whole system: {str(error).removeprefix(f'{file.name}: ')}.") from None
    return name


def remove_brought(name: str) -> None:
    """Remove a system that was brought; one that was trained here goes with its job.

    Raises:
        Refused: the disk does not let go of it.
    """
    file = path(name)
    if file is not None and file.name != RESULT:
        remove_file(file)


def remove_file(file: Path) -> None:
    """Remove the file of a system, if it is there.

    Raises:
        Refused: the disk does not let go of it.
    """
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(trouble(error)) from error


def _named(folder: Path) -> str | None:
    """What the system that a job made is called: as the job was told, whether or not the file can be read."""
    try:
        found = Job(folder).settings.get("name")
    except (JobError, KeyError, TypeError, ValueError):
        found = card_of(folder).get("name")
    return found if isinstance(found, str) else None


def _checked(file: Path) -> tuple[System, str]:
    """The system in a file, and the data set whose pictures it reads."""
    import torch

    from tasklab.data import DATASETS
    from tasklab.system import System

    system = System.load(file)
    shape, classes = tuple(system.network.spec.in_shape), system.task.num_classes  # type: ignore[union-attr]
    named = system.card.get("data", {}).get("name")
    fits = [name for name, info in DATASETS.items() if (info.shape, info.num_classes) == (shape, classes)]
    if not fits or (named is not None and named not in fits):
        raise CheckpointError(f"{file.name}: expected a system for pictures that are known here, "
                              f"got one for {'×'.join(map(str, shape))} pixels in {classes} classes")
    if not bool(torch.isfinite(system.read(torch.full((2, *shape), 0.5))).all()):
        raise CheckpointError(f"{file.name}: expected finite outputs, got others")
    return system, named or fits[0]


def card_of(folder: Path) -> dict[str, Any]:
    """The card of what a job made, not to be altered; empty where it has made nothing that reads."""
    if not (folder / RESULT).is_file():
        return {}
    try:
        return zoo.shared_card(folder / RESULT)
    except (ValueError, OSError):
        return {}
