"""A run's folder: settings.json, events.jsonl, last.safetensors (to resume) and best.safetensors (the system).

Both files of weights carry a digest over all that is in them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab.checkpoint import CheckpointError, read_tensors, write_tensors
from tasklab.header import read_json
from tasklab.text import one_line

STATE_DEPTH = 8
"""How deep the state of a run may be nested."""


class RunError(ValueError):
    """A run folder that cannot be used as asked."""


class Run:
    """The files of one training run, each written whole or not at all.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings_file = self.folder / "settings.json"
        self.events_file = self.folder / "events.jsonl"
        self.last_file = self.folder / "last.safetensors"
        self.best_file = self.folder / "best.safetensors"

    def begin(self, settings: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Take the folder for a run with these settings.

        Returns:
            The state to resume from, or None for a fresh start.

        Raises:
            RunError: the folder holds a run with other settings, or a checkpoint that does not read or was altered;
                nothing in the folder has been touched.
        """
        wanted = json.loads(json.dumps(settings))
        if self.settings_file.exists():
            try:
                there = dict(json.loads(self.settings_file.read_text()))
            except (ValueError, TypeError):
                raise RunError(f"expected readable settings in {self.folder}, got damaged ones; try another") from None
            if there != wanted:
                differ = sorted(k for k in there.keys() | wanted.keys() if there.get(k) != wanted.get(k))
                raise RunError(
                    f"expected the settings of the run in {self.folder}, got another "
                    f"{one_line(', '.join(differ), 200)}; try a new folder"
                )
        else:
            _write(self.settings_file, json.dumps(wanted, indent=2, sort_keys=True) + "\n")
        if not self.last_file.exists():
            self._keep_events(0)
            return None
        try:
            tensors, metadata = read_tensors(self.last_file)
            state = dict(read_json(metadata["state"], depth=STATE_DEPTH))
            self._keep_events(int(state["events"]))
        except CheckpointError as error:
            best = " (best.safetensors keeps the best epoch so far)" * self.best_file.exists()
            raise RunError(
                f"expected the checkpoint in {self.folder} as it was written, got another: {error}, or try a new folder"
                + best
            ) from None
        except (KeyError, ValueError, TypeError) as error:
            raise RunError(
                f"expected a checkpoint to resume from, got {one_line(repr(error), 200)}; try a new folder"
            ) from None
        return tensors, state

    def checkpoint(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Replace the checkpoint to resume from."""
        count = len(self.events())
        copied = {key: tensor.clone() for key, tensor in tensors.items()}
        write_tensors(self.last_file, copied, {"state": json.dumps(state | {"events": count})})

    def log(self, event: dict[str, Any]) -> None:
        """Append one line to the events."""
        plain = {key: None if value != value else value for key, value in event.items()}  # JSON has no NaN
        with self.events_file.open("a") as file:
            file.write(json.dumps(plain) + "\n")

    def events(self) -> list[dict[str, Any]]:
        """All events so far; a half-written last line is left out."""
        if not self.events_file.exists():
            return []
        lines = self.events_file.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def _keep_events(self, count: int) -> None:
        """Drop what was logged after the checkpoint: it will happen again."""
        kept = self.events()[:count]
        _write(self.events_file, "".join(json.dumps(event) + "\n" for event in kept))


def flatten(state: dict[str, Any]) -> dict[str, Tensor]:
    """An optimizer's state as named tensors."""
    return {
        f"optimizer.{index}.{key}": value if isinstance(value, Tensor) else torch.tensor(value)
        for index, values in state["state"].items()
        for key, value in values.items()
        if value is not None
    }


def unflatten(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """What `flatten` named, as an optimizer's ``state_dict()["state"]``."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = tensor
    return state


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text)
    os.replace(part, path)
