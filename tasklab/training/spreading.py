"""A training run on several devices, followed from the process that started it."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import queue
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load as weights_from
from safetensors.torch import save as bytes_of

from tasklab.models.sharing import exclusively
from tasklab.system import System
from tasklab.training.devices import Devices
from tasklab.training.events import TrainingEvent

if TYPE_CHECKING:
    from lightning_fabric import Fabric

AHEAD = 4
"""Number of events by which the devices may be ahead of the process that follows them."""

LOOK = 0.2
"""Seconds between two checks whether the processes are still running."""

logging.getLogger("lightning_fabric.utilities").setLevel(logging.WARNING)  # it announces each process otherwise

Stream = Callable[[System, Devices], Generator[TrainingEvent, None, None]]
"""Trains the system that it is given on one process's share of a run, and yields the events."""


def spread(system: System, stream: Stream, count: int) -> Generator[TrainingEvent, None, None]:
    """Run a stream of training events on several devices; at the end the system has the trained weights.

    Args:
        system: the system to train; each process gets a copy.
        stream: must be picklable; its arguments are the copy and the devices.
        count: number of devices, each with a process of its own.

    Yields:
        The events of the first device.

    Raises:
        ValueError: Lightning Fabric is not installed, or the machine has fewer devices.
        RuntimeError: a process ended by itself.
    """
    fabric = _fabric(system.device, count)
    context = torch.multiprocessing.get_context("spawn")
    events, stop = context.Queue(AHEAD), context.Event()
    threads, failure = max(1, torch.get_num_threads() // count), list[BaseException]()

    def launch() -> None:
        try:
            fabric.launch(_work, system, stream, events, stop, threads)  # type: ignore[arg-type]
        except BaseException as error:  # the error of a process, with its traceback
            failure.append(error)

    launched = threading.Thread(target=launch, daemon=True, name="devices")
    launched.start()
    try:
        while True:
            kind, value = _next(events, launched, failure)
            if kind == "error":
                raise value
            if kind == "weights":
                with exclusively(system.network):
                    system.network.load_state_dict(weights_from(value))
                return
            yield value
    finally:
        stop.set()
        while launched.is_alive():
            with contextlib.suppress(queue.Empty):  # make room for the last events, which nobody waits for
                events.get(timeout=LOOK)
        launched.join()


def _fabric(device: torch.device, count: int) -> Fabric:
    try:
        from lightning_fabric import Fabric
    except ImportError:
        raise ValueError(f"expected Lightning Fabric for {count} devices, got none installed; try pip install "
                         "'tasklab[cluster]'") from None
    there = torch.cuda.device_count() if device.type == "cuda" else count
    if there < count:
        raise ValueError(f"expected devices ≤ {there}, the number of this machine's GPUs, got {count}")
    return Fabric(accelerator=device.type, devices=count, strategy="ddp_spawn")


def _next(events: Any, launched: threading.Thread, failure: list[BaseException]) -> tuple[str, Any]:
    """The next message of the first device."""
    while True:
        alive = launched.is_alive()  # before the look, so that the last message is not missed
        try:
            message: tuple[str, Any] = events.get(timeout=LOOK)
            return message
        except queue.Empty:
            if not alive:
                reason = failure[0] if failure else None
                raise RuntimeError("expected the processes of all devices to go on, but one ended by itself"
                                   + (f": {str(reason).strip().splitlines()[-1]}" if reason else "")) from reason


def _work(fabric: Fabric, system: System, stream: Stream, events: Any, stop: Any, threads: int) -> None:
    """One process's share of the run: the first process sends its events, and all end once the run is to be stopped."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that follows the run stops it
    torch.set_num_threads(threads)
    devices, parent = Devices(fabric), multiprocessing.parent_process()
    first = devices.rank == 0
    system = system.to(fabric.device)
    try:
        steps = stream(system, devices)
        with contextlib.closing(steps):
            for event in steps:
                gone = stop.is_set() or parent is None or not parent.is_alive()
                if devices.agreed(gone):
                    return
                if first:
                    _tell(events, "event", event)
        if first:
            weights = {name: value.cpu() for name, value in system.network.state_dict().items()}
            _tell(events, "weights", bytes_of(weights))
    except Exception as error:
        if not first:
            raise
        _tell(events, "error", error)


def _tell(events: Any, kind: str, value: Any) -> None:
    """Send a message to the process that follows the run, unless that process has ended."""
    parent = multiprocessing.parent_process()
    while parent is not None and parent.is_alive():
        with contextlib.suppress(queue.Full):
            events.put((kind, value), timeout=LOOK)
            return
