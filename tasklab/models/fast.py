"""Faster copies of a network for gradients with respect to its input, and measuring which copy is worth using.

An attack never needs gradients of the weights, and needs the direction of the input's gradient rather than its last
digits. So BatchNorm can be folded into the convolutions, the maps laid out channels-last and the trunk run in
bfloat16, while the head stays in float32. The results of an attack must be re-checked on the original network.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tasklab.models.folding import fold_batchnorm, pool_before_relu
from tasklab.models.network import Network, own_draws
from tasklab.models.rewiring import rewire
from tasklab.models.sharing import exclusively, on_a_copy
from tasklab.modes import own_modes

_log = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16", "float16"]
_DTYPES: dict[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `prepare` changes in the copy.

    Args:
        fold: fold BatchNorm into the layer before it, and pool before ReLU, where torch.fx can trace the network.
        channels_last: keep maps with the channels innermost.
        precision: of the trunk; the head and the outputs are float32. float16 needs an accelerator.
    """

    fold: bool = False
    channels_last: bool = False
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Check the precision's name."""
        if self.precision not in _DTYPES:
            raise ValueError(f"expected precision to be one of {', '.join(_DTYPES)}, got {self.precision!r}")


PLAIN = Plan()
"""Change nothing: a frozen copy in eval mode."""

CANDIDATES = (
    PLAIN,
    Plan(fold=True, channels_last=True),
    Plan(fold=True, channels_last=True, precision="bfloat16"),
)
"""What `probe` chooses from, the simplest first."""

MIN_ROWS, LIGHT_ROWS, LIGHT_SECONDS = 16, 32, 0.1
WORTH = 2 / 3
"""Largest share of the plain copy's time that another copy may take, so that noise does not decide the choice."""

_chosen: dict[Hashable, Plan] = {}


def prepare(network: nn.Module, plan: Plan) -> nn.Module:
    """Return a frozen copy of the network in eval mode, changed as the plan says; the original is not touched.

    The copy maps images (N, ...) to float32 outputs (N, K) and is differentiable with respect to its input. The copy of
    a `Network` is a `Network` too, so that `Network.forward_features` and `Network.forward_head` work; its trunk
    alone runs in reduced precision. Any other module runs under autocast as a whole.

    Raises:
        ValueError: float16 on a CPU.

    >>> from tasklab.models import NetworkSpec, build_network
    >>> spec = NetworkSpec(arch="small_cnn", in_shape=(1, 8, 8), outputs=4, mean=(0.3,), std=(0.3,))
    >>> network, x = build_network(spec, seed=0).eval(), torch.rand(2, 1, 8, 8)
    >>> torch.allclose(prepare(network, Plan(fold=True))(x), network(x), atol=1e-4)
    True
    """
    device = _device(network)
    if plan.precision == "float16" and device.type == "cpu":
        raise ValueError("expected an accelerator for precision float16, got a network on the cpu; try bfloat16")
    return _copy(network, plan, device)


@own_modes()
def _copy(network: nn.Module, plan: Plan, device: torch.device) -> nn.Module:
    dtype = _DTYPES[plan.precision]
    with torch.no_grad():
        with exclusively(network):
            fast = copy.deepcopy(network)
            if not {*network.modules(), *network.parameters()}.isdisjoint({*fast.modules(), *fast.parameters()}):
                raise RuntimeError("its copy shares layers or weights with it")
        fast.eval().requires_grad_(False)
        if plan.fold:
            folded, swapped = fold_batchnorm(fast), pool_before_relu(fast)
            _log.debug("folded %d BatchNorm layers, exchanged %d pools with their ReLU", folded, swapped)
        if plan != PLAIN and device.type == "cpu":
            rewire(fast, depthwise=dtype == torch.bfloat16)
        if plan.channels_last:
            _channels_last(fast)
    if isinstance(fast, Network):
        if plan.channels_last or dtype != torch.float32:
            fast.trunk = _Trunk(fast.trunk, dtype, channels_last=plan.channels_last)
        return fast
    if plan == PLAIN:
        return fast
    return _Whole(fast, dtype, channels_last=plan.channels_last).eval()


class _Trunk(nn.Module):
    """A trunk whose weights are in `dtype` (BatchNorm's stay float32): float32 images in, float32 features out."""

    def __init__(self, trunk: nn.Module, dtype: torch.dtype, *, channels_last: bool) -> None:
        super().__init__()
        for layer in trunk.modules():
            if not isinstance(layer, _BatchNorm):
                for tensor in (*layer.parameters(recurse=False), *layer.buffers(recurse=False)):
                    if tensor.is_floating_point():
                        tensor.data = tensor.data.to(dtype)
        self.trunk = trunk
        self.dtype = dtype
        self.channels_last = channels_last
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        layout = torch.channels_last if self.channels_last and x.dim() == 4 else torch.preserve_format
        features: Tensor = self.trunk(x.to(self.dtype, memory_format=layout))
        return features.float()


