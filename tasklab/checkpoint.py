"""One file per system: the weights as safetensors, the card as metadata, and a digest over both; never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors
import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from tasklab import files, strict_json
from tasklab.card import MAX_DEPTH, check_numbers, rebuilt
from tasklab.header import STATE, SYSTEM, Header, digest, read_header, read_json
from tasklab.header import CheckpointError as CheckpointError
from tasklab.models.network import Network, build_network
from tasklab.models.spec import NetworkSpec
from tasklab.modes import own_modes
from tasklab.tasks import Task
from tasklab.text import one_line

FORMAT = 1
"""The version of the file's layout."""

STORED = {torch.float16: "float16", torch.float32: "float32"}
"""The types in which weights may be stored, and their names in a card."""


def save(
    network: nn.Module, task: Task, card: Mapping[str, Any], path: str | Path, *,
    dtype: Literal["float32", "float16"] = "float32",
) -> None:
    """Write a system whole or not at all.

    Numbers of the card that JSON does not have become null; `tasklab.card` decides which parts are kept on reading.

    Args:
        network: a tasklab `Network`.
        task: what its outputs mean.
        card: what is known about the two, as plain JSON values.
        path: the file; an older one is replaced in one step.
        dtype: how weights are stored. float16 halves the file; BatchNorm statistics and biases stay float32.

    Raises:
        TypeError: the network is not a tasklab `Network`, so a file could not say how to build it; or the card has
            values that JSON does not have.
        ValueError: another dtype, weights that float16 cannot hold, or a card that is too large for a file.
    """
    if not isinstance(network, Network):
        raise TypeError(
            f"expected a system with a tasklab Network, got {type(network).__name__}; "
            "try torch.save for a module of your own"
        )
    if dtype not in ("float32", "float16"):
        raise ValueError(f"expected dtype 'float32' or 'float16', got {dtype!r}")
    try:
        plain_card = json.loads(strict_json.dumps(dict(card)))  # as it will be read: keys are words, tuples lists
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"expected a card of plain JSON values, got one that is not ({one_line(error, 150)})") from None
    whole = plain_card | {"format": FORMAT, "task": task.to_dict(), "network": network.spec.to_dict(), "stored": dtype}
    text = json.dumps(whole, sort_keys=True)
    if len(text) > SYSTEM.header // 2:
        most = f"{SYSTEM.header // 2:,}"
        raise ValueError(f"expected a card of up to {most} characters, got {len(text):,}; try less in it")
    try:
        read_json(text, depth=MAX_DEPTH)
    except ValueError as error:
        raise ValueError(f"expected a card that can be read again, got one that cannot: {error}") from None
    weights = {name: _stored(name, tensor, dtype) for name, tensor in network.state_dict().items()}
    write_tensors(path, weights, {"tasklab": text})


@own_modes()
def load(path: str | Path) -> tuple[Network, Task, dict[str, Any]]:
    """Read a system's network, task and card.

    Args:
        path: a file that `save` wrote.

    Returns:
        The network on the CPU, in evaluation mode, its weights float32 and frozen, with its task and its card; to train
        it further, begin with ``network.requires_grad_(True)``.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: truncated, foreign, altered, too large, of another version, or weights that do not fit.
    """
    described = _described(Path(path))
    weights = _whole(Path(path), described)
    network = build_network(described.spec, seed=0)
    network.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in weights.items()})
    return network.eval().requires_grad_(False), described.task, described.card


def read_card(path: str | Path, *, whole: bool = True) -> dict[str, Any]:
    """The card of a system's file, as `load` gives it.

    Args:
        path: a file that `save` wrote.
        whole: also check that the weights fit the card and the digest.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: as for `load`.
    """
    described = _described(Path(path))
    if whole:
        _whole(Path(path), described)
    return described.card


def digest_of(path: str | Path) -> str:
    """The digest in a system's file, which identifies the system; the weights are not read.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: not a system's file.
    """
    return _described(Path(path)).header.metadata.get("digest", "")


@dataclass(frozen=True, kw_only=True)
class _Described:
    """The contents of the header of a system's file, with the card rebuilt."""

    header: Header
    card: dict[str, Any]
    task: Task
    spec: NetworkSpec


