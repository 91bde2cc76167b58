"""The result of an attack: images, what they decode to, and signs of whether the attack itself worked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tasklab import strict_json
from tasklab.attacks.settings import Settings
from tasklab.models.fast import Plan


@dataclass(frozen=True, eq=False, kw_only=True)
class AttackResult:
    """The outcome of an attack on N images.

    Attributes:
        settings: the attack.
        images: float32 ``(N, C, H, W)``, the adversarial images, or the best ones found.
        labels, targets: int64 ``(N,)``, as given.
        clean_decoded: int64 ``(N,)``, what the images decoded to before.
        decoded: int64 ``(N,)``, what they decode to now, in float32 on the system's own network.
        fooled: bool ``(N,)``, the criterion on ``decoded``.
        distance: float32 ``(N,)``, how far ``images`` are from those given, in the attack's norm, where that fooled;
            else infinite. It bounds the distance to the decision boundary from above.
        zero_gradient: bool ``(N,)``, the attack asked for gradients, and none was ever other than exactly 0.
        nonfinite_gradient: bool ``(N,)``, a gradient was NaN or infinite somewhere, as where the network overflows;
            such an image does not count among ``zero_gradient``.
        unmoved: bool ``(N,)``, returned unchanged, bit for bit.
        forwards, backwards: rows passed through the network.
        seconds: wall time.
        plan: how the network was run.
    """

    settings: Settings
    images: Tensor
    labels: Tensor
    targets: Tensor | None
    clean_decoded: Tensor
    decoded: Tensor
    fooled: Tensor
    distance: Tensor
    zero_gradient: Tensor
    nonfinite_gradient: Tensor
    unmoved: Tensor
    forwards: int
    backwards: int
    seconds: float
    plan: Plan

    def share(self, which: Tensor) -> float:
        """The share of ``which`` among the images that were decoded correctly before the attack; nan for none."""
        correct = self.clean_decoded == self.labels
        return float(which[correct].float().mean()) if bool(correct.any()) else float("nan")

    @property
    def accuracy(self) -> float:
        """The share of all images that still decode to their label; nan for none."""
        return float((self.decoded == self.labels).float().mean()) if len(self.labels) else float("nan")

    def summary(self) -> dict[str, Any]:
        """Settings and figures as values that JSON has; shares are between 0 and 1, None where there is none to take.

        An infinite ε is None, too.
        """
        summary: dict[str, Any] = strict_json.plain(self.settings.to_dict() | {
            "n": len(self.labels),
            "clean_accuracy": float((self.clean_decoded == self.labels).float().mean()) if len(self.labels) else None,
            "accuracy": self.accuracy,
            "fooled": int(self.fooled.sum()),
            "zero_gradient_share": self.share(self.zero_gradient),
            "nonfinite_gradient_share": self.share(self.nonfinite_gradient),
            "unmoved_share": self.share(self.unmoved),
            "forwards": self.forwards,
            "backwards": self.backwards,
            "seconds": round(self.seconds, 3),
        })
        return summary
