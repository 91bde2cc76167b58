"""A visitor's own systems: those they trained and those they uploaded. Nobody else sees them.

Their names have the form ``DATA-my-NAME``; shipped ones have the form ``DATA-NAME``. A downloaded file keeps its name,
so the library finds the system under it in the folder that ``TASKLAB_ZOO`` names.
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
    """The files of the present visitor's systems by name: all of them, or those of one data set."""
    owner = identity.visitor()
    if owner is None:
        return {}
    home = identity.root() / owner
    trained = {_name_in(folder): folder / RESULT for folder in sorted((home / "jobs").glob("*/"))
            if os.path.isfile(folder / RESULT) and os.path.isfile(folder / "outcome.json")}
    uploaded = {file.stem: file for file in sorted((home / "systems").glob(f"*{zoo.SUFFIX}")) if os.path.isfile(file)}
    named = {name: file for name, file in (trained | uploaded).items() if name}
    return {name: file for name, file in named.items() if dataset is None or name.startswith(f"{dataset}-{MARK}")}


def path(name: str) -> Path | None:
    """The file of one of the visitor's own systems; None where there is none of that name."""
    return files().get(name) if f"-{MARK}" in name else None  # looking at the disk takes time


def free_name(dataset: str, wanted: str, taken: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    """A name ``DATA-my-NAME`` that is not taken yet, made from what somebody typed.

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
    """Check an uploaded file and keep it among the visitor's own systems.

    Args:
        content: the bytes of the file.
        filename: its name on the visitor's machine.
        taken: names that are not free.

    Returns:
        The name under which it is kept.

    Raises:
        Refused: the file is too large or damaged, or for an unknown kind of images; there are too many already;
            or the disk cannot be written.
    """
    if len(content) > MAX_UPLOAD << 20:
        raise Refused(f"The file is larger than {MAX_UPLOAD} MB, the largest size accepted here.")
    try:
        return _keep(content, filename, taken)
    except OSError as error:
        raise Refused(trouble(error)) from error


def _keep(content: bytes, filename: str, taken: set[str]) -> str:
    systems = identity.root() / identity.new_visitor() / "systems"
    if systems.is_dir() and len(list(systems.glob(f"*{zoo.SUFFIX}"))) >= MAX_BROUGHT:
        raise Refused(f"You have brought {MAX_BROUGHT} systems, which is all there is room for. Remove some first.")
    original_name = shown_name(filename)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"brought{zoo.SUFFIX}"  # never a name that a visitor chose
        file.write_bytes(content)
        try:
            system, dataset = _checked(file)
            name = free_name(dataset, system.card.get("name") or os.path.splitext(original_name)[0], taken)
            data = system.card.get("data", {}) | {"name": dataset}
            system.card |= {"name": name, "data": data, "brought_as": original_name}
            systems.mkdir(parents=True, exist_ok=True)
            system.save(systems / f"{name}{zoo.SUFFIX}", dtype=system.card["stored"])
        except (ValueError, RuntimeError) as error:  # RuntimeError: the network does not accept such images after all
            raise Refused(f"This is not a whole system: {str(error).removeprefix(f'{file.name}: ')}.") from None
    return name


def remove_brought(name: str) -> None:
    """Remove an uploaded system; one that was trained here is removed with its job.

    Raises:
        Refused: the file cannot be deleted.
    """
    file = path(name)
    if file is not None and file.name != RESULT:
        remove_file(file)


def remove_file(file: Path) -> None:
    """Remove the file of a system, if there is one.

    Raises:
        Refused: the file cannot be deleted.
    """
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(trouble(error)) from error


def _name_in(folder: Path) -> str | None:
    """The name of the system that a job made: from the job's settings, else from the card of the system's file."""
    try:
        name = Job(folder).settings.get("name")
    except (JobError, KeyError, TypeError, ValueError):
        name = card_of(folder).get("name")
    return name if isinstance(name, str) else None


def _checked(file: Path) -> tuple[System, str]:
    """The system in a file, and the name of the data set whose images it takes.

    Raises:
        CheckpointError: no data set has such images, or the outputs are not finite.
    """
    import torch

    from tasklab.data import DATASETS
    from tasklab.models.network import Network
    from tasklab.system import System

    system = System.load(file)
    assert isinstance(system.network, Network)
    shape, classes = tuple(system.network.spec.in_shape), system.task.num_classes
    named = system.card.get("data", {}).get("name")
    fits = [name for name, info in DATASETS.items() if (info.shape, info.num_classes) == (shape, classes)]
    if not fits or (named is not None and named not in fits):
        raise CheckpointError(f"{file.name}: expected a system for images that are known here, "
                              f"got one for {'×'.join(map(str, shape))} pixels in {classes} classes")
    if not bool(torch.isfinite(system.read(torch.full((2, *shape), 0.5))).all()):
        raise CheckpointError(f"{file.name}: expected finite outputs, got others")
    return system, named or fits[0]


def card_of(folder: Path) -> dict[str, Any]:
    """The card of the system that a job made; shared, so it must not be changed. Empty where no file can be read."""
    if not (folder / RESULT).is_file():
        return {}
    try:
        return zoo.shared_card(folder / RESULT)
    except (ValueError, OSError):
        return {}
