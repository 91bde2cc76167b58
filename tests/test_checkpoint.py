"""One file per system: what goes in comes out, and what is not whole is refused in a sentence."""

from __future__ import annotations

import json
import os
import re
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import tasklab
from tasklab import checkpoint, files
from tasklab.checkpoint import CheckpointError
from tasklab.header import digest
from tasklab.models import NetworkSpec, build_network
from tasklab.system import System
from tasklab.tasks import INT, RBC, TRA, DeepBE, Task

TASKS: list[Task] = [
    TRA(), RBC(S=100), RBC(code="gray", bits=5), DeepBE(loss_form="bce"), INT(gap="floor"),
    TRA(parametrisation="paper"),
    RBC(num_classes=3, code=((0, 1, 1), (1, 0, 1), (1, 1, 0))),
]
X = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(5))


def system_of(task: Task, card: dict[str, Any] | None = None) -> System:
    spec = NetworkSpec(arch="small_cnn", in_shape=(1, 8, 8), outputs=task.width, mean=(0.3,), std=(0.3,),
                       scale=task.unit, centre=task.centre, width=4)
    network = build_network(spec, seed=1).train()
    with torch.no_grad():
        network(X)  # statistics of one's own
    return System(network, task, card=card)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "system.safetensors"
    system_of(RBC(S=350)).save(path)
    return path.read_bytes()


def refused(path: Path) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(CheckpointError) as caught:
        System.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path.name}: expected "), message
    assert "got" in message
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize("task", TASKS, ids=lambda t: f"{t.name}-{t.num_classes}-{t.width}")
def test_float32_comes_back_bit_for_bit(task: Task, tmp_path: Path) -> None:
    system = system_of(task, {"title": "Größe ε", "data": {"name": "noise"}, "seeds": (1, 2), "accuracy": 0.1 + 0.2})
    flags = [m.training for m in system.network.modules()]
    system.save(tmp_path / "new" / "a.safetensors")
    assert [m.training for m in system.network.modules()] == flags
    again = System.load(tmp_path / "new" / "a.safetensors")
    assert again.task == task
    assert torch.equal(again.outputs(X), system.outputs(X))
    expected = system.network.state_dict()
    assert expected.keys() == again.network.state_dict().keys()
    for key, value in again.network.state_dict().items():
        assert value.dtype == expected[key].dtype
        assert torch.equal(value, expected[key])
    assert again.network.spec == system.network.spec  # type: ignore[union-attr]
    assert again.card["title"] == "Größe ε"
    assert again.card["seeds"] == [1, 2]
    assert again.card["accuracy"] == 0.1 + 0.2
    assert again.card["stored"] == "float32"
    assert not any(m.training for m in again.network.modules())
    assert not any(p.requires_grad for p in again.network.parameters())
    assert os.listdir(tmp_path / "new") == ["a.safetensors"]
    again.save(tmp_path / "b.safetensors")
    assert System.load(tmp_path / "b.safetensors").card == again.card


@pytest.mark.parametrize("task", TASKS[:5], ids=lambda t: t.name)
def test_float16_halves_the_file_and_keeps_nearly_every_prediction(task: Task, tmp_path: Path) -> None:
    system = system_of(task)
    system.save(tmp_path / "full")
    system.save(tmp_path / "half", dtype="float16")
    assert (tmp_path / "half").stat().st_size < 0.75 * (tmp_path / "full").stat().st_size
    again = System.load(tmp_path / "half")
    assert all(p.dtype == torch.float32 for p in again.network.parameters())
    same = again.predict(X) == system.predict(X)
    assert float(same.float().mean()) > 0.97
    assert torch.allclose(again.read(X), system.read(X), atol=0.01 * task.unit)
    before, after = system.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before if "running" in key or key.endswith("bias"))
    again.save(tmp_path / "half again", dtype="float16")
    assert torch.equal(System.load(tmp_path / "half again").read(X), again.read(X))


