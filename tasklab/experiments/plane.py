"""A system of points on the whole unit square: what each position is decoded to, and where an attack has a gradient.

A loss that is exactly 0 on a whole region has no gradient there. In the plane this can be seen: `regions` finds those
regions, `plane_trajectory` follows an attack through them, and `cross_section` measures along a line.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tasklab.attacks import PGD, stream
from tasklab.attacks.objectives import Objective, as_objective
from tasklab.checks import as_whole, check_whole
from tasklab.codecs import ABNORMAL
from tasklab.modes import own_modes
from tasklab.system import System
from tasklab.tasks import Task

CHUNK = 16_384
"""Places run through the network at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Regions:
    """The unit square as a system classifies it: row 0 is the lowest, column 0 the leftmost.

    Attributes:
        task: says what outputs mean.
        objective: name of what an attack maximises.
        decoded: int64 ``(side, side)``, the label read in the middle of each cell, `ABNORMAL` included.
        margin: float32 ``(side, side)``, of the label read; where that is None the largest of any class, 0 at most.
        value: float32 ``(side, side)``, the objective of a point with the label that is read; NaN where it is None.
        gradient: float32 ``(side, side, 2)``, of the value along x and y; NaN where the label read is None.
    """

    task: Task
    objective: str
    decoded: Tensor
    margin: Tensor
    value: Tensor
    gradient: Tensor

    @property
    def side(self) -> int:
        """How many cells the square's side has."""
        return len(self.decoded)

    @property
    def none(self) -> Tensor:
        """bool ``(side, side)``: no class is read."""
        return self.decoded == ABNORMAL

    @property
    def flat(self) -> Tensor:
        """bool ``(side, side)``: a class is read, and the objective's gradient is exactly zero."""
        return (self.gradient == 0).all(dim=2)

    @property
    def none_share(self) -> float:
        """The share of the square that is read as None."""
        return float(self.none.float().mean())

    @property
    def flat_share(self) -> float:
        """The share of what is read as a class where the gradient is exactly zero; 0 if no class is read anywhere."""
        read = int((~self.none).sum())
        return int(self.flat.sum()) / read if read else 0.0


def places(side: int) -> Tensor:
    """The middle of every cell of a grid over the unit square, row by row from below: float32 ``(side², 2)``.

    >>> places(2).tolist()
    [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    """
    side = check_whole("side", side, low=1, hint=160)
    at = (torch.arange(side, dtype=torch.float32, device="cpu") + 0.5) / side
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], dim=2).reshape(-1, 2)


def regions(system: System, *, side: int = 160, objective: str = "train") -> Regions:
    """Read every cell of the unit square, and find where an objective has a gradient.

    Args:
        system: of points ``(N, 2)`` in [0, 1].
        side: cells along each side.
        objective: a named objective that has one part, such as ``"train"`` or ``"margin"``. Each place is taken for a
            point of the class that is read there, as an attack on a point that is classified correctly would find it.

    Raises:
        ValueError: a side below 1; an objective that the task does not have, or one of several parts.

    >>> from torch import nn
    >>> from tasklab.tasks import make_task
    >>> halves = nn.Linear(2, 1)
    >>> with torch.no_grad():
    ...     _ = halves.weight.copy_(torch.tensor([[20.0, 0.0]])), halves.bias.zero_()  # z = 20·x
    >>> found = regions(System(halves, make_task("int", num_classes=2, alpha=4, beta=8)), side=20)
    >>> found.decoded[0].tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1]
    >>> found.none_share, found.flat_share
    (0.20000000298023224, 1.0)
    """
    task, climbed = system.task, as_objective(objective)
    climbed.check(task)
    if climbed.parts(task) > 1 or climbed.of != "outputs":
        raise ValueError(f"expected an objective of one part on the outputs, got {climbed.name!r}; try 'margin'")
    parts = [_look(system, climbed, x) for x in torch.split(places(side).to(system.device), CHUNK)]
    decoded, margin, value, gradient = (torch.cat(column) for column in zip(*parts, strict=True))
    return Regions(
        task=task,
        objective=climbed.name,
        decoded=decoded.reshape(side, side),
        margin=margin.reshape(side, side),
        value=value.reshape(side, side),
        gradient=gradient.reshape(side, side, 2),
    )


