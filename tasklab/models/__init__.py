"""Backbones for small images, the network they become with a head, and a faster copy for attacks."""

from __future__ import annotations

from tasklab.models.network import Head, Network, Normalise, build_network
from tasklab.models.registry import ARCHITECTURES, Architecture
from tasklab.models.spec import NetworkSpec

__all__ = ["ARCHITECTURES", "Architecture", "Head", "Network", "NetworkSpec", "Normalise", "build_network"]