def test_loading_leaves_the_random_state_alone(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(whole)
    state = torch.get_rng_state()
    System.load(tmp_path / "a")
    assert torch.equal(torch.get_rng_state(), state)


def test_a_card_with_numbers_for_keys_comes_back_as_words(tmp_path: Path) -> None:
    system = system_of(RBC(), {"per_class": {2: 0.5, 10: 0.25}, "loss": float("nan")})
    system.save(tmp_path / "a")
    assert System.load(tmp_path / "a").card["per_class"] == {"2": 0.5, "10": 0.25}


def test_what_cannot_be_saved_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(TypeError, match="expected a system with a tasklab Network, got Linear"):
        System(nn.Linear(4, 10), TRA()).save(path)
    with pytest.raises(ValueError, match="expected dtype 'float32' or 'float16', got 'int8'"):
        system_of(TRA()).save(path, dtype="int8")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a card of plain JSON values, got"):
        system_of(TRA(), {"x": torch.zeros(2)}).save(path)
    large = system_of(TRA())
    with torch.no_grad():
        large.network.head.linear.weight[0, 0] = 1e6  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"expected weights that float16 can hold, got .* head\.linear\.weight"):
        large.save(path, dtype="float16")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", ["replace", "write"])
def test_a_save_that_is_interrupted_leaves_the_old_file(
    where: str, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "system"
    path.write_bytes(whole)

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace" if where == "replace" else "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        system_of(TRA()).save(path)
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path], "and nothing half-written beside it"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_or_altered_file_is_refused(whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "system"
    if data.draw(st.booleans()):
        length = data.draw(st.one_of(st.integers(0, len(whole) - 1), st.integers(0, 16), st.just(len(whole) - 1)))
        path.write_bytes(whole[:length])
    else:
        place = data.draw(st.integers(0, len(whole) - 1))
        bit = data.draw(st.integers(0, 7))
        content = bytearray(whole)
        content[place] ^= 1 << bit
        path.write_bytes(content)
        if content[8:].lstrip(b" ") == whole[8:].lstrip(b" "):
            return
    try:
        refused(path)
    except pytest.fail.Exception:
        # a bit of the header's own spelling that means the same: then the system must be the same
        again = System.load(path)
        (tmp_path / "original").write_bytes(whole)
        assert torch.equal(again.read(X[:4]), System.load(tmp_path / "original").read(X[:4]))
        assert again.task == RBC(S=350)


def test_a_changed_card_or_weight_is_seen(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "system"
    assert whole.count(b'\\"S\\": 350.0') == 1
    path.write_bytes(whole.replace(b'\\"S\\": 350.0', b'\\"S\\": 351.0'))
    assert "altered" in refused(path)
    content = bytearray(whole)
    content[-3] ^= 1
    path.write_bytes(content)
    assert "altered" in refused(path)
    path.write_bytes(whole)
    assert System.load(path).task == RBC(S=350)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "whole safetensors file"),
        (b"PK\x03\x04 not this one", "whole safetensors file"),
        (b"\x80\x02}q\x00.", "whole safetensors file"),
        (struct.pack("<Q", 2**60) + b"{}", "whole safetensors file"),
        (struct.pack("<Q", 2) + b"{}", "without a tasklab card"),
        (struct.pack("<Q", 6) + b'{"a":}', "whole safetensors file"),
        (struct.pack("<Q", 100_000) + b'{"a":' * 20_000, "whole safetensors file"),
    ],
)
def test_what_is_no_system_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    assert says in refused(path)


def test_a_folder_or_nothing_is_refused(tmp_path: Path) -> None:
    assert "got a folder" in refused(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"expected a checkpoint file at .*nothing-here, got nothing there"):
        System.load(tmp_path / "nothing-here")


def forge(path: Path, change: Any, weights: dict[str, torch.Tensor] | None = None) -> None:
    """Write a file whose digest is right, whatever its card says: what somebody hostile could do."""
    system = system_of(RBC(S=350))
    weights = dict(system.network.state_dict()) if weights is None else weights
    card: Any = {"format": checkpoint.FORMAT, "task": system.task.to_dict(), "stored": "float32",
                 "network": system.network.spec.to_dict()}  # type: ignore[union-attr]
    card = change(card) if callable(change) else change
    text = card if isinstance(card, str) else json.dumps(card, sort_keys=True)
    safetensors.torch.save_file(weights, path, {"tasklab": text, "digest": digest(weights, text)})


