"""Three submissions for the last notebook: networks with a claim, to be reviewed with everything that was learned.

Two of the claims are masked, in ways that the notebooks before have not shown, and one is honest. No network is trained
here: each submission is made from a shipped system by a wrapper that leaves its labels as they are, or nearly so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn

from tasklab import zoo
from tasklab.attacks import PGD
from tasklab.system import System

EPS: Mapping[str, float] = MappingProxyType({"digits": 0.15, "mnist": 0.1})
"""By data set: the largest change of a pixel that the submissions claim to withstand."""


class Rounded(nn.Module):
    """A network that sees rounded pixels: each becomes the nearest multiple of 1 / levels.

    Args:
        network: takes images, (N, C, H, W).
        levels: the number of steps from black to white.
    """

    def __init__(self, network: nn.Module, levels: int = 8) -> None:
        super().__init__()
        self.network, self.levels = network, levels

    def forward(self, x: Tensor) -> Tensor:
        """Outputs, (N, K)."""
        outputs: Tensor = self.network((x * self.levels).round() / self.levels)
        return outputs


class Bounded(nn.Module):
    """A network whose outputs are squeezed into [-bound, bound]: z becomes bound · tanh(z).

    Args:
        network: takes images, (N, C, H, W).
        bound: the largest output.
    """

    def __init__(self, network: nn.Module, bound: float = 350.0) -> None:
        super().__init__()
        self.network, self.bound = network, bound

    def forward(self, x: Tensor) -> Tensor:
        """Outputs, (N, K)."""
        outputs: Tensor = self.network(x).tanh() * self.bound
        return outputs


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A system that is claimed to be robust.

    Attributes:
        letter: A, B or C.
        idea: what its authors say about it.
        eps: the largest change of a pixel that is allowed.
        system: the system, with all of its code.
    """

    letter: str
    idea: str
    eps: float
    system: System

    def attack(self, seed: int = 0) -> PGD:
        """The attack with which its authors support the claim: on the margin, with 40 steps from 3 random starts."""
        return PGD(eps=self.eps, steps=40, restarts=3, objective="margin", seed=seed)


def submissions(data: str = "digits") -> dict[str, Submission]:
    """The three submissions, by their letters.

    Args:
        data: ``"digits"`` or ``"mnist"``.

    Raises:
        ValueError: there are none for this data set.

    >>> list(submissions())
    ['A', 'B', 'C']
    """
    if data not in EPS:
        raise ValueError(f"expected a data set among {', '.join(EPS)}, got {data!r}")
    scores, bits, trained = (zoo.load(f"{data}-{key}") for key in ("tra", "rbc", "rbc-at-margin"))
    systems = {
        "A": ("Adversarial changes are small, so rounding each pixel to nine grey levels removes them.",
              System(Rounded(scores.network), scores.task)),
        "B": ("Bits that are pushed to ±350 by a saturating last layer leave no doubt about any of them.",
              System(Bounded(bits.network), bits.task)),
        "C": ("The network was trained on attacks on its own margin.", trained),
    }
    return {letter: Submission(letter=letter, idea=idea, eps=EPS[data], system=system)
            for letter, (idea, system) in systems.items()}