def _described(path: Path) -> _Described:
    """Read and check the header alone."""
    header, name = read_header(path, SYSTEM), one_line(path.name, 80)
    if "tasklab" not in header.metadata:
        raise CheckpointError(f"{name}: expected a tasklab system, got a safetensors file without a tasklab card")
    try:
        card = read_json(header.metadata["tasklab"], depth=MAX_DEPTH)
        version = card["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{name}: expected a readable card, got {_short(error)}; try another copy") from None
    if type(version) is not int or version != FORMAT:
        raise CheckpointError(
            f"{name}: expected file format {FORMAT}, got {one_line(repr(version), 40)}; try another tasklab version"
        )
    try:
        for part in ("task", "network"):
            check_numbers(card[part])
        task, spec = Task.from_dict(card["task"]), NetworkSpec.from_dict(card["network"])
    except (KeyError, TypeError, ValueError, RuntimeError, ArithmeticError, AttributeError) as error:
        raise CheckpointError(f"{name}: expected a card that tasklab can build, got: {_short(error)}") from None
    if spec.outputs != task.width:
        raise CheckpointError(
            f"{name}: expected a network with as many outputs as its task, {task.width}, got {spec.outputs}; "
            "try another copy"
        )
    half = any(dtype == torch.float16 for dtype, _ in header.tensors.values())
    stored = STORED[torch.float16 if half else torch.float32]
    built = {"task": _sorted(task.to_dict()), "network": _sorted(spec.to_dict()), "stored": stored, "format": FORMAT}
    others = {key: value for key, value in card.items() if key not in built}
    return _Described(header=header, card=_sorted(rebuilt(others) | built), task=task, spec=spec)


def _sorted(table: dict[str, Any]) -> dict[str, Any]:
    """The table in the order of the file."""
    return dict(sorted(table.items()))


def _fits(
    name: str, expected: Mapping[str, tuple[torch.dtype, torch.Size]],
    there: Mapping[str, tuple[torch.dtype, tuple[int, ...]]],
) -> bool:
    """Whether a tensor is both in the network and in the file, with the same shape and a matching type."""
    if name not in expected or name not in there:
        return False
    (dtype, shape), (stored_dtype, size) = expected[name], there[name]
    return tuple(shape) == size and (stored_dtype in STORED if dtype.is_floating_point else stored_dtype == dtype)


def _whole(path: Path, described: _Described) -> dict[str, Tensor]:
    """The weights of a system's file, once the header shows that they fit the network; the digest is compared, too."""
    name, there = one_line(path.name, 80), described.header.tensors
    try:
        with torch.device("meta"):
            network = Network(described.spec)
        expected = {key: (tensor.dtype, tensor.shape) for key, tensor in network.state_dict().items()}
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(f"{name}: expected a card that tasklab can build, got: {_short(error)}") from None
    wrong = sorted(key for key in expected.keys() | there.keys() if not _fits(key, expected, there))
    if wrong:
        which = ", ".join(one_line(key, 60) for key in wrong[:3])
        raise CheckpointError(f"{name}: expected weights that fit the card, got others: {which}; try another copy")
    weights, metadata = _tensors(path)
    if metadata.get("digest") != digest(weights, metadata.get("tasklab", "")):
        raise _altered(path)
    return weights


def write_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all.

    Args:
        path: the file; an older one is replaced in one step.
        tensors: by name.
        metadata: one text by its name; a digest over it and the tensors is written beside it.
    """
    (text,) = metadata.values()
    sealed = metadata | {"digest": digest(tensors, text)}
    content = to_bytes({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, sealed)
    files.write_bytes(path, content)


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a file that `write_tensors` wrote.

    A file whose metadata are a single text was written by an earlier version without a digest, so none is compared.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: not a whole safetensors file, or one that was altered.
    """
    path = Path(path)
    read_header(path, STATE)
    tensors, metadata = _tensors(path)
    if len(metadata) == 1:
        return tensors, metadata
    written = metadata.pop("digest", None)
    if written != digest(tensors, "".join(metadata.values())):
        raise _altered(path)
    return tensors, metadata


def _altered(path: Path) -> CheckpointError:
    return CheckpointError(f"{one_line(path.name, 80)}: expected the digest written with the file, got another: "
                           "it was altered; try another copy")


def _tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and metadata of a file whose header has been checked."""
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, RuntimeError, KeyError, MemoryError) as error:
        raise CheckpointError(
            f"{one_line(path.name, 80)}: expected a whole safetensors file, got one that cannot be read "
            f"({_short(error)}); try another copy"
        ) from None


def _short(error: BaseException) -> str:
    """The first line of an error, with the error's type where the line alone says too little."""
    text = one_line((str(error).splitlines() or [""])[0], 200)
    return f"{type(error).__name__} {text}" if isinstance(error, KeyError) or not text else text


def _stored(name: str, tensor: Tensor, dtype: str) -> Tensor:
    if dtype == "float32" or not tensor.is_floating_point() or tensor.ndim < 2:
        return tensor
    half = tensor.half()
    if not bool(half.isfinite().all()):
        raise ValueError(f"expected weights that float16 can hold, got larger ones in {name}; try dtype='float32'")
    return half