def changed(part: str, **values: Any) -> Any:
    return lambda card: card | {part: card[part] | values}


def without(key: str) -> Any:
    return lambda card: {k: v for k, v in card.items() if k != key}


FORGED: list[tuple[Any, str]] = [
    (changed("network", width=8), "weights that fit the card"),
    (changed("network", width=10**6), "up to 50,000,000 weights, got small_cnn with 22,"),
    (changed("network", width=10**9), "up to 50,000,000 weights"),
    (changed("network", width=10**18), "numbers up to"),
    (changed("network", width=10**30), "numbers up to"),
    (changed("network", outputs=10**12), "up to 50,000,000 weights"),
    (changed("network", outputs=5), "as many outputs as its task, 4, got 5"),
    (changed("network", arch="resnet18", width=32), "weights that fit the card"),
    (changed("network", arch="vgg"), "can build"),
    (changed("network", in_shape=[1, 10**9, 10**9]), "can build"),
    (changed("network", in_shape="wide"), "can build"),
    (changed("network", extra=1), "can build"),
    (changed("network", scale=float("inf")), "can build"),
    (changed("task", num_classes=10**12), "num_classes up to 32,768"),
    (changed("task", num_classes=2, bits=10**10), "bits up to 1,024"),
    (changed("task", num_classes=1000, bits=1000), "classes × bits up to 131,072"),
    (changed("task", num_classes=17), "can build"),
    (changed("task", bits=5), "as many outputs as its task, 5, got 4"),
    (changed("task", S="350"), "can build"),
    (changed("task", task="svm"), "can build"),
    (changed("task", __class__="os"), "can build"),
    (lambda card: card | {"task": {"task": "int", "num_classes": 10**12}}, "num_classes up to 32,768"),
    (lambda card: card | {"task": {"task": "int"}}, "as many outputs as its task, 1, got 4"),
    (lambda card: card | {"task": None}, "can build"),
    (lambda card: card | {"network": [1]}, "can build"),
    (lambda card: card | {"format": 2}, "expected file format 1, got 2; try another tasklab version"),
    (lambda card: card | {"format": "1"}, "expected file format 1, got '1'"),
    (without("task"), "can build"),
    (without("network"), "can build"),
    (without("format"), "readable card"),
    ([], "readable card"),
    (None, "readable card"),
    ("{", "readable card"),
    ("[" * 200_000, "readable card"),
    ("9" * 5000, "readable card"),
]


@pytest.mark.parametrize(("change", "says"), FORGED)
@pytest.mark.timeout(60)
def test_a_forged_card_is_refused(change: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "forged"
    forge(path, change)
    assert says in refused(path)


def test_a_control_the_forger_s_unchanged_card_is_accepted(tmp_path: Path) -> None:
    forge(tmp_path / "a", lambda card: card)
    assert System.load(tmp_path / "a").task == RBC(S=350)


def test_missing_and_extra_weights_are_named(tmp_path: Path) -> None:
    state = dict(system_of(RBC(S=350)).network.state_dict())
    less = {key: value for key, value in state.items() if key != "head.linear.bias"}
    forge(tmp_path / "less", lambda card: card, less)
    assert "head.linear.bias" in refused(tmp_path / "less")
    forge(tmp_path / "more", lambda card: card, state | {"zzz": torch.zeros(3)})
    assert "zzz" in refused(tmp_path / "more")


def test_nothing_here_reads_or_writes_pickles() -> None:
    folder = Path(tasklab.__file__).parent
    sources = sorted(folder.rglob("*.py"))
    assert len(sources) > 20
    for source in sources:
        result = re.findall(r"(?:^\s*(?:import|from) (?:pickle|dill|joblib|cloudpickle|shelve|marshal)\b.*)"
                           r"|torch\.load\(|torch\.save\(|allow_pickle=True|\beval\(['\"]|\bexec\(",
                           source.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert not result, f"{source}: {result}"
