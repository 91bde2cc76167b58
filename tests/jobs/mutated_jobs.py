"""Folders of jobs as a bad disk, another program or a hostile hand would leave them, from a seed."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, "", "x" * 5000, "<script>alert(1)</script>", "![a](http://127.0.0.1/b)", "../../up",
    "\x00", "\ud800", 0, -1, 3, 10**400, 1e308, -1e308, float("nan"), float("inf"), [], [[]], ["a"], {},
    {"a": {"b": []}}, {"task": "rbc"},
)
WORDS = (b"", b"{", b"[]", b"null", b"7", b"\xff\xfe\x00", b"{}" * 3, b"[" * 100_000, b'{"a":' * 50_000, b"\x00" * 300)
TRAINING = {
    "name": "digits-my-rbc", "data": "digits", "n": 200, "task": {"task": "rbc", "num_classes": 10, "S": 350.0},
    "recipe": {"epochs": 3, "batch_size": 32}, "width": 4, "eps": [0.1],
    "watch": {"eps": 0.2, "steps": 2, "images": 10},
}
EVENTS: list[dict[str, Any]] = [
    {"event": "begin", "at": 1.7e9},
    {"event": "step", "epoch": 1, "step": 1, "steps": 18, "loss": 0.5, "accuracy": 0.1, "lr": 0.1, "seconds": 1.0,
     "progress": 0.05, "message": "epoch 1 of 3, loss 0.5", "at": 1.7e9 + 1},
    {"event": "epoch", "epoch": 1, "epochs": 3, "step": 6.5, "loss": 0.4, "train_accuracy": 0.2, "accuracy": 0.3,
     "abnormal": 0.1, "robust_accuracy": 0.1, "own_loss_accuracy": 0.2, "own_loss_zero_gradient": 0.1, "best": True,
     "zero_gradient_share": None, "unmoved_share": None, "seconds": 2.0, "progress": 0.3,
     "message": "epoch 1 of 3 done", "at": 1.7e9 + 2},
]


def mutate(value: Any, chance: random.Random) -> Any:
    """The same with one thing in it replaced, removed or added."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(sorted(value))
        way = chance.randrange(4)
        if way == 0:
            return {k: v for k, v in value.items() if k != key}
        if way == 1:
            return value | {chance.choice(("extra", "", "format", "S")): chance.choice(ODD)}
        return value | {key: mutate(value[key], chance)}
    return chance.choice(ODD)


def write_job(folder: Path, seed: int, kind: str = "train", settings: dict[str, Any] | None = None) -> None:
    """A job's folder with one to three things wrong."""
    chance = random.Random(seed)
    folder.mkdir(parents=True)
    settings = dict(TRAINING if settings is None else settings)
    job: Any = {"format": 1, "kind": kind, "settings": settings, "created": 1.7e9}
    outcome: Any = {"state": chance.choice(("done", "failed", "stopped")), "message": "It was so.", "at": 1.7e9 + 3}
    events: list[Any] = [dict(event) for event in EVENTS]
    for _ in range(chance.randint(1, 3)):
        what = chance.randrange(4)
        if what == 0:
            job = mutate(job, chance)
        elif what == 1:
            job = mutate(job, chance) if not isinstance(job, dict) else job | {"settings": mutate(settings, chance)}
        elif what == 2:
            outcome = mutate(outcome, chance)
        else:
            place = chance.randrange(len(events))
            events[place] = mutate(events[place], chance)
    (folder / "job.json").write_text(json.dumps(job), "utf-8")
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
    if chance.random() < 0.6:
        (folder / "outcome.json").write_text(json.dumps(outcome), "utf-8")
    if chance.random() < 0.2:
        (folder / chance.choice(("queued", "stop"))).touch()
    name = chance.choice(("job.json", "events.jsonl", "outcome.json", "lock", "queued", "system.safetensors"))
    ruin = chance.randrange(12)
    if ruin == 0:
        (folder / name).unlink(missing_ok=True)
    elif ruin == 1:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()
    elif ruin == 2:
        (folder / name).write_bytes(chance.choice(WORDS))
    elif ruin == 3 and (folder / name).is_file():
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: chance.randrange(len(content) + 1)])


def write_neighbours(root: Path) -> None:
    """What else lies in a folder that people and systems use."""
    (root / "lost+found").mkdir(parents=True)
    for name in (".DS_Store", "README.txt", "zzz"):
        (root / name).write_bytes(b"\x00\x01 not for us")
    (root / "backup" / "of" / "mine").mkdir(parents=True)
    (root / "backup" / "thesis.txt").write_text("years of work", "utf-8")
    (root / "UPPER").mkdir()
