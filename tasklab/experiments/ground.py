"""The plane around one image, which two attacks span, classified position by position.

One direction is that of an attack on the margin, the other that of an attack on the training loss. Where the training
loss is exactly flat under the image, the second attack has nothing to maximise and stays where it is, however near the
edge of the class may be: this is gradient masking, seen on a real image.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from tasklab.attacks import PGD
from tasklab.attacks.building import changed
from tasklab.checks import check_whole
from tasklab.experiments.plane import PlaneTrajectory, Regions, places
from tasklab.experiments.trajectory import Trajectory, record_trajectory
from tasklab.modes import own_modes
from tasklab.system import System

CHUNK = 64
"""Images run through the network at once."""

SPANNED_BY = ("margin", "train")
"""The objectives of the two attacks: to the right, and upwards."""

ROOM = 11 / 8
"""How far the square reaches, as a multiple of the distance that the attacks reached, or of ε.

With 11, 33 or 55 cells along each side, that place is the middle of a cell.
"""

APART = 0.2
"""The smallest share of the second direction's length that has to be left without the part along the first one."""

WAYS = 240
"""Directions from the image in which the outline of the ε-ball is looked for; its corners lie on some of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground(Regions):
    """The plane through an image as a system classifies it: a square, with the image in its middle.

    Positions are those of a unit square: (0.5, 0.5) is the image, x grows to the right and y upwards. As in `Regions`,
    row 0 of a grid is the lowest, and column 0 the leftmost; the objective is the training loss of the image's label.

    Attributes:
        margin: float32 ``(side, side)``, of the image's label.
        value: float32 ``(side, side)``, the training loss of the image's label.
        gradient: float32 ``(side, side, 2)``, of that loss along the two directions.
        zero: bool ``(side, side)``, whether the loss's gradient is exactly zero for every pixel of the image there.
        outputs: float32 ``(side, side, K)``.
        change: float32 ``(side, side)``, how far the image there is from the one in the middle, in the attack's norm.
        settings: the attack.
        clean: the image ``(1, C, H, W)``.
        label: its class.
        directions: float32 ``(2, C, H, W)``, the change of the pixels from the middle to the right edge and to the
            upper edge; at right angles, and equally long.
        spanned_by: what each direction is that of: ``"margin"`` and ``"train"``, or ``"random"`` where that attack did
            not move, or moved the same way as the other one.
        paths: the attacks on the margin and on the training loss. An iterate that lies beside the plane is shown where
            it is nearest.
        outline: float32 ``(n, 2)``, the edge of the part of the plane that an attack may reach with this ε.
    """

    zero: Tensor
    outputs: Tensor
    change: Tensor
    settings: PGD
    clean: Tensor
    label: int
    directions: Tensor
    spanned_by: tuple[str, str]
    paths: tuple[PlaneTrajectory, ...]
    outline: Tensor

    @property
    def flat(self) -> Tensor:
        """bool ``(side, side)``: the same as `zero`."""
        return self.zero

    @property
    def flat_share(self) -> float:
        """The share of what is read as the image's label where the gradient is exactly zero."""
        own = self.decoded == self.label
        return float(self.zero[own].float().mean()) if bool(own.any()) else 0.0

    def image_at(self, x: float, y: float) -> Tensor:
        """The image ``(1, C, H, W)`` at a position; pixels beyond black and white are cut off."""
        return _images(self.clean, self.directions, torch.tensor([[x, y]], dtype=torch.float32))


@own_modes()
def ground(
    system: System, image: Tensor, label: Tensor, settings: PGD, *, side: int = 33, target: Tensor | None = None
) -> Ground:
    """Attack an image in two ways, and read the plane that the two attacks span.

    Args:
        system: what is attacked.
        image: float32 ``(1, C, H, W)`` in [0, 1].
        label: int64 ``(1,)``.
        settings: `PGD` or `FGSM`; its objective does not matter. Its seed also draws a random direction, where one is
            needed.
        side: cells along each side, an odd number, so that the image is the middle of one.
        target: int64 ``(1,)``, for ``targeted=True``.

    Raises:
        TypeError: another attack.
        ValueError: an even number of cells, an ε of 0, what `attack` refuses, or, with ``keep="first"``, an image that
            is misclassified without any attack.

    >>> from torch import nn
    >>> from tasklab.tasks import make_task
    >>> system = System(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), make_task("int", alpha=4, beta=8))
    >>> with torch.no_grad():
    ...     _ = system.network[1].weight.fill_(4.0), system.network[1].bias.zero_()  # z = 4 · (sum of the pixels)
    >>> x, y = torch.full((1, 1, 2, 2), 0.25), torch.tensor([0])
    >>> seen = ground(system, x, y, PGD(eps=0.5, steps=5, random_start=False), side=9)
    >>> seen.spanned_by, [path.moved for path in seen.paths], [path.end == 0 for path in seen.paths]
    (('margin', 'random'), [True, False], [False, True])
    >>> bool(seen.flat[4, 4]), int(seen.decoded[4, 4])
    (True, 0)
    """
    _check_side(side)
    if not settings.eps > 0:
        raise ValueError(f"expected ε > 0, got {settings.eps:g}: with 0 an attack cannot leave the image")
    attacks = [record_trajectory(system, image, label, changed(settings, objective=objective), target=target)
               for objective in SPANNED_BY]
    shifts = [_visited(attack) - image for attack in attacks]
    directions, spanned_by = _span(image, settings, *(shift[-1] for shift in shifts))
    along = [_along(directions, shift) for shift in shifts]
    directions = directions * (ROOM * max(settings.eps, *(float(steps.abs().max()) for steps in along)))
    paths = tuple(
        PlaneTrajectory(
            objective=objective, label=attack.label, points=(0.5 + _along(directions, shift) / 2).cpu(),
            decoded=attack.decoded[: len(shift)].cpu(),
            zero_gradient=len(attack.gradients) > 0 and not bool(attack.gradients.any()),
        )
        for objective, attack, shift in zip(SPANNED_BY, attacks, shifts, strict=True)
    )
    bare = torch.zeros(0)
    seen = Ground(
        task=system.task, objective="train", settings=settings, clean=image, label=int(label), directions=directions,
        spanned_by=spanned_by, paths=paths, outline=_outline(image, directions, settings), decoded=bare, margin=bare,
        value=bare, gradient=bare, zero=bare, outputs=bare, change=bare,
    )
    return finer_ground(system, seen, side=side)


