"""Rewriting a frozen network in eval mode so that it costs less, with the same outputs and input gradients.

Each rewrite uses torch.fx only to find out which layer feeds which, and then changes the layers in place, so that the
network's own Python code, layer names and children are kept. Where a module cannot be traced (because its control flow
depends on the data), its children are tried one by one; modules that cannot be traced at all are not changed.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tasklab.models.small import ChannelsLast

_TRANSPARENT = (nn.Identity, ChannelsLast)
_log = logging.getLogger(__name__)

_tracing = threading.Lock()
"""Held while torch.fx traces, because it then intercepts the calls of all modules in the process."""

_CONVS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
    nn.Linear: nn.BatchNorm1d,
}


def fold_batchnorm(network: nn.Module) -> int:
    """Fold each BatchNorm that directly follows a convolution or a linear layer into its weights, in place.

    In eval mode BatchNorm is an affine map per channel, so the folded network is the same function up to rounding. Left
    alone are a BatchNorm before its convolution (DenseNet), one without running statistics, and a layer that is called
    twice or has hooks. A linear layer's output is taken to be (N, D).

    Returns:
        The number of layers folded.
    """
    pairs = _pairs(network, _can_fold)
    for first, second in pairs:
        layer, norm = network.get_submodule(first), network.get_submodule(second)
        _fold(layer, norm)
        network.set_submodule(second, nn.Identity())
    return len(pairs)


def pool_before_relu(network: nn.Module) -> int:
    """Move each max-pool that follows a ReLU before it, in place: the same outputs and gradients on a smaller map.

    Returns:
        The number of pairs exchanged.
    """
    pairs = _pairs(network, lambda a, b: type(a) is nn.ReLU and type(b) is nn.MaxPool2d and not b.return_indices)
    for first, second in pairs:
        network.set_submodule(second, nn.Sequential(network.get_submodule(second), nn.ReLU(inplace=True)))
        network.set_submodule(first, nn.Identity())
    return len(pairs)


def _can_fold(layer: nn.Module, norm: nn.Module) -> bool:
    return (
        _CONVS.get(type(layer)) is type(norm)
        and isinstance(norm, _BatchNorm)
        and norm.running_mean is not None
        and not norm.training
    )


def _fold(layer: nn.Module, norm: nn.Module) -> None:
    """Give the layer new weights that include norm; its old tensors may be in use elsewhere and are not changed."""
    weight, bias, mean, var = layer.weight, layer.bias, norm.running_mean, norm.running_var
    assert isinstance(weight, Tensor)
    assert isinstance(mean, Tensor)
    assert isinstance(var, Tensor)
    gain = torch.rsqrt(var + cast(float, norm.eps))
    if norm.weight is not None:
        gain = gain * cast(Tensor, norm.weight)
    shift = -mean if bias is None else cast(Tensor, bias) - mean
    shift = shift * gain if norm.bias is None else shift * gain + cast(Tensor, norm.bias)
    layer.weight = nn.Parameter(weight * gain.view(-1, *[1] * (weight.dim() - 1)), requires_grad=False)
    layer.bias = nn.Parameter(shift, requires_grad=False)


def _pairs(network: nn.Module, matches: Callable[[nn.Module, nn.Module], bool]) -> list[tuple[str, str]]:
    """Return the names of the pairs of layers where the second takes the first's output and nothing else does."""
    uses = Counter(id(layer) for _, layer in network.named_modules(remove_duplicate=False))
    pairs = []
    for first, second in _edges(network, ""):
        a, b = network.get_submodule(first), network.get_submodule(second)
        hooked = any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in (a, b))
        if matches(a, b) and not hooked and uses[id(a)] == uses[id(b)] == 1:
            pairs.append((first, second))
    return pairs


class _Tracer(fx.Tracer):
    """A tracer that treats the transparent layers as leaves, and ignores calls from other threads."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        here = threading.get_ident() == self._thread
        return super().call_module(m, forward, args, kwargs) if here else forward(*args, **kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        here = threading.get_ident() == self._thread
        return super().getattr(attr, attr_val, parameter_proxy_cache) if here else attr_val

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _TRANSPARENT) or super().is_leaf_module(m, module_qualified_name)


def _only_source(node: fx.Node) -> fx.Node | None:
    """Return the layer call that node, itself a layer call, takes its one input from, if nothing else does."""
    source = node.args[0] if node.op == "call_module" and len(node.args) == 1 else None
    alone = isinstance(source, fx.Node) and source.op == "call_module" and len(source.users) == 1
    return cast(fx.Node, source) if alone else None


def _edges(module: nn.Module, prefix: str) -> list[tuple[str, str]]:
    """Return (producer, consumer) names of layers called once each, the producer's output going nowhere else."""
    if not any(True for _ in module.children()):
        return []
    try:
        with _tracing:
            graph = _Tracer().trace(module)
    except Exception as reason:  # a tracer can meet any error of the module's own code
        _log.debug("%s is not traceable (%s); trying its children", prefix or "the network", reason)
        return [edge for name, child in module.named_children() for edge in _edges(child, f"{prefix}{name}.")]
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    edges = []
    for node in graph.nodes:
        source = _only_source(node)
        while source is not None and isinstance(module.get_submodule(str(source.target)), _TRANSPARENT):
            source = _only_source(source)
        if source is not None:
            first, second = str(source.target), str(node.target)
            if calls[first] == calls[second] == 1:
                edges.append((prefix + first, prefix + second))
    return edges
