"""What all tests share."""

from __future__ import annotations

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("tasklab", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("tasklab")

collect_ignore = ["attacks/momentum.py"]
"""Files that pytest must not import when it looks for doctests: this one registers an attack."""


@pytest.fixture(autouse=True)
def _one_beginning() -> None:
    """Random networks and images are the same in whatever order, and beside whatever others, a test runs."""
    torch.manual_seed(0)
