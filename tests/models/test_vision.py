"""torchvision's backbones on small images: no early down-sampling, features and head."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

VISION = ("resnet18", "efficientnet_b0", "densenet121")


def _map_sizes(network: nn.Module, x: torch.Tensor) -> list[tuple[int, int]]:
    """The sizes of the maps that come out of the convolutions, in order."""
    sizes: list[tuple[int, int]] = []
    hooks = [
        m.register_forward_hook(lambda _m, _x, y: sizes.append((y.shape[2], y.shape[3])))
        for m in network.modules()
        if isinstance(m, nn.Conv2d)
    ]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return [s for s in sizes if s != (1, 1)]  # without squeeze-and-excitation


@pytest.mark.parametrize(
    ("arch", "features", "last"), [("resnet18", 512, 4), ("efficientnet_b0", 1280, 2), ("densenet121", 1024, 4)]
)
def test_the_stem_keeps_the_image_size(make_network, arch: str, features: int, last: int) -> None:
    network = make_network(arch, settled=False)
    x = torch.rand(2, 3, 32, 32)
    sizes = _map_sizes(network, x)
    assert sizes[0] == sizes[1] == (32, 32)
    assert sizes[-1] == (last, last)
    with torch.no_grad():
        f = network.forward_features(x)
        assert f.shape == (2, features) == (2, network.num_features)
        assert torch.equal(network.forward_head(f), network(x))


@pytest.mark.parametrize("arch", VISION)
@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8)])
def test_grey_and_tiny_images_are_taken(make_network, arch: str, shape: tuple[int, ...]) -> None:
    network = make_network(arch, in_shape=shape, settled=False).train()
    z = network(torch.rand(2, *shape))
    assert z.shape == (2, 4)
    assert z.isfinite().all()


def test_fixed_width_is_said(make_network) -> None:
    with pytest.raises(ValueError, match="fixed width"):
        make_network("resnet18", width=64)


def test_torchvision_is_imported_only_when_needed() -> None:
    code = (
        "import sys, tasklab.models as m\n"
        "m.build_network(m.NetworkSpec(arch='small_cnn', in_shape=(1, 8, 8), outputs=2, mean=(0,), std=(1,)))\n"
        "assert 'torchvision' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
