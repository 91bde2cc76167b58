"""Argmax: the traditional code."""

from __future__ import annotations

import pytest
import torch

from tasklab.codecs import Argmax


def test_codewords_are_one_hot() -> None:
    assert Argmax(num_classes=4).encode(torch.tensor([2, 0])).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_the_margin_is_the_lead_over_the_best_other_class() -> None:
    z = torch.tensor([[1.0, 5.0, 2.0]])
    assert Argmax(num_classes=3).margins(z).tolist() == [[-4.0, 3.0, -3.0]]


def test_a_tie_goes_to_the_lowest_class() -> None:
    codec = Argmax(num_classes=3)
    z = torch.tensor([[4.0, 4.0, 1.0], [0.0, 2.0, 2.0], [7.0, 7.0, 7.0]])
    assert codec.decode(z).tolist() == [0, 1, 0]
    assert torch.equal(codec.decode(z), z.argmax(dim=1))


def test_scores_are_never_abnormal() -> None:
    z = torch.randn(200, 10, generator=torch.Generator().manual_seed(0)) * 100
    assert torch.equal(Argmax().decode(z), z.argmax(dim=1))


@pytest.mark.parametrize("wrong", [1, 0, -3, 2.0, True, "10"])
def test_a_number_of_classes_below_two_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="expected num_classes as an integer of at least 2, got"):
        Argmax(num_classes=wrong)  # type: ignore[arg-type]
