"""``tasklab attack``: attack one system, print the outcomes, and save the images on request."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasklab import files, strict_json
from tasklab.cli.common import (
    OBJECTIVE_HELP,
    Bar,
    add_attack,
    add_attack_name,
    add_common,
    add_eps,
    attack_settings,
    eps_asked,
    load_system,
    print_json,
    test_images,
)
from tasklab.cli.options import whole
from tasklab.console import complain, say, usage

if TYPE_CHECKING:
    from tasklab.attacks import AttackResult


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    command = commands.add_parser("attack", help="attack a system on its test images", late=add_attack_name)
    command.add_argument("system", help="a shipped system's name, or the path of a .safetensors file")
    add_eps(command, endless=True)
    add_attack(command)
    command.add_argument("--objective", help=OBJECTIVE_HELP + " (default: the attack's own, mostly margin)")
    command.add_argument("--keep", choices=("first", "best", "last"),
                         help="first: stop when fooled; best: the best of all iterates; last: the last, as published")
    command.add_argument("--target", type=whole(0), help="the class to reach")
    command.add_argument("--pictures", type=Path, metavar="DIR",
                         help="save the clean images, the attacked ones and their differences as PNG files")
    add_common(command)
    command.set_defaults(call=run)


def run(args: argparse.Namespace) -> int:
    """Attack, then print the summary."""
    import torch

    from tasklab.attacks import attack
    from tasklab.data.radii import eps_said
    from tasklab.evaluation.counts import outcomes

    system = load_system(args.system, args.device)
    images = test_images(system, args)
    targeted = args.target is not None
    (eps,) = eps_asked(args, system)
    settings = attack_settings(args, eps=eps, objective=args.objective, targeted=targeted)
    if targeted:
        others = images.labels != args.target  # the others belong to that class already
        if len(images) and not bool(others.any()):
            raise ValueError(f"expected images of other classes than the target {args.target}, got none; try a larger "
                             "--n")
        if left_out := len(images) - int(others.sum()):
            complain(f"{left_out} of {len(images)} images are of class {args.target}, the target, and left out.")
        images = images.subset(others)
    targets = torch.full_like(images.labels, args.target) if targeted else None
    if args.pictures:
        with usage():
            files.check_folder(args.pictures)  # now, rather than after the work
    bar = Bar()
    result = attack(
        system, images.x(), images.labels, settings, targets=targets,
        progress=lambda step: bar.show(step.index, settings.steps, f"fooled {int(step.fooled.sum())} of {len(images)}"),
    )
    bar.clear()
    if args.pictures:
        _save(result, images.x(), args.pictures)
    before, after = outcomes(result.clean_decoded, images.labels), outcomes(result.decoded, images.labels)
    if args.json:
        print_json({"system": args.system} | result.summary() | {"wrong": after.wrong, "abnormal": after.abnormal})
        return 0
    aim = result.summary()["objective"]
    say(f"{args.system}, {settings.name.upper()} on {aim}, ε = {eps_said(eps)} ({settings.norm}), "
          f"{settings.steps} steps × {settings.restarts}, {len(images)} images, {result.seconds:.1f} s")
    for words, counts in (("clean", before), ("attacked", after)):
        say(f"  {words:<9} correct {counts.accuracy.percent(1)} %   wrong {counts.error.percent(1)} %   "
              f"None {counts.alarm.percent(1)} %")
    zero, still = result.share(result.zero_gradient), result.share(result.unmoved)
    say(f"  of the correct images, gradient exactly zero {100 * zero:.1f} %, returned unmoved {100 * still:.1f} %")
    if zero > 0.01:
        say("  The attack had nothing to follow there: this accuracy says little. Try --objective margin.")
    if (broken := result.share(result.nonfinite_gradient)) > 0:
        say(f"  A gradient was not a finite number on {100 * broken:.1f} %: the network overflows there.")
    return 0


def _save(result: AttackResult, clean: Any, folder: Path) -> None:
    """One PNG per image: clean, attacked, and their difference around mid-grey, side by side, eight times enlarged."""
    import numpy as np
    from PIL import Image

    if clean.ndim != 4:
        raise ValueError(f"expected images to save, got points of shape {tuple(clean.shape[1:])}")
    record = []
    for index in range(len(clean)):
        before, after = clean[index].cpu().numpy(), result.images[index].cpu().numpy()
        row = np.concatenate([before, after, (after - before) / 2 + 0.5], axis=2).clip(0, 1)  # (C, H, 3W)
        pixels = np.rint(255 * row.transpose(1, 2, 0)).astype(np.uint8).squeeze()
        large = Image.fromarray(pixels).resize((pixels.shape[1] * 8, pixels.shape[0] * 8), Image.Resampling.NEAREST)
        file = folder / f"{index:05d}.png"
        content = io.BytesIO()
        large.save(content, "png")
        files.write_bytes(file, content.getvalue())
        record.append({
            "file": file.name, "label": int(result.labels[index]), "clean": int(result.clean_decoded[index]),
            "attacked": int(result.decoded[index]), "unmoved": bool(result.unmoved[index]),
            "zero_gradient": bool(result.zero_gradient[index]),
        })
    files.write_text(folder / "pictures.json", strict_json.dumps(record, indent=1) + "\n")
