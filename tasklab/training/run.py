"""A run's folder: settings.json, events.jsonl, last.safetensors (to resume) and best.safetensors (the system)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab import files, strict_json
from tasklab.checkpoint import read_tensors, write_tensors


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
            RunError: the folder holds a run with other settings, or a checkpoint that does not read.
        """
        wanted = json.loads(strict_json.dumps(settings))
        if self.settings_file.exists():
            try:
                there = dict(json.loads(self.settings_file.read_text(encoding="utf-8")))
            except (ValueError, TypeError):
                raise RunError(f"expected readable settings in {self.folder}, got damaged ones; try another") from None
            if there != wanted:
                differ = sorted(k for k in there.keys() | wanted.keys() if there.get(k) != wanted.get(k))
                raise RunError(
                    f"expected the settings of the run in {self.folder}, got another {', '.join(differ)}; "
                    "try a new folder"
                )
        else:
            files.write_text(self.settings_file, strict_json.dumps(wanted, indent=2, sort_keys=True) + "\n")
        if not self.last_file.exists():
            self._keep_events(0)
            return None
        try:
            tensors, metadata = read_tensors(self.last_file)
            state = dict(json.loads(metadata["state"]))
            self._keep_events(int(state["events"]))
        except (KeyError, ValueError, TypeError) as error:
            raise RunError(f"expected a checkpoint to resume from, got {error!r}; try a new folder") from None
        return tensors, state

    def checkpoint(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Replace the checkpoint to resume from."""
        count = len(self.events())
        copied = {key: tensor.clone() for key, tensor in tensors.items()}
        write_tensors(self.last_file, copied, {"state": json.dumps(state | {"events": count})})

    def log(self, event: dict[str, Any]) -> None:
        """Append one line to the events."""
        files.append_line(self.events_file, strict_json.dumps(event))

    def events(self) -> list[dict[str, Any]]:
        """All events so far; a half-written last line is left out."""
        if not self.events_file.exists():
            return []
        lines = self.events_file.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def _keep_events(self, count: int) -> None:
        """Drop what was logged after the checkpoint: it will happen again."""
        kept = self.events()[:count]
        files.write_text(self.events_file, "".join(strict_json.dumps(event) + "\n" for event in kept))


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
