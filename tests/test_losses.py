"""Losses against the paper's examples, closed forms and torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from tasklab import losses
from tasklab.codecs import Interval
from tasklab.tasks import ECOC, INT, RBC, TRA, DeepBE, Task

SEEDS = st.integers(0, 2**31)
MARGINS = st.sampled_from([1.0, 10.0, 100.0, 350.0, 1000.0])


def outputs(seed: int, n: int, k: int, size: float = 1.0) -> Tensor:
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed)) * size


def labels(seed: int, n: int, num_classes: int = 10) -> Tensor:
    return torch.randint(0, num_classes, (n,), generator=torch.Generator().manual_seed(seed + 1))


class TestTheArithmeticOfThePaper:
    def test_s_100_forces_zeros_below_minus_100_and_ones_above_100(self) -> None:
        task = RBC(S=100)
        nine = torch.tensor([9])  # 1001
        assert task.loss(torch.tensor([[100.0, -100.0, -100.0, 100.0]]), nine).item() == 0
        assert task.loss(torch.tensor([[250.0, -101.0, -100.0, 100.0]]), nine).item() == 0
        for bit in range(4):
            z = torch.tensor([[100.0, -100.0, -100.0, 100.0]])
            z[0, bit] *= 0.99
            assert task.loss(z, nine).item() == pytest.approx(1.0, rel=1e-4)
        assert task.loss(torch.tensor([[-100.0, -100.0, -100.0, 100.0]]), nine).item() == 200**2

    def test_deepbe_in_the_paper_s_form_is_zero_on_the_right_side_of_one_half(self) -> None:
        task = DeepBE(num_classes=4)
        two = torch.tensor([2])  # 10
        assert task.loss(torch.tensor([[0.51, 0.49]]), two).item() == 0
        assert task.loss(torch.tensor([[-0.5, 0.5]]), two).item() == 1
        assert task.loss(torch.tensor([[0.25, 0.75]]), two).item() == 2 * 0.0625

    def test_an_interval_costs_nothing_inside_and_the_squared_way_to_it_outside(self) -> None:
        task = INT(s0=0, alpha=1, beta=3)
        three = torch.tensor([3] * 6)
        z = torch.tensor([[12.0], [13.7], [15.0], [11.0], [17.5], [0.0]])
        assert task.loss(z, three).tolist() == [0, 0, 0, 1, 6.25, 144]

    def test_the_interval_loss_is_the_published_double_hinge(self) -> None:
        z = torch.linspace(-30, 230, 521)[:, None]
        codec = Interval()
        for k in range(10):
            low, high = 20.0 * k, 20.0 * k + 16
            published = [max(0.0, low - v) ** 2 + max(0.0, v - high) ** 2 for v in z[:, 0].tolist()]
            ends = codec.encode(torch.full((len(z),), k))
            assert losses.interval_hinge(z, ends).tolist() == pytest.approx(published, rel=1e-5)


class TestAgainstTorch:
    @given(SEEDS, st.sampled_from([2, 10, 100]), st.sampled_from([1.0, 50.0]))
    @settings(max_examples=20)
    def test_cross_entropy(self, seed: int, num_classes: int, size: float) -> None:
        z, y = outputs(seed, 32, num_classes, size), labels(seed, 32, num_classes)
        ours = TRA(num_classes=num_classes).loss(z, y)
        torch.testing.assert_close(ours, F.cross_entropy(z, y, reduction="none"))

    def test_equal_scores_cost_the_logarithm_of_their_number(self) -> None:
        cost = TRA().loss(torch.full((1, 10), 3.0), torch.tensor([4])).item()
        assert cost == pytest.approx(math.log(10), rel=1e-6)

    @given(SEEDS)
    @settings(max_examples=20)
    def test_squared_error_and_binary_cross_entropy(self, seed: int) -> None:
        z, y = outputs(seed, 32, 4, 3.0), labels(seed, 32)
        bits = DeepBE().codec.encode(y)
        mse = F.mse_loss(z, bits, reduction="none").sum(1)
        bce = F.binary_cross_entropy_with_logits(z - 0.5, bits, reduction="none").sum(1)
        torch.testing.assert_close(DeepBE(loss_form="mse").loss(z, y), mse)
        torch.testing.assert_close(DeepBE(loss_form="bce").loss(z, y), bce)

    def test_an_output_on_one_half_is_an_even_bet(self) -> None:
        cost = DeepBE(loss_form="bce").loss(torch.full((1, 4), 0.5), torch.tensor([6])).item()
        assert cost == pytest.approx(4 * math.log(2), rel=1e-6)

    @given(SEEDS, MARGINS)
    @settings(max_examples=20)
    def test_the_gradient_of_the_hinge_is_its_closed_form(self, seed: int, margin: float) -> None:
        z = outputs(seed, 16, 4, margin).requires_grad_()
        bits = (outputs(seed + 7, 16, 4) > 0).float()
        (gradient,) = torch.autograd.grad(losses.bit_hinge(z, bits, margin=margin).sum(), z)
        signs = 2 * bits - 1
        torch.testing.assert_close(gradient, -2 * signs * (margin - z * signs).clamp(min=0).detach())


class TestProperties:
    @given(SEEDS, st.sampled_from([0.5, 7.0, 100.0, 350.0, 1e4]))
    @settings(max_examples=25)
    def test_over_s_squared_rbc_is_one_function_of_h(self, seed: int, S: float) -> None:
        h, y = outputs(seed, 64, 4, 2.0), labels(seed, 64)
        torch.testing.assert_close(RBC(S=S).loss(S * h, y) / S**2, RBC(S=1).loss(h, y), rtol=1e-4, atol=1e-6)
        assert torch.equal(RBC(S=S).codec.decode(S * h), RBC(S=1).codec.decode(h))

    @given(SEEDS, MARGINS)
    @settings(max_examples=25)
    def test_rbc_is_zero_iff_the_margin_of_the_label_is_at_least_s(self, seed: int, S: float) -> None:
        task, y = RBC(S=S), labels(seed, 64)
        away = outputs(seed, 64, 4).abs() * S / 2
        z = torch.where(torch.arange(64)[:, None] % 2 == 0, S + away, S - away + S / 4) * task.codec.signs(y)
        z[:4] = S * task.codec.signs(y[:4])  # exactly S
        z[4:8] = torch.nextafter(torch.tensor(S), torch.tensor(0.0)) * task.codec.signs(y[4:8])  # one float short of it
        margin = task.codec.margins(z).gather(1, y[:, None]).squeeze(1)
        zero = task.loss(z, y) == 0
        assert torch.equal(zero, margin >= S)
        assert bool(zero[:4].all())
        assert not bool(zero[4:8].any())

    @given(SEEDS, st.sampled_from([0.01, 1.0, 50.0]))
    @settings(max_examples=25)
    def test_deepbe_s_hinge_is_zero_exactly_where_the_label_is_right(self, seed: int, size: float) -> None:
        task = DeepBE()
        z, y = outputs(seed, 256, 4, size) + 0.5, labels(seed, 256)
        y = torch.where(torch.arange(256) % 2 == 0, task.codec.decode(z).clamp(min=0), y)
        right = task.codec.decode(z) == y
        assert bool(right.any())
        assert torch.equal(task.loss(z, y) == 0, right)
        zero_gradient = torch.autograd.grad(task.loss(z.requires_grad_(), y).sum(), z)[0].abs().sum(1) == 0
        assert torch.equal(zero_gradient, right), "what an attack on this loss cannot climb"

    @given(SEEDS, st.sampled_from([(0.0, 1.0, 3.0), (0.0, 4.0, 16.0), (-50.0, 0.25, 30.0)]))
    @settings(max_examples=25)
    def test_the_interval_loss_is_zero_exactly_inside(self, seed: int, line: tuple[float, float, float]) -> None:
        task = INT(s0=line[0], alpha=line[1], beta=line[2])
        y = labels(seed, 256)
        z = task.codec.encode(y).mean(1, keepdim=True) + outputs(seed, 256, 1, line[2] / 2)
        z[:10], y[:10] = task.codec.lower[:, None], torch.arange(10)
        z[10:20], y[10:20] = task.codec.upper[:, None], torch.arange(10)
        right = task.codec.decode(z) == y
        assert 20 < int(right.sum()) < 256
        assert torch.equal(task.loss(z, y) == 0, right)


TASKS: list[Task] = [TRA(), RBC(), DeepBE(), DeepBE(loss_form="mse"), DeepBE(loss_form="bce"), INT(), INT(gap="floor"),
                     ECOC(), ECOC(loss_form="logistic")]


@pytest.mark.parametrize("task", TASKS, ids=repr)
class TestEveryLoss:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_is_float32_per_example_and_never_reduced(self, task: Task, dtype: torch.dtype) -> None:
        z, y = (outputs(3, 16, task.width, 20.0)).to(dtype), labels(3, 16)
        loss = task.loss(z, y)
        assert loss.dtype == torch.float32
        assert loss.shape == (16,)
        assert torch.equal(loss, task.loss(z.float(), y))
        assert bool((loss >= 0).all())

    def test_does_not_overflow_where_half_precision_would(self, task: Task) -> None:
        z = torch.full((2, task.width), 600.0, dtype=torch.float16)  # 600² > 65504
        assert bool(task.loss(z, torch.tensor([0, 3])).isfinite().all())

    def test_treats_each_example_alone(self, task: Task) -> None:
        z, y = outputs(5, 8, task.width, 100.0), labels(5, 8)
        whole = task.loss(z, y)
        alone = torch.cat([task.loss(z[n : n + 1], y[n : n + 1]) for n in range(8)])
        torch.testing.assert_close(whole, alone)

    def test_leads_downhill_to_the_label(self, task: Task) -> None:
        y = torch.arange(10)
        z = (outputs(9, 10, task.width) * task.unit / 10 + task.centre).requires_grad_()
        for _ in range(400):
            loss = task.loss(z, y).sum() / task.unit**2
            (gradient,) = torch.autograd.grad(loss, z)
            z = (z - 0.3 * task.unit**2 * gradient).detach().requires_grad_()
        if task == DeepBE() or isinstance(task, INT):  # these stop on the very edge, where the hinge ends
            codewords = task.codec.encode(y)
            z = z + 0.05 * ((2 * codewords - 1) if isinstance(task, DeepBE) else codewords.mean(1, keepdim=True) - z)
        assert torch.equal(task.codec.decode(z), y)

    def test_refuses_what_is_no_label(self, task: Task) -> None:
        with pytest.raises(ValueError, match=r"expected labels in 0\.\.9, got -1\.\.3; try"):
            task.loss(torch.zeros(2, task.width), torch.tensor([3, -1]))
