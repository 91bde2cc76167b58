"""The finished rows of a long evaluation, kept in a folder so that the evaluation can be resumed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from tasklab import files, strict_json
from tasklab.attacks import Settings
from tasklab.data import ImageSet
from tasklab.evaluation.counts import outcomes
from tasklab.evaluation.robustness import Row
from tasklab.evaluation.statistics import Share
from tasklab.system import System


class RowStore:
    """One line of JSON for each finished attack, under a key of system, images and settings.

    Args:
        folder: the folder of ``rows.jsonl``; lines in it that cannot be read are ignored.
        system, images: the system and images that the rows belong to; rows of others are left as they are.
    """

    def __init__(self, folder: Path, system: System, images: ImageSet) -> None:
        self.file = folder / "rows.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(repr(system.task).encode())
        for tensor in (images.images, images.labels, *system.network.state_dict().values()):
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        self._whose = digest.hexdigest()
        self._lines: dict[str, dict[str, Any]] = {}
        if self.file.exists():
            for line in self.file.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                    self._lines[row["key"]] = row
                except (ValueError, KeyError, TypeError):
                    continue

    def read(self, settings: Settings, clean: Row) -> Row | None:
        """The kept row of an attack.

        Args:
            settings: of the attack.
            clean: the row of the clean images.

        Returns:
            The row; None where none was kept.
        """
        kept = self._lines.get(self._key(settings))
        if kept is None or len(kept.get("decoded", [])) != clean.n:
            return None
        decoded = torch.tensor(kept["decoded"], device="cpu").to(clean.labels)
        right = clean.outcomes.correct
        return Row(
            attack=kept["attack"], objective=kept["objective"], criterion=settings.criterion, norm=settings.norm,
            eps=settings.eps, steps=settings.steps, restarts=settings.restarts,
            outcomes=outcomes(decoded, clean.labels), clean=clean.outcomes,
            zero_gradient=Share(kept["zero_gradient"], right), unmoved=Share(kept["unmoved"], right),
            nonfinite_gradient=Share(kept["nonfinite_gradient"], right), decoded=decoded, labels=clean.labels,
            forwards=kept["forwards"], backwards=kept["backwards"], seconds=kept["seconds"], settings=settings,
        )

    def write(self, row: Row) -> None:
        """Keep a finished row."""
        assert row.settings is not None and row.zero_gradient is not None
        assert row.nonfinite_gradient is not None and row.unmoved is not None
        key = self._key(row.settings)
        values: dict[str, Any] = {
            "key": key, "attack": row.attack, "objective": row.objective,
            "decoded": row.decoded.tolist(), "zero_gradient": row.zero_gradient.count,
            "nonfinite_gradient": row.nonfinite_gradient.count, "unmoved": row.unmoved.count,
            "forwards": row.forwards, "backwards": row.backwards, "seconds": row.seconds,
        }
        self._lines[key] = values
        files.append_line(self.file, strict_json.dumps(values))

    def _key(self, settings: Settings) -> str:
        described = json.dumps(settings.to_dict(), sort_keys=True, default=str)
        return hashlib.sha256(f"{self._whose} {described}".encode()).hexdigest()
