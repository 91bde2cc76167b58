"""Training the paper's networks by tasklab and by a plain PyTorch loop with a DataLoader: same weights, images, recipe.

    python -m tests.benchmarks.training_speed [--networks resnet18 ...] [--images 256] [--batch-size 64] [--repeats 3]

The two take turns, so that whatever else the machine does falls on both. A ratio is how many images a second tasklab
trains on for each one of the plain loop in the same round; the first step of either, which warms up, and tasklab's
choice of a precision do not count. ``--epochs N`` then trains both on more images, and compares the accuracies.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Sequence
from statistics import median

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tasklab.data import ImageSet, load
from tasklab.system import System, new_system
from tasklab.tasks import TRA
from tasklab.training import Recipe, StepEvent, fit

GOALS = {"resnet18": 3.0, "efficientnet_b0": 1.6, "densenet121": 2.0}
"""Images a second for each one of the plain loop."""


def by_tasklab(system: System, images: ImageSet, recipe: Recipe) -> float:
    """Train; images a second after the first step."""
    steps = [event for event in fit(system, images, recipe) if isinstance(event, StepEvent)]
    return (len(steps) - 1) * recipe.batch_size / (steps[-1].seconds - steps[0].seconds)


def by_a_plain_loop(system: System, images: ImageSet, recipe: Recipe) -> float:
    """The same in the usual way: float32 as the network is, batches from a DataLoader."""
    network = system.network.train()
    loader = DataLoader(TensorDataset(images.x(), images.labels), recipe.batch_size, shuffle=True, drop_last=True,
                        generator=torch.Generator().manual_seed(recipe.seed))
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    total, step, start = recipe.epochs * len(loader), 0, 0.0
    for _ in range(recipe.epochs):
        for x, y in loader:
            for group in optimizer.param_groups:
                group["lr"] = recipe.lr_at(step, total)
            loss = nn.functional.cross_entropy(network(x), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            start = start or time.perf_counter()
    network.eval()
    return (total - 1) * recipe.batch_size / (time.perf_counter() - start)


def rounds(arch: str, images: ImageSet, recipe: Recipe, repeats: int) -> list[tuple[float, float]]:
    """Images a second of tasklab and of the plain loop, in turns, from the same weights."""
    system = new_system(TRA(num_classes=images.num_classes), images, arch=arch, seed=0)
    seconds = []
    for _ in range(repeats):
        mine, plain = (System(copy.deepcopy(system.network), system.task) for _ in range(2))
        seconds.append((by_tasklab(mine, images, recipe), by_a_plain_loop(plain, images, recipe)))
    return seconds


def accuracies(arch: str, images: ImageSet, test: ImageSet, recipe: Recipe) -> tuple[float, float]:
    """Test accuracy after tasklab's training and after the plain loop's."""
    both = []
    for train in (by_tasklab, by_a_plain_loop):
        system = new_system(TRA(num_classes=images.num_classes), images, arch=arch, seed=0)
        train(system, images, recipe)
        both.append(float((system.predict(test.x()) == test.labels).float().mean()))
    return both[0], both[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print one line for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(GOALS))
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=0, help="of the comparison of accuracies (default: none)")
    parser.add_argument("--trained", type=int, default=5000, help="images of the comparison of accuracies")
    args = parser.parse_args(arguments)
    train = load(args.data, "train")
    print("| network | tasklab, images/s | plain loop, images/s | ratio, median of rounds | goal |")
    print("| --- | --- | --- | --- | --- |")
    for arch in args.networks:
        recipe = Recipe(epochs=1, batch_size=args.batch_size, lr=1e-3)
        result = rounds(arch, train.subset(args.images), recipe, args.repeats)
        mine, plain = (median(each) for each in zip(*result, strict=True))
        ratio = median(a / b for a, b in result)
        print(f"| {arch} | {mine:.0f} | {plain:.0f} | {ratio:.2f} | ≥ {GOALS.get(arch, 1.0):g} |", flush=True)
    if args.epochs:
        recipe = Recipe(epochs=args.epochs, batch_size=args.batch_size, lr=1e-3)
        for arch in args.networks:
            ours, theirs = accuracies(arch, train.subset(args.trained), load(args.data, "test").subset(2000), recipe)
            print(f"{arch}: test accuracy {100 * ours:.1f} % by tasklab, {100 * theirs:.1f} % by the plain loop")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