@own_modes()
def finer_ground(system: System, seen: Ground, *, side: int) -> Ground:
    """The same plane with another number of cells; the attacks are not made again.

    Args:
        system: the one that was attacked.
        seen: from `ground`.
        side: cells along each side, an odd number.

    Raises:
        ValueError: an even number of cells.
    """
    _check_side(side)
    images = _images(seen.clean, seen.directions, places(side).to(seen.clean.device))
    read = [_look(system, seen, part) for part in torch.split(images, CHUNK)]
    z, loss, slope, zero = (torch.cat(column).cpu() for column in zip(*read, strict=True))
    codec = seen.task.codec
    return dataclasses.replace(
        seen,
        decoded=codec.decode(z).reshape(side, side),
        margin=codec.margins(z)[:, seen.label].reshape(side, side),
        value=loss.reshape(side, side),
        gradient=slope.reshape(side, side, 2),
        zero=zero.reshape(side, side),
        outputs=z.reshape(side, side, -1),
        change=_size(images - seen.clean, seen.settings).cpu().reshape(side, side),
    )


def _check_side(side: int) -> None:
    if check_whole("side", side, low=1, hint=33) % 2 == 0:
        raise ValueError(f"expected an odd number of cells along each side, got {side}; try {side + 1}")


def _visited(attack: Trajectory) -> Tensor:
    """The iterates ``(n, C, H, W)`` up to the one that the attack returned, or all of them."""
    return attack.images if attack.kept is None else attack.images[: attack.kept + 1]


def _span(image: Tensor, settings: PGD, right: Tensor, up: Tensor) -> tuple[Tensor, tuple[str, str]]:
    """Two directions ``(2, C, H, W)`` at right angles, as long as 1 in the attack's norm, and what they are those of.

    Args:
        image: ``(1, C, H, W)``.
        settings: of the attacks.
        right, up: ``(C, H, W)``, where the two attacks led.
    """
    random = torch.Generator().manual_seed(settings.seed)

    def signs() -> Tensor:
        return (2.0 * torch.randint(0, 2, image.shape[1:], generator=random) - 1).to(image)

    names = list(SPANNED_BY)
    if not bool(right.any()):
        right, names[0] = signs(), "random"
    first = right / right.norm()
    beside = up - (up * first).sum() * first
    if not bool(up.any()) or beside.norm() < APART * up.norm():
        drawn, names[1] = signs(), "random"
        beside = drawn - (drawn * first).sum() * first
    unit = float(right.norm() / _size(right[None], settings))
    return unit * torch.stack([first, beside / beside.norm()]), (names[0], names[1])


def _along(directions: Tensor, shifts: Tensor) -> Tensor:
    """How far ``shifts`` ``(n, C, H, W)`` go along both directions, in their lengths: float32 ``(n, 2)``."""
    flat = directions.flatten(1)
    return shifts.flatten(1) @ flat.T / flat.square().sum(dim=1)


def _images(image: Tensor, directions: Tensor, at: Tensor) -> Tensor:
    """The images ``(n, C, H, W)`` at positions ``(n, 2)`` of the unit square."""
    shift = (2 * at.to(image) - 1) @ directions.flatten(1)
    return (image + shift.reshape(-1, *image.shape[1:])).clamp(0, 1)


def _size(changes: Tensor, settings: PGD) -> Tensor:
    """The size ``(n,)`` of changes ``(n, C, H, W)`` in the attack's norm."""
    flat = changes.flatten(1)
    return flat.abs().amax(dim=1) if settings.norm == "linf" else flat.square().sum(dim=1).sqrt()


def _outline(image: Tensor, directions: Tensor, settings: PGD) -> Tensor:
    """The edge of the ε-ball in the plane ``(WAYS, 2)``, at most twice as far away as the edge of the square.

    From the middle outwards no pixel's change becomes smaller, so the edge is found by halving on every way.
    """
    angle = torch.arange(WAYS, dtype=torch.float32) * (2 * torch.pi / WAYS)
    way = torch.stack([angle.cos(), angle.sin()], dim=1)  # (WAYS, 2)
    inside, outside = torch.zeros(WAYS, 1), torch.ones(WAYS, 1)
    for _ in range(14):
        middle = (inside + outside) / 2
        changes = _images(image, directions, 0.5 + way * middle) - image
        reached = (_size(changes, settings) <= settings.eps).cpu()[:, None]
        inside, outside = torch.where(reached, middle, inside), torch.where(reached, outside, middle)
    return 0.5 + way * inside


def _look(system: System, seen: Ground, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For images ``(n, C, H, W)``: outputs, training loss, its slope along both directions, whether it is exactly 0."""
    x = images.clone().requires_grad_(True)
    z = system.outputs(x)
    loss = seen.task.loss(z, torch.full((len(x),), seen.label, dtype=torch.int64, device=x.device))
    (gradient,) = torch.autograd.grad(loss.sum(), x)
    slope = gradient.flatten(1) @ seen.directions.flatten(1).T
    return z.detach(), loss.detach(), slope, (gradient == 0).flatten(1).all(dim=1)
