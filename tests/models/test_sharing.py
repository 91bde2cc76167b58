"""Threads that share a network: nobody sees another's mode, and what a trainer does is what it does alone."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tasklab.models.sharing import evaluating, exclusively, on_a_copy
from tasklab.system import System
from tasklab.tasks import TRA


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.5),
                         nn.Linear(12, 10)).train()


def together(*work: Callable[[], None]) -> None:
    """Run these at once; an error in one is raised here."""
    errors: list[BaseException] = []

    def guarded(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(one,), daemon=True) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread waits for ever"
    if errors:
        raise errors[0]


def test_threads_that_share_a_network_in_training_mode_read_it_in_evaluation_mode() -> None:
    module = network()
    system, x = System(module, TRA()), torch.rand(7, 1, 4, 4)
    before = copy.deepcopy(module.state_dict())
    expected = copy.deepcopy(module).eval()(x)

    def read() -> None:
        for _ in range(150):
            assert torch.equal(system.outputs(x), expected)

    together(read, read, read)
    assert all(m.training for m in module.modules())
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_networks_that_share_layers_share_their_turns() -> None:
    module = network()
    trunk, x = module[:4], torch.rand(7, 1, 4, 4)
    other = nn.Sequential(trunk, nn.Dropout(0.5), nn.Linear(12, 10)).train()
    systems = System(module, TRA()), System(other, TRA())
    expected = [copy.deepcopy(system.network).eval()(x) for system in systems]

    def read(index: int) -> None:
        for _ in range(100):
            assert torch.equal(systems[index].outputs(x), expected[index])

    together(lambda: read(0), lambda: read(1))
    assert all(m.training for m in other.modules())
    assert all(m.training for m in module.modules())


def test_one_who_changes_the_network_is_alone_and_nobody_starves() -> None:
    module, inside, worst = network(), [0], [0]
    steps, reads = [0], [0]

    def change() -> None:
        for _ in range(60):
            with exclusively(module):
                assert inside[0] == 0
                module.train()
                assert all(m.training for m in module.modules())
                module.eval()
                steps[0] += 1

    def read() -> None:
        for _ in range(60):
            with evaluating(module):
                inside[0] += 1
                assert not any(m.training for m in module.modules())
                worst[0] = max(worst[0], inside[0])
                inside[0] -= 1
                reads[0] += 1

    together(change, read, change)
    assert (steps[0], reads[0]) == (120, 60)


@given(flags=st.lists(st.booleans(), min_size=7, max_size=7), depth=st.integers(1, 3), fails=st.booleans())
@settings(max_examples=30)
def test_flags_come_back_whatever_they_were(flags: list[bool], depth: int, fails: bool) -> None:
    module = network()
    for one, flag in zip(module.modules(), flags, strict=True):
        one.training = flag

    def nest(level: int) -> None:
        with evaluating(module):
            assert not any(m.training for m in module.modules())
            if level > 1:
                nest(level - 1)
            elif fails:
                raise ArithmeticError
            else:
                with exclusively(module):  # one's own claim is not in the way
                    pass

    if fails:
        with pytest.raises(ArithmeticError):
            nest(depth)
    else:
        nest(depth)
    assert [m.training for m in module.modules()] == flags


def test_a_network_that_works_in_place_is_given_a_copy() -> None:
    def centre(x: Tensor) -> Tensor:
        return x.sub_(0.5).div_(0.5)

    x = torch.rand(3, 4)
    kept = x.clone().requires_grad_()
    out = on_a_copy(centre, kept)
    assert torch.equal(kept.detach(), x)
    assert torch.equal(torch.autograd.grad(out.sum(), kept)[0], torch.full_like(x, 2.0))


def test_a_caller_s_autocast_stays_outside() -> None:
    layer, x = nn.Linear(8, 8), torch.rand(5, 8)
    expected = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(on_a_copy(layer, x), expected)
        assert layer(x).dtype == torch.bfloat16, "a control"


def test_a_reader_that_waits_for_another_reader_does_not_wait_for_a_trainer() -> None:
    """A claim that is active may need what a second thread reads, while a trainer waits between the two."""
    module, inside, asked = network(), threading.Event(), threading.Event()

    def first() -> None:
        with evaluating(module):
            inside.set()
            asked.wait(30)
            together(second)

    def second() -> None:
        with evaluating(module):
            pass

    def trainer() -> None:
        inside.wait(30)
        asked.set()
        with exclusively(module):
            pass

    together(first, trainer)
