"""What the course says of several seeds: small RBC systems, trained as notebooks 07 and 09 train them.

    python -m tests.benchmarks.course_seeds

The notebooks train one seed of each; a claim about a recipe needs more. This trains each variant on several seeds,
attacks it on the whole test set of the handwritten digits, and writes ``pretrained/course_seeds.json``: for each system
its accuracies, the share without a gradient, and which images are still classified correctly, for paired tests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tasklab import PGD, RBC, Adversarial, GaussianNoise, Recipe, System, attack, fit, load_data, new_system, zoo
from tasklab.models.fast import PLAIN
from tasklab.models.network import Network
from tasklab.paper.records import to_hex

EPS = 0.1
EPOCHS = 8
IMAGES = 1000
SEEDS = (0, 1, 2, 3)
DEFENCES = {
    "none": None, "noise": GaussianNoise(sigma=EPS), "AT, loss": Adversarial(eps=EPS, steps=5, objective="train"),
    "AT, margin": Adversarial(eps=EPS, steps=5, objective="margin"),
}
UNSCALED = (1, 4, 16, 64, 256)
HEADS = {"as it is": (1, 1), "starts 16 times smaller": (16, 1), "learns 16 times slower": (1, 16), "both": (16, 16)}
"""By how much smaller the first weights of the head are, and its learning rate."""

VARIANTS: dict[str, Sequence[str | int]] = {"defences": list(DEFENCES), "S": UNSCALED, "head": list(HEADS)}


def trained(task: RBC, seed: int, **settings: Any) -> System:
    """A small system, trained as in the notebooks."""
    train = load_data("digits", "train").subset(IMAGES)
    system = new_system(task, train, width=16, seed=seed)
    for _event in fit(system, train, Recipe(epochs=EPOCHS, batch_size=32, seed=seed, **settings)):
        pass
    return system


def by_hand(smaller: int, slower: int, seed: int) -> System:
    """An RBC with S = 1 whose head starts smaller and learns more slowly; the loop of notebook 07, section 5."""
    train = load_data("digits", "train").subset(IMAGES)
    images, labels = train.x(), train.labels
    system = new_system(RBC(S=1, parametrisation="paper"), train, width=16, seed=seed)
    network = system.network
    assert isinstance(network, Network)
    head, trunk = list(network.head.parameters()), list(network.trunk.parameters())
    with torch.no_grad():
        for weights in head:
            weights.div_(smaller)
    optimizer = torch.optim.Adam([{"params": trunk}, {"params": head, "lr": 1e-3 / slower}], lr=1e-3, eps=1e-20)
    order = torch.Generator().manual_seed(seed)
    for _epoch in range(EPOCHS):
        for rows in torch.randperm(len(train), generator=order).split(50):
            loss = system.task.loss(network(images[rows]), labels[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    return system


def measured(system: System, seed: int, **what: Any) -> dict[str, Any]:
    """One system under the published attack and under two attacks on the decision."""
    test = load_data("digits", "test")
    x, y = test.x(), test.labels
    own = attack(system, x, y, PGD(eps=EPS, steps=10, random_start=False, keep="last", objective="train", plan=PLAIN))
    margin, bits = (attack(system, x, y, PGD(eps=EPS, steps=20, objective=name, plan=PLAIN, seed=seed)).decoded == y
                    for name in ("margin", "bits"))
    standing = margin & bits & (own.decoded == y)
    shares = {"clean": system.predict(x) == y, "own_loss": own.decoded == y, "margin": margin, "bits": bits,
              "worst": standing}
    return what | {"seed": seed} | {name: float(which.float().mean()) for name, which in shares.items()} | {
        "zero_gradient": own.share(own.zero_gradient), "standing": to_hex(standing),
    }


def made(part: str, variant: str | int, seed: int) -> System:
    """The system behind one line of the file."""
    if part == "defences":
        return trained(RBC(S=350), seed, defence=DEFENCES[str(variant)])
    if part == "S":
        return trained(RBC(S=float(variant), parametrisation="paper"), seed)
    return by_hand(*HEADS[str(variant)], seed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, attack, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--file", type=Path, default=zoo.folder() / "course_seeds.json")
    args = parser.parse_args(arguments)
    kept = json.loads(args.file.read_text(encoding="utf-8")) if args.file.is_file() else {}
    for part in args.parts:
        kept[part] = [measured(made(part, variant, seed), seed, variant=variant)
                      for seed in SEEDS for variant in VARIANTS[part]]
    args.file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
