"""A run's folder: settings.json, events.jsonl, last.safetensors (to resume) and best.safetensors (the system).

The process that trains in the folder holds ``lock``. The checkpoint contains the events as well, so that
``events.jsonl`` may be lost. Both files of weights carry a digest of all their contents.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab import files, strict_json
from tasklab.checkpoint import CheckpointError, read_tensors, write_tensors
from tasklab.header import read_json
from tasklab.leftovers import sweep
from tasklab.lock import Lock, Locked
from tasklab.text import one_line

_log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds to wait for a process that is about to leave the folder."""

STATE_DEPTH = 8
"""How deeply the state of a run may be nested."""


class RunError(ValueError):
    """The folder of a run cannot be used as requested."""


class Run:
    """The files of one training run, each written completely or not at all.

    Args:
        folder: the folder, which is created if it does not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings_file = self.folder / "settings.json"
        self.events_file = self.folder / "events.jsonl"
        self.last_file = self.folder / "last.safetensors"
        self.best_file = self.folder / "best.safetensors"
        self._lock = Lock(self.folder / "lock", PATIENCE)
        self._events: list[dict[str, Any]] = []

    def begin(self, settings: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Take the folder for a run with these settings, until `close`.

        Returns:
            The state to resume from, or None for a fresh start.

        Raises:
            RunError: another process trains in the folder, or it holds a run with other settings, or a checkpoint that
                cannot be read or was altered; nothing in the folder has been touched.
        """
        try:
            self._lock.__enter__()
        except Locked:
            who, way = "another process", "wait until it has ended"
            if not self._is_foreign():
                who, way = "an earlier stream of events of this same process", "close() that one"
            raise RunError(f"expected a folder in which nobody trains, got {self.folder}, where {who} does; {way}, or "
                           "try another folder") from None
        try:
            return self._begin(settings)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the folder to others."""
        self._lock.release()

    def _is_foreign(self) -> bool:
        """Whether the lock's holder is another process, as far as can be told."""
        try:
            return self._lock.path.read_text(encoding="utf-8") != str(os.getpid())
        except (OSError, ValueError):
            return True

    def _begin(self, settings: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        ours = (self.settings_file, self.events_file, self.last_file, self.best_file)
        sweep(self.folder, [file.name for file in ours], older=0)  # nobody else writes here
        wanted = json.loads(strict_json.dumps(settings))
        if self.settings_file.exists():
            try:
                there = dict(json.loads(self.settings_file.read_text(encoding="utf-8")))
            except (ValueError, TypeError, RecursionError):
                raise RunError(f"expected readable settings in {self.folder}, got damaged ones; try another") from None
            if there != wanted:
                differ = sorted(k for k in there.keys() | wanted.keys() if there.get(k) != wanted.get(k))
                raise RunError(
                    f"expected the settings of the run in {self.folder}, got others for "
                    f"{one_line(', '.join(differ), 200)}; try a new folder"
                )
        else:
            files.write_text(self.settings_file, strict_json.dumps(wanted, indent=2, sort_keys=True) + "\n")
        if not self.last_file.exists():
            self._keep_events([])
            return None
        try:
            tensors, metadata = read_tensors(self.last_file)
            state = dict(read_json(metadata["state"], depth=STATE_DEPTH))
            self._keep_events([dict(event) for event in state["events"]])
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
        copied = {key: tensor.clone() for key, tensor in tensors.items()}
        write_tensors(self.last_file, copied, {"state": json.dumps(state | {"events": self._events})})

    def state(self) -> dict[str, Any]:
        """What the checkpoint says about the run, without the tensors.

        Raises:
            CheckpointError: there is none, or one that was altered.
        """
        return dict(read_json(read_tensors(self.last_file)[1]["state"], depth=STATE_DEPTH))

    def log(self, event: dict[str, Any]) -> None:
        """Append one line to the events."""
        self._events.append(strict_json.plain(event))
        files.append_line(self.events_file, strict_json.dumps(event))

    def events(self) -> list[dict[str, Any]]:
        """All events so far; lines that cannot be read, such as a half-written last one, are left out."""
        try:
            lines = self.events_file.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        events = []
        for line in lines:
            with contextlib.suppress(ValueError, RecursionError):
                event = json.loads(line)
                if isinstance(event, dict):
                    events.append(event)
        return events

    def _keep_events(self, known: list[dict[str, Any]]) -> None:
        """Continue from the events in the checkpoint; those that were logged after it will happen again."""
        there = self.events()
        if there[: len(known)] != known:
            _log.warning("the events in %s were lost or are another run's; they are restored from the checkpoint",
                         self.events_file)
        self._events = known
        files.write_text(self.events_file, "".join(strict_json.dumps(event) + "\n" for event in known))


def flatten(state: dict[str, Any]) -> dict[str, Tensor]:
    """An optimizer's state as named tensors."""
    return {
        f"optimizer.{index}.{key}": value if isinstance(value, Tensor) else torch.tensor(value)
        for index, values in state["state"].items()
        for key, value in values.items()
        if value is not None
    }


def unflatten(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """The inverse of `flatten`: named tensors as an optimizer's ``state_dict()["state"]``."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = tensor
    return state
