"""Backbones for small images, the network they become with a head, and a faster copy for attacks."""

from __future__ import annotations

from tasklab.models.fast import PLAIN, Plan, prepare, probe
from tasklab.models.network import ContrastStretch, Head, Network, Normalise, build_network
from tasklab.models.registry import ARCHITECTURES, Architecture
from tasklab.models.spec import NetworkSpec

__all__ = [
    "ARCHITECTURES",
    "PLAIN",
    "Architecture",
    "ContrastStretch",
    "Head",
    "Network",
    "NetworkSpec",
    "Normalise",
    "Plan",
    "build_network",
    "prepare",
    "probe",
]
