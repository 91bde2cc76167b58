"""Transfer: the adversarial examples found against one system, or against several, are shown to another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from tasklab.attacks import Settings, attack, succeeded
from tasklab.attacks.geometry import bounds, random_start
from tasklab.evaluation.counts import outcomes
from tasklab.evaluation.robustness import Data, Progress, Row, read_data, watch
from tasklab.evaluation.shards import Attacking
from tasklab.evaluation.statistics import Share
from tasklab.evaluation.transfer_result import Cell, Threat, TransferResult
from tasklab.system import System


def find_threat(
    name: str,
    system: System,
    images: Tensor,
    labels: Tensor,
    settings: Settings,
    *,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
    position: tuple[int, int] = (0, 1),
    attacking: Attacking = attack,
) -> Threat:
    """Attack one system, so that the result can be shown to any number of victims later.

    Args:
        name: of the system.
        system: the system that is attacked.
        images, labels, settings, batch_size, progress: as in `transfer`.
        position: the index of this threat and how many there are, for ``progress``.
        attacking: the function that runs an attack.

    Raises:
        ValueError: targeted settings.
    """
    if settings.targeted:
        raise ValueError("expected untargeted settings, got targeted=True; try targeted=False")
    x, y = read_data((images, labels), system)
    report_step = watch(progress, name, *position, settings)
    result = attacking(system, x, y, settings, batch_size=batch_size, progress=report_step)
    moved = {field.name: getattr(result, field.name).cpu() for field in dataclasses.fields(result)
             if isinstance(getattr(result, field.name), Tensor)}
    return Threat(name=name, result=dataclasses.replace(result, **moved))


def transfer_row(system: System, data: Data, threat: Threat, *, batch_size: int = 256) -> Row:
    """A row of an evaluation with the adversarial images of another system, shown to this one.

    Args:
        system: the victim.
        data: the images that the threat was found on.
        threat: what `find_threat` found.
        batch_size: rows run through the network at once.

    Returns:
        A row of attack ``"transfer"`` that used no gradient of this system. Its unmoved images are those that the
        threat's own attack returned unchanged, bit for bit, and which could not transfer for that reason.

    Raises:
        ValueError: the threat was found on other images.
    """
    images, labels = read_data(data, system)
    settings = threat.result.settings
    if len(labels) != len(threat.images) or not torch.equal(labels.cpu(), threat.result.labels):
        raise ValueError(f"expected a threat found on these {len(labels)} images, got another's; try find_threat again")
    before = system.predict(images, batch_size=batch_size)
    decoded = system.predict(threat.images.to(system.device), batch_size=batch_size)
    return Row(
        attack="transfer",
        objective=f"from {threat.name}",
        criterion=settings.criterion,
        norm=settings.norm,
        eps=settings.eps,
        steps=settings.steps,
        restarts=settings.restarts,
        outcomes=outcomes(decoded, labels),
        clean=outcomes(before, labels),
        unmoved=Share.of(threat.result.unmoved.to(labels.device), before == labels),
        decoded=decoded,
        labels=labels,
        forwards=len(labels),
    )


def transfer(
    threats: Mapping[str, System | Threat],
    victims: Mapping[str, System],
    images: Tensor,
    labels: Tensor,
    settings: Settings,
    *,
    batch_size: int = 256,
    progress: Callable[[Progress], object] | None = None,
) -> TransferResult:
    """Attack each threat, and show its adversarial images to each victim.

    ``settings.keep`` matters: ``"first"`` stops just beyond the threat's own boundary, which transfers least;
    ``"last"`` is the published attack.

    Args:
        threats: systems by name, or what `find_threat` found with the same images and settings.
        victims: systems by name; the same system may be both.
        images: float32 ``(N, C, H, W)`` in [0, 1].
        labels: int64 ``(N,)``.
        settings: the attack; its criterion also judges the victims, its seed draws the noise.
        batch_size: rows run through a network at once.
        progress: called at each step of each attack.

    Raises:
        ValueError: no threats or no victims, targeted settings, or images and labels that do not fit.
    """
    if not threats or not victims:
        raise ValueError(f"expected at least one threat and one victim, got {len(threats)} and {len(victims)}")
    if settings.targeted:
        raise ValueError("expected untargeted settings, got targeted=True; try targeted=False")
    truth = labels.cpu()
    for name, subject in (*threats.items(), *victims.items()):  # errors are raised before the first attack
        if isinstance(subject, System):
            read_data((images, labels), subject)
        elif subject.result.settings != settings or not torch.equal(subject.result.labels, truth):
            raise ValueError(f"expected threat {name!r} found with these settings on these images, got others; "
                             "try find_threat again")
    n = len(labels)
    noisy = random_start(
        images,
        bounds(images, settings.eps, settings.norm),
        eps=settings.eps,
        norm=settings.norm,
        seed=settings.seed + 1,  # not the attack's own starts
        example=torch.arange(n, device="cpu"),
        restart=torch.zeros(n, dtype=torch.int64, device="cpu"),
    )

    def decode(system: System, x: Tensor) -> Tensor:
        return system.predict(x.to(system.device), batch_size=batch_size).cpu()

    before = {name: decode(system, images) for name, system in victims.items()}
    noise_fooled = {
        name: succeeded(settings.criterion, decode(system, noisy), truth) for name, system in victims.items()
    }
    attacked, cells = {}, {}
    for index, (name, subject) in enumerate(threats.items()):
        attacked[name] = threat = subject if isinstance(subject, Threat) else find_threat(
            name, subject, images, labels, settings, batch_size=batch_size, progress=progress,
            position=(index, len(threats)),
        )
        for victim, judge in victims.items():
            decoded = decode(judge, threat.images)
            cells[name, victim] = Cell(
                threat=name,
                victim=victim,
                images=threat.images,
                before=before[victim],
                decoded=decoded,
                fooled=succeeded(settings.criterion, decoded, truth),
                noise_fooled=noise_fooled[victim],
                threat_correct=threat.correct,
                victim_correct=before[victim] == truth,
                unmoved=threat.result.unmoved,
            )
    return TransferResult(settings=settings, threats=attacked, cells=cells)
