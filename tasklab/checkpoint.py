"""One file per system: weights as safetensors, the whole card as its metadata, a digest over both. No pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import safetensors
import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from tasklab import files
from tasklab.models import Network, NetworkSpec, build_network
from tasklab.modes import own_modes
from tasklab.system import System
from tasklab.tasks import Task

FORMAT = 1
"""The version of the file's layout."""

MAX_CODE = 2**18
"""Classes × bits of a task that a file may ask for: its code is built before anything of that size has been read."""


class CheckpointError(ValueError):
    """A file that is not a whole, unaltered system of this version."""


def save(system: System, path: str | Path, *, dtype: Literal["float32", "float16"] = "float32") -> None:
    """Write a system whole or not at all.

    Args:
        system: one whose network is a tasklab `Network`.
        path: the file; an older one is replaced in one step.
        dtype: how weights are stored. float16 halves the file; BatchNorm statistics and biases stay float32.

    Raises:
        TypeError: the network is not a tasklab `Network`, so a file could not say how to build it; or a card with
            other values than JSON's.
        ValueError: another dtype, or weights that float16 cannot hold.
    """
    if not isinstance(system.network, Network):
        raise TypeError(
            f"expected a system with a tasklab Network, got {type(system.network).__name__}; "
            "try torch.save for a module of your own"
        )
    if dtype not in ("float32", "float16"):
        raise ValueError(f"expected dtype 'float32' or 'float16', got {dtype!r}")
    try:
        told = json.loads(json.dumps(system.card))  # as it will be read: keys are words, tuples lists
    except (TypeError, ValueError) as error:
        raise TypeError(f"expected a card of plain JSON values, got one that is not ({error})") from None
    card = told | {
        "format": FORMAT,
        "task": system.task.to_dict(),
        "network": system.network.spec.to_dict(),
        "stored": dtype,
    }
    weights = {name: _stored(name, tensor, dtype) for name, tensor in system.network.state_dict().items()}
    write_tensors(path, weights, {"tasklab": json.dumps(card, sort_keys=True), "digest": _digest(weights, card)})


@own_modes()
def load(path: str | Path) -> System:
    """Read a system; its card is in ``system.card``.

    Args:
        path: a file that `save` wrote.

    Returns:
        The system on the CPU, in evaluation mode, its weights float32 and frozen; to train it further, begin with
        ``system.network.requires_grad_(True)``.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: truncated, foreign, altered, of another version, or weights that do not fit the card.
    """
    weights, metadata = read_tensors(path)
    name = Path(path).name
    if "tasklab" not in metadata:
        raise CheckpointError(f"{name}: expected a tasklab system, got a safetensors file without a tasklab card")
    try:
        card = json.loads(metadata["tasklab"])
        version = card["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{name}: expected a readable card, got {_short(error)}; try another copy") from None
    if version != FORMAT:
        raise CheckpointError(f"{name}: expected file format {FORMAT}, got {version!r}; try another tasklab version")
    if metadata.get("digest") != _digest(weights, card):
        raise CheckpointError(f"{name}: expected the digest written with the file, got another: it was altered")
    try:
        task, spec = _task(card["task"]), NetworkSpec.from_dict(card["network"])
        with torch.device("meta"):
            expected = {key: tensor.shape for key, tensor in Network(spec).state_dict().items()}
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise CheckpointError(f"{name}: expected a card that tasklab can build, got: {_short(error)}") from None
    got = {key: tensor.shape for key, tensor in weights.items()}
    if expected != got or spec.outputs != task.width:
        wrong = sorted(key for key in expected.keys() | got.keys() if expected.get(key) != got.get(key))
        which = ", ".join(wrong[:3]) or "outputs"
        raise CheckpointError(f"{name}: expected weights that fit the card, got others: {which}; try another copy")
    network = build_network(spec, seed=0)
    network.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in weights.items()})
    return System(network.eval().requires_grad_(False), task, card=card)


def write_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all."""
    content = to_bytes({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, metadata)
    files.write_bytes(path, content)


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: not a whole safetensors file.
    """
    return _open(path, with_tensors=True)


def _open(path: str | Path, *, with_tensors: bool) -> tuple[dict[str, Tensor], dict[str, str]]:
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path.name}: expected a checkpoint file, got a folder; try a file in it")
    if not path.is_file():
        raise FileNotFoundError(f"expected a checkpoint file at {path}, got nothing there")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            keys = list(file.keys()) if with_tensors else []
            return {key: file.get_tensor(key) for key in keys}, dict(file.metadata() or {})
    except (safetensors.SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(
            f"{path.name}: expected a whole safetensors file, got one that does not read ({_short(error)}); "
            "try another copy"
        ) from None


def read_metadata(path: str | Path) -> dict[str, str]:
    """The metadata of a safetensors file, without its tensors; raises as `read_tensors` does."""
    return _open(path, with_tensors=False)[1]


def _short(error: BaseException) -> str:
    """An error's first line, its kind too where that says more."""
    text = (str(error).splitlines() or [""])[0][:200]
    return f"{type(error).__name__} {text}" if isinstance(error, KeyError) or not text else text


def _task(settings: Any) -> Task:
    if isinstance(settings, dict):
        classes, bits = settings.get("num_classes"), settings.get("bits") or 1
        if isinstance(classes, int) and isinstance(bits, int) and classes * bits > MAX_CODE:
            raise ValueError(f"expected classes × bits up to {MAX_CODE}, got {classes} × {bits}")
    return Task.from_dict(settings)


def _stored(name: str, tensor: Tensor, dtype: str) -> Tensor:
    if dtype == "float32" or not tensor.is_floating_point() or tensor.ndim < 2:
        return tensor
    half = tensor.half()
    if not bool(half.isfinite().all()):
        raise ValueError(f"expected weights that float16 can hold, got larger ones in {name}; try dtype='float32'")
    return half


def _digest(weights: dict[str, Tensor], card: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(card, sort_keys=True).encode())
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