@own_modes()
def _look(system: System, climbed: Objective, places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """At places ``(n, 2)`` the label, its margin, the objective's value and its gradient; NaN where there is none."""
    task, x = system.task, places.clone().requires_grad_(True)
    z = system.outputs(x)
    of_class = task.codec.margins(z.detach())
    read = task.codec.decode(z.detach())
    y = read.clamp_min(0)
    value = climbed(task, z, y, torch.zeros_like(y))
    (gradient,) = torch.autograd.grad(value.sum(), x)
    none = read == ABNORMAL
    return (read, of_class.amax(dim=1), value.detach().masked_fill(none, torch.nan),
            gradient.masked_fill(none[:, None], torch.nan))


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaneTrajectory:
    """The path of one attack on one point.

    Attributes:
        objective: name of what it maximised.
        label: the point's own.
        points: float32 ``(visited, 2)``, the point first, then where each step led.
        decoded: int64 ``(visited,)``, what is read there.
        zero_gradient: whether the gradient was exactly zero wherever one was asked for.
    """

    objective: str
    label: int
    points: Tensor
    decoded: Tensor
    zero_gradient: bool

    @property
    def moved(self) -> bool:
        """Whether any step left the point."""
        return bool((self.points != self.points[0]).any())

    @property
    def end(self) -> int:
        """The label decoded at the last position."""
        return int(self.decoded[-1])

    @property
    def crossed(self) -> bool:
        """Whether the point is no longer read as its label at the last place, though it was before."""
        return int(self.decoded[0]) == self.label != self.end


def plane_trajectory(system: System, point: Tensor, label: int, settings: PGD) -> PlaneTrajectory:
    """Follow an attack on one point step by step.

    Args:
        system: of points ``(N, 2)`` in [0, 1].
        point: float32 ``(2,)`` in [0, 1].
        label: its class.
        settings: the attack, from a single start.

    Returns:
        the places visited; with ``keep="first"`` the last one is where the label was lost, if it was.

    Raises:
        ValueError: another shape, or settings with several rows for a point.
    """
    climbed = as_objective(settings.objective)
    if tuple(point.shape) != (2,):
        raise ValueError(f"expected a point of shape (2,), got {tuple(point.shape)}; try x[0]")
    if settings.restarts * climbed.parts(system.task) != 1:
        raise ValueError("expected an attack of a single row, got several restarts or parts; try objective='margin'")
    visited, asked, moved = [point[None]], False, False
    for step in stream(system, point[None], torch.tensor([label], device=point.device), settings):
        if len(step.images) and (step.index > 0 or settings.random_start):
            visited.append(step.images.detach())
        if step.gradient is not None and len(step.gradient):
            asked, moved = True, moved or bool((step.gradient != 0).any())
    points = torch.cat(visited)
    return PlaneTrajectory(
        objective=climbed.name, label=label, points=points, decoded=system.predict(points),
        zero_gradient=asked and not moved,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossSection:
    """A system along a straight line.

    Attributes:
        task: says what outputs mean.
        label: the class that loss and margin are about.
        distance: float32 ``(n,)``, from the line's start; its start is at 0.
        decoded: int64 ``(n,)``.
        loss, margin: float32 ``(n,)``, the training loss and the margin of the label.
        slope: float32 ``(n,)``, the length of the loss's gradient.
    """

    task: Task
    label: int
    distance: Tensor
    decoded: Tensor
    loss: Tensor
    margin: Tensor
    slope: Tensor

    @property
    def flat(self) -> Tensor:
        """bool ``(n,)``: the loss's gradient is exactly zero."""
        return self.slope == 0

    @property
    def edge(self) -> float | None:
        """The first distance beyond which the label is not read; None if it is read all the way."""
        lost = (self.decoded != self.label).nonzero()
        return float(self.distance[lost[0, 0]]) if len(lost) else None


def cross_section(system: System, start: Tensor, end: Tensor, label: int, *, n: int = 201) -> CrossSection:
    """Training loss and margin of a label along the line from one place to another.

    Args:
        system: of points ``(N, 2)`` in [0, 1].
        start, end: float32 ``(2,)``, different.
        label: a class.
        n: places on the line, both ends included.

    Raises:
        ValueError: fewer than 2 places, or a line without a length.
    """
    places_asked = as_whole(n)
    if places_asked is None or places_asked < 2:
        raise ValueError(f"expected n ≥ 2, got {n!r}; try 201")
    n, label = places_asked, check_whole("label", label, low=0)
    if bool((start == end).all()):
        raise ValueError("expected two different places, got one twice; try another end")
    with own_modes():
        along = torch.linspace(0, 1, n, dtype=torch.float32, device=start.device)
        x = torch.lerp(start, end, along[:, None]).requires_grad_(True)
        y = torch.full((n,), label, dtype=torch.int64, device=start.device)
        z = system.outputs(x)
        loss = system.task.loss(z, y)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
    z = z.detach()
    return CrossSection(
        task=system.task,
        label=label,
        distance=(x.detach() - start).norm(dim=1),
        decoded=system.task.codec.decode(z),
        loss=loss.detach(),
        margin=system.task.codec.margins(z)[:, label],
        slope=gradient.norm(dim=1),
    )
