"""The description of a network as plain data, from which it can be built again; part of a checkpoint's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from tasklab.checks import as_number, as_whole
from tasklab.models.registry import ARCHITECTURES

MIN_SIDE, MAX_SIDE = 8, 64

MIN_STD, MAX_NUMBER = 1e-30, 1e30
"""Smallest standard deviation that float32 can divide by, and largest number that it can hold."""

MAX_WEIGHTS = 50_000_000
"""Largest number of weights of a network: four times those of ResNet-18, the largest one, and 200 MB in float32."""


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """Everything that defines a network except its weights: architecture, input, outputs, normalisation, output scale.

    Args:
        arch: a key of `ARCHITECTURES`.
        in_shape: (C, H, W) with C 1 or 3 and sides 8 to 64 for images; (D,) for points.
        outputs: K, the number of network outputs per example, at least 1.
        mean: of the training inputs in [0, 1], one value per channel (or per coordinate).
        std: standard deviation, likewise; above 0.
        scale: the outputs are `scale * linear(features) + centre` (a task's natural unit).
        centre: see `scale`.
        width: channels of `small_cnn`, hidden units of `mlp`; leave it out for the others, whose width is fixed.
            The network as a whole may have up to `MAX_WEIGHTS` weights.
        levels: values in the output layer's unit, one per class, whose average is the single output; they are weighted
            by the softmax of the classes' scores. Empty for a linear head.
        contrast: (low, high) in pixel units, 0 <= low < high <= 1: grey values are stretched so that low becomes nearly
            black and high nearly white (see `tasklab.models.network.ContrastStretch`); None leaves them as they are.

    Raises:
        ValueError: a value is out of range.
        TypeError: a value has another type.

    >>> spec = NetworkSpec(arch="small_cnn", in_shape=(1, 28, 28), outputs=4, mean=(0.13,), std=(0.31,), scale=350.0)
    >>> NetworkSpec.from_dict(spec.to_dict()) == spec
    True
    """

    arch: str
    in_shape: tuple[int, ...]
    outputs: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1.0
    centre: float = 0.0
    width: int = 32
    levels: tuple[float, ...] = ()
    contrast: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Normalise sequences to tuples and numbers to their plain types, then check every field."""
        if not isinstance(self.arch, str) or self.arch not in ARCHITECTURES:
            raise ValueError(f"expected arch to be one of {', '.join(ARCHITECTURES)}, got {self.arch!r}")
        object.__setattr__(self, "in_shape", tuple(_whole("in_shape", s) for s in _sequence("in_shape", self.in_shape)))
        object.__setattr__(self, "outputs", _whole("outputs", self.outputs))
        object.__setattr__(self, "width", _whole("width", self.width))
        for name in ("mean", "std", "levels"):
            values = tuple(_number(name, v) for v in _sequence(name, getattr(self, name)))
            object.__setattr__(self, name, values)
        for name in ("scale", "centre"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        if self.contrast is not None:
            limits = tuple(_number("contrast", v) for v in _sequence("contrast", self.contrast))
            object.__setattr__(self, "contrast", limits)
        self._check_shape()
        self._check_ranges()
        if self.weights > MAX_WEIGHTS:
            smaller = "a smaller width" if ARCHITECTURES[self.arch].has_width else "fewer outputs"
            raise ValueError(
                f"expected a network of up to {MAX_WEIGHTS:,} weights, got {self.arch} with {self.weights:,}; "
                f"try {smaller}"
            )

    @property
    def weights(self) -> int:
        """The number of weights, computed without building the network."""
        trunk, features = ARCHITECTURES[self.arch].count(self.in_shape, self.width)
        return trunk + (features + 1) * (len(self.levels) or self.outputs)

    def _check_shape(self) -> None:
        arch, shape = ARCHITECTURES[self.arch], self.in_shape
        if arch.input_dims == 1:
            if len(shape) != 1 or shape[0] < 1:
                raise ValueError(f"expected in_shape (D,) with D >= 1 for {self.arch}, got {shape}; try (2,)")
            return
        if len(shape) != 3:
            raise ValueError(f"expected in_shape (C, H, W) for {self.arch}, got {shape}; try (1, 28, 28)")
        if shape[0] not in (1, 3):
            raise ValueError(f"expected 1 or 3 channels, got in_shape {shape}; try (1, 28, 28) or (3, 32, 32)")
        if not all(MIN_SIDE <= side <= MAX_SIDE for side in shape[1:]):
            raise ValueError(f"expected sides from {MIN_SIDE} to {MAX_SIDE} pixels, got in_shape {shape}")

    def _check_ranges(self) -> None:
        if self.outputs < 1:
            raise ValueError(f"expected outputs >= 1, got {self.outputs}; try the task's width")
        if self.width < 1:
            raise ValueError(f"expected width >= 1, got {self.width}; try 32")
        if not ARCHITECTURES[self.arch].has_width and self.width != 32:
            raise ValueError(f"expected width 32, since {self.arch} has a fixed width, got {self.width}; leave it out")
        if self.levels and self.outputs != 1:
            raise ValueError(f"expected no levels unless outputs is 1, got {len(self.levels)}; leave them out")
        for name in ("mean", "std"):
            values, channels = getattr(self, name), self.in_shape[0]
            if len(values) != channels:
                raise ValueError(f"expected {channels} value(s) in {name} for in_shape {self.in_shape}, got {values}")
        if min(self.std) < MIN_STD:
            raise ValueError(f"expected every std above 0, {MIN_STD:g} at the least, got {self.std}")
        ends = self.contrast
        if ends is not None and not (len(ends) == 2 and 0 <= ends[0] < ends[1] <= 1):
            raise ValueError(f"expected contrast (low, high) with 0 <= low < high <= 1, got {ends}; try (0.3, 0.7)")
        if self.scale == 0:
            raise ValueError("expected a scale other than 0, got 0; try 1.0")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict of JSON values; `from_dict` gives back an equal spec."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NetworkSpec:
        """Build a spec from the result of `to_dict`.

        Raises:
            ValueError: keys are unknown or missing, or a value is out of range.
            TypeError: the data are not a dict, or a value has another type.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"expected a dict of network settings, got {type(data).__name__}; try spec.to_dict()")
        if data.get("stairs") == 0:  # another kind of head, which earlier versions could name
            data = {key: value for key, value in data.items() if key != "stairs"}
        known = {f.name for f in fields(cls)}
        unknown = sorted(str(key) for key in data if key not in known)
        missing = sorted(f.name for f in fields(cls) if f.default is MISSING and f.name not in data)
        if unknown:
            raise ValueError(f"expected network settings {', '.join(sorted(known))}, got unknown {', '.join(unknown)}")
        if missing:
            raise ValueError(f"expected network settings {', '.join(sorted(known))}, got none for {', '.join(missing)}")
        return cls(**data)


def _sequence(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"expected {name} to be a tuple of numbers, got {type(value).__name__} {value!r}")
    return tuple(value)


def _whole(name: str, value: Any) -> int:
    number = as_whole(value)
    if number is None:
        raise TypeError(f"expected whole numbers for {name}, got {value!r}")
    if not abs(number) < 2**53:
        raise ValueError(f"expected whole numbers below 2**53 for {name}, got a larger one")
    return number


def _number(name: str, value: Any) -> float:
    number = as_number(value)
    if number is None:
        raise TypeError(f"expected numbers for {name}, got {value!r}")
    if not abs(number) <= MAX_NUMBER:
        raise ValueError(f"expected finite numbers that float32 can hold for {name}, got {number!r}")
    return float(number)
