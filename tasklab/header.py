"""Reading the header of a safetensors file within limits: its size is checked before it is parsed."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasklab.text import one_line

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "I64": torch.int64, "I32": torch.int32,
    "I16": torch.int16, "I8": torch.int8, "U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16,
    "U8": torch.uint8, "BOOL": torch.bool,
}
"""The types of numbers by their names in a header."""

MAX_DIMS = 8


class CheckpointError(ValueError):
    """A file is not a complete, unchanged system of this version; the message is one sentence of limited length."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a header.

    Args:
        header: its largest size in bytes; it holds the card or the state.
        tensors: largest number of tensors.
    """

    header: int
    tensors: int


SYSTEM = Limits(header=2**20, tensors=4096)
"""Limits for a system: the largest that is shipped has 41 kB and 360 tensors, a DenseNet-121 about 100 kB and 727."""

STATE = Limits(header=2**24, tensors=2**16)
"""Limits for the state of a training run: three copies of the weights, and the optimizer's state."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The header of a file.

    Attributes:
        tensors: name to type and shape.
        metadata: name to text.
    """

    tensors: Mapping[str, tuple[torch.dtype, tuple[int, ...]]]
    metadata: Mapping[str, str]


def read_header(path: Path, limits: Limits) -> Header:
    """Read the header of a safetensors file.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is not a safetensors file, its header exceeds the limits, or its tensors do not fill the
            rest of the file exactly.
    """
    name = one_line(path.name, 80)
    if path.is_dir():
        raise CheckpointError(f"{name}: expected a checkpoint file, got a folder; try a file in it")
    if not path.is_file():
        raise FileNotFoundError(f"expected a checkpoint file at {path}, got nothing there")
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            (length,) = struct.unpack("<Q", file.read(8))
            if length > size - 8:
                raise ValueError("its header is longer than the file")
            if length > limits.header:
                raise ValueError(f"its header has {length:,} bytes, and {limits.header:,} are allowed")
            content = read_json(file.read(length).decode(), depth=3)
        return _header(content, size - 8 - length, limits)
    except (OSError, ValueError, struct.error) as error:
        raise CheckpointError(
            f"{name}: expected a whole safetensors file, got one that cannot be read "
            f"({one_line(error, 150)}); try another copy"
        ) from None


def read_json(text: str, *, depth: int) -> Any:
    """Parse a JSON text that is nested at most ``depth`` deep.

    Raises:
        ValueError: it is not JSON, or is nested too deeply; the message is one sentence.
    """
    level = 0
    for match in re.finditer(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', text, re.DOTALL):
        mark = match[0]
        level += (mark in ("[", "{")) - (mark in ("]", "}"))
        if level > depth:
            raise ValueError(f"it is nested more than {depth} levels deep")
    try:
        return json.loads(text)
    except RecursionError:  # the caller is deep in a recursion already
        raise ValueError("it is nested too deeply") from None


def digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """SHA-256 of a text and of every tensor's name, type, shape and numbers."""
    hashed = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return hashed.hexdigest()


def _header(content: Any, room: int, limits: Limits) -> Header:
    if not isinstance(content, dict):
        raise ValueError("its header is not a table of tensors")
    metadata = content.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not text")
    if len(content) > limits.tensors:
        raise ValueError(f"it has {len(content):,} tensors, and {limits.tensors:,} are allowed")
    tensors, end = {}, 0
    for name, entry in content.items():
        tensors[name], last = _tensor(name, entry, room)
        end = max(end, last)
    if end != room:
        raise ValueError(f"its tensors take {end:,} bytes and it holds {room:,}")
    return Header(tensors=tensors, metadata=metadata)


def _tensor(name: str, entry: Any, room: int) -> tuple[tuple[torch.dtype, tuple[int, ...]], int]:
    """Type and shape of a tensor, and the offset at which its numbers end."""
    subject = f"tensor {one_line(name, 60)!r}"
    entry = entry if isinstance(entry, dict) else {}
    dtype = DTYPES.get(str(entry.get("dtype")))
    shape, ends = _counts(entry.get("shape")), _counts(entry.get("data_offsets"))
    if dtype is None or shape is None or len(shape) > MAX_DIMS or ends is None or len(ends) != 2:
        raise ValueError(f"{subject} has an unknown type, or no shape or place")
    begin, end = ends
    if not 0 <= begin <= end <= room or math.prod(shape) * dtype.itemsize != end - begin:
        raise ValueError(f"{subject} has another size than its shape")
    return (dtype, tuple(shape)), end


def _counts(value: Any) -> list[int] | None:
    return value if isinstance(value, list) and all(type(each) is int and 0 <= each < 2**53 for each in value) else None
