"""Systems as a damaged disk, a hostile visitor or another program would write them: seeded, some hundreds, small."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from tasklab.header import digest
from tasklab.models import NetworkSpec, build_network
from tasklab.system import System
from tasklab.tasks import make_task

PICTURE_LINK = "![x](http://example.org/x.png) <img src=x> **b** `c`\x1b[31m"

ODD_VALUES: list[Any] = [
    None, True, 0, -1, 10**6, 10**18, 10**400, 0.5, -0.0, 1e300, float("nan"), float("inf"), float("-inf"), "", "7",
    "a\nb", PICTURE_LINK, "\ud800", "x" * 5000, [], {}, [[]], [None], {"": None}, {"eps": ""}, [0] * 3000,
    {"a": {"b": [1, "c"]}}, "float16", "nonsense", {"attack": "clean"}, [{"attack": "clean", "n": 0, "accuracy": 1}],
]
"""What a value of a card may turn out to be."""


def system() -> System:
    """A small system for digits with everything in its card that training puts there."""
    task = make_task("rbc", S=10)
    spec = NetworkSpec(arch="small_cnn", in_shape=(1, 8, 8), outputs=4, mean=(0.3,), std=(0.4,), width=4, scale=10.0)
    rows = [
        {"attack": attack, "objective": objective, "norm": "linf", "eps": eps, "steps": 20, "restarts": 1, "n": 400,
         "correct": 300, "wrong": 60, "abnormal": 40, "accuracy": 0.75, "low": 0.7, "high": 0.8, "zero_gradient": 0.25,
         "unmoved": 0.0, "flags": ["masked"]}
        for attack, objective, eps in (("clean", None, 0.0), ("pgd", "train", 0.2), ("pgd", "margin", 0.2))
    ]
    card = {
        "name": "digits-rbc", "data": {"name": "digits", "train": 1097, "test": 400}, "metrics": rows, "epoch": 3,
        "recipe": {"epochs": 4, "lr": 0.003, "defence": {"defence": "gaussian", "sigma": 0.1}}, "seconds": 12.5,
        "device": "cpu", "threads": 1, "versions": {"torch": "2.14"}, "command": "tasklab train", "seeds": {"0": 0.75},
        "float32_accuracy": 0.75,
    }
    return System(build_network(spec, seed=0), task, card=card)


def forged(path: Path, text: str, weights: dict[str, torch.Tensor]) -> Path:
    """A file whose digest is right, whatever its card says."""
    try:
        metadata = {"tasklab": text, "digest": digest(weights, text)}
        safetensors.torch.save_file(weights, path, metadata)
    except UnicodeEncodeError:
        path.write_bytes(b"half a surrogate pair cannot be stored at all")
    return path


def places(value: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside plain values."""
    if so_far:
        yield so_far
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(each, (*so_far, key))


def odd_cards(count: int, seed: int = 0) -> Iterator[str]:
    """Cards in which something has become odd or is missing, as JSON or nearly so."""
    draw, whole = random.Random(seed), system()
    card = whole.card | {"format": 1, "stored": "float32", "task": whole.task.to_dict(),
                         "network": whole.network.spec.to_dict()}  # type: ignore[union-attr]
    ways = list(places(card))
    yield from (json.dumps({key: value for key, value in card.items() if key != left_out}) for left_out in card)
    yield from (json.dumps({key: value for key, value in card.items() if key in ("format", "task", "network", kept)})
                for kept in card)
    for depth in (7, 600, 990, 100_000):
        yield json.dumps(card)[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"
    for _ in range(count - 2 * len(card) - 4):
        odd = copy.deepcopy(card)
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            way = draw.choice(ways)
            holder: Any = odd
            try:
                for key in way[:-1]:
                    holder = holder[key]
                if draw.random() < 0.2:
                    del holder[way[-1]]
                elif draw.random() < 0.1:
                    holder[PICTURE_LINK] = copy.deepcopy(draw.choice(ODD_VALUES))
                else:
                    holder[way[-1]] = copy.deepcopy(draw.choice(ODD_VALUES))
            except (KeyError, IndexError, TypeError):  # an earlier change took the way
                continue
        yield json.dumps(odd, sort_keys=True)


def odd_files(count: int, seed: int = 0) -> Iterator[bytes]:
    """A whole file with flipped bits, cut off, filled up, or with another header; and files of others."""
    draw = random.Random(seed)
    text = next(iter(odd_cards(60, seed)))
    weights = dict(system().network.state_dict())
    whole = safetensors.torch.save(weights, {"tasklab": text, "digest": digest(weights, text)})
    (length,) = struct.unpack("<Q", whole[:8])
    for kind in range(count):
        content = bytearray(whole)
        if kind % 4 == 0:  # somewhere in the header
            content[draw.randrange(8 + length)] ^= 1 << draw.randrange(8)
        elif kind % 4 == 1:  # anywhere
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        elif kind % 4 == 2:
            content = content[: draw.choice((draw.randrange(16), draw.randrange(len(content))))]
        else:
            header = json.loads(whole[8 : 8 + length])
            names = [name for name in header if name != "__metadata__"]
            entry = header[draw.choice(names)]
            part = draw.choice(list(entry))
            entry[part] = draw.choice([*ODD_VALUES, [0, 10**12], [10**9, 10**9], "F64", "I64"])
            if draw.random() < 0.3:
                header[PICTURE_LINK] = header.pop(draw.choice(names))
            plain = json.dumps(header).encode()
            content = bytearray(struct.pack("<Q", len(plain)) + plain + whole[8 + length :])
        yield bytes(content)