class _Whole(nn.Module):
    """Any other network, which runs under autocast; the types of its weights are not changed."""

    def __init__(self, network: nn.Module, dtype: torch.dtype, *, channels_last: bool) -> None:
        super().__init__()
        self.network = network
        self.dtype = dtype
        self.channels_last = channels_last

    def forward(self, x: Tensor) -> Tensor:
        if self.channels_last and x.dim() == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        if self.dtype == torch.float32:
            plain: Tensor = self.network(x)
            return plain.float()
        with torch.autocast(device_type=x.device.type, dtype=self.dtype):
            z: Tensor = self.network(x)
        return z.float()


def probe(network: nn.Module, x: Tensor, *, gradients: bool = True) -> Plan:
    """Choose a plan by measuring a forward and an input gradient on a few rows of x, on x's device.

    The candidates are the plain copy, the folded channels-last copy, and the same in bfloat16. If the folded one does
    not give the plain outputs (to 1e-3 of the largest; bfloat16 to 0.2), the choice is PLAIN. Another plan is chosen
    only if it takes at most two thirds of PLAIN's time: the results of attacks differ slightly from plan to plan, so
    the choice should not depend on noise in the measurement. PLAIN is also the choice for fewer than 16 rows, for a
    network without convolutions, and for one that cannot be copied or measured; the log then names the reason. The
    choice is remembered for this process by the network's structure, the image shape, the device, the number of
    threads and ``gradients``.

    Args:
        network: the network; neither it nor the random state is touched.
        x: float images ``(N, C, H, W)``.
        gradients: whether input gradients will be computed, or outputs alone.

    Returns:
        The chosen plan.
    """
    convolutional = any(isinstance(m, nn.modules.conv._ConvNd) for m in network.modules())
    if len(x) < MIN_ROWS or not convolutional or not x.is_floating_point():
        return PLAIN
    layers = tuple((name, type(m).__qualname__) for name, m in network.named_modules())
    shapes = tuple(tuple(p.shape) for p in network.parameters())
    key = (layers, shapes, tuple(x.shape[1:]), str(x.device), torch.get_num_threads(), gradients)
    if key not in _chosen:
        with own_modes():
            try:
                _chosen[key] = _measure(network, x[:LIGHT_ROWS].detach().clone(), gradients)
            except Exception as reason:  # the network's own code may raise anything, and it runs without a copy
                _log.warning("%s runs as given, without a faster copy: %s: %.200s",
                             type(network).__name__, type(reason).__name__, reason)
                _chosen[key] = PLAIN
    return _chosen[key]


def _measure(network: nn.Module, x: Tensor, gradients: bool) -> Plan:
    start = time.perf_counter()
    plans = CANDIDATES if bfloat16_is_supported(x.device) else CANDIDATES[:2]
    copies = {plan: prepare(network, plan) for plan in plans}
    with own_draws(x.device):  # after the network has been claimed for copying, as a training step does
        return _compare(copies, x, gradients, start)


def _compare(copies: dict[Plan, nn.Module], x: Tensor, gradients: bool, start: float) -> Plan:
    outputs, seconds = {}, {}
    for plan, fast in copies.items():  # the warm-up is also the check
        outputs[plan], seconds[plan] = _time(fast, x[:MIN_ROWS], gradients)
    largest = float(outputs[PLAIN].abs().max())
    error = {plan: float((z - outputs[PLAIN]).abs().max()) for plan, z in outputs.items()}
    if not error[CANDIDATES[1]] <= 1e-3 * largest + 1e-6:
        _log.info("the folded copy differs by %.3g, plain copy kept", error[CANDIDATES[1]])
        return PLAIN
    good = [plan for plan in copies if error[plan] <= 0.2 * largest + 1e-6]
    light = seconds[PLAIN] < LIGHT_SECONDS
    repeats, x = (4, x) if light else (2, x[:MIN_ROWS])
    seconds = dict.fromkeys(good, float("inf"))
    for _ in range(repeats):
        for plan in good:
            seconds[plan] = min(seconds[plan], _time(copies[plan], x, gradients)[1])
    best = PLAIN
    for plan in good:
        if seconds[plan] < (WORTH if best == PLAIN else 0.9) * seconds[best]:
            best = plan
    _log.info("probed in %.2f s, chose %s from %s", time.perf_counter() - start, best, list(seconds.values()))
    return best


def _time(network: nn.Module, x: Tensor, gradients: bool) -> tuple[Tensor, float]:
    """Return the outputs for x and the seconds of a forward and, if asked for, an input gradient."""
    x = x.clone().requires_grad_(gradients)
    alone = x.device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter  # thread_time does not count what other processes take
    _wait(x.device)
    start = clock()
    with torch.set_grad_enabled(gradients):
        z = on_a_copy(network, x)
        if gradients:
            torch.autograd.grad(z.sum(), x)
    _wait(x.device)
    return z.detach(), clock() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def bfloat16_is_supported(device: torch.device) -> bool:
    """Whether this device computes in bfloat16."""
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device.type != "cuda" or torch.cuda.is_bf16_supported()


def _device(network: nn.Module) -> torch.device:
    tensor = next(network.parameters(), next(network.buffers(), torch.empty(0)))
    return tensor.device


def _channels_last(network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
