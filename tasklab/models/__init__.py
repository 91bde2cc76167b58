"""Backbones for small images, the network they become with a head, and a faster copy for attacks."""

from __future__ import annotations

from tasklab.models.fast import Plan, prepare, probe
from tasklab.models.network import Network, build_network
from tasklab.models.registry import ARCHITECTURES
from tasklab.models.spec import NetworkSpec

__all__ = [
    "ARCHITECTURES",
    "Network",
    "NetworkSpec",
    "Plan",
    "build_network",
    "prepare",
    "probe",
]
