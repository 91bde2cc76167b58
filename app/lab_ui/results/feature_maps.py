"""Maps of systems' features and outputs: computed once, in the background, and cached for all visitors."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import openTSNE  # noqa: F401  # here, because two threads that import sklearn at the same time would fail
import sklearn.manifold  # noqa: F401
import streamlit as st
import torch
from numpy.typing import NDArray

from lab_ui.basics.waiting import awaited
from lab_ui.results import batch_attacks
from lab_ui.visitor import catalogue
from tasklab.data import ImageSet
from tasklab.embedding import PCA, TSNE, Map, neighbour_accuracy, read_features, read_outputs, stream, trustworthiness
from tasklab.embedding.settings import largest_perplexity
from tasklab.system import System

MOST = 1000
"""Number of images on a map, as in the paper, where the test set has as many."""

Space = Literal["features", "outputs"]

_one_at_a_time = threading.Semaphore(2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """What a map is made from.

    Attributes:
        numbers: features or outputs ``(N, D)``.
        labels: true classes, int64 ``(N,)``.
        decoded: labels read, int64 ``(N,)``; -1 is None.
    """

    numbers: NDArray[np.float32]
    labels: NDArray[np.int64]
    decoded: NDArray[np.int64]


@dataclass(kw_only=True, eq=False)
class Forming:
    """A map that is being computed, or finished.

    Attributes:
        settings: of the projection.
        frames: positions ``(N, 2)`` so far, the newest last.
        iteration: number of the newest frame's iteration.
        total: number of iterations in all.
        divergence: Kullback-Leibler divergence of the newest frame.
        map: the result, once it is finished.
        trouble: one sentence, if it cannot be computed.
        accuracy: of the finished map: share of neighbours of the same class (`neighbour_accuracy`).
        trust: of the finished map: its trustworthiness, 0 to 1.
    """

    settings: TSNE | PCA
    frames: list[NDArray[np.float64]] = field(default_factory=list)
    iteration: int = 0
    total: int = 0
    divergence: float | None = None
    map: Map | None = None
    trouble: str | None = None
    accuracy: float = 0.0
    trust: float = 0.0

    @property
    def done(self) -> bool:
        """Whether the map is finished or has failed."""
        return self.map is not None or self.trouble is not None

    def run(self, points: Points) -> None:
        """Compute the map, frame by frame."""
        try:
            frames = stream(points.numbers, self.settings)
            while True:
                try:
                    frame = next(frames)
                except StopIteration as stop:
                    result: Map = stop.value
                    break
                self.frames.append(frame.positions)
                self.iteration, self.total, self.divergence = frame.iteration, frame.total, frame.divergence
            k = min(10, (len(result) - 1) // 2)
            self.accuracy = neighbour_accuracy(result.positions, points.labels, k)
            self.trust = trustworthiness(points.numbers, result.positions, k)
            self.map = result
        except ValueError as error:
            self.trouble = f"This map cannot be drawn: {error}."


def points(dataset: str, name: str, space: Space) -> Points:
    """Features or outputs of the first test images.

    Raises:
        ValueError: one sentence: there is no such system, its file is damaged, it takes other images, or it has no
            features.
    """
    images = batch_attacks.pictures(dataset, name)
    pool = ThreadPoolExecutor(1, "points")
    future = pool.submit(_points, dataset, name, catalogue.stamp(name), space, MOST, catalogue.system(name), images)
    pool.shutdown(wait=False)
    return awaited(future)


def forming(dataset: str, name: str, space: Space, settings: TSNE | PCA) -> Forming:
    """The map, finished or not yet; t-SNE is computed in the background."""
    return _forming(dataset, name, catalogue.stamp(name), space, MOST, settings, points(dataset, name, space))


def perplexities(n: int) -> tuple[int, ...]:
    """The perplexities to choose from, for n points."""
    return tuple(p for p in (2, 5, 10, 20, 30, 50, 100) if p <= largest_perplexity(n))


def usual_perplexity(n: int) -> int:
    """The perplexity to begin with: 30 for 1,000 points, less for fewer points, so that groups keep a shape."""
    return max(p for p in perplexities(n) if p == 2 or p <= max(5, n / 33))


@st.cache_data(max_entries=32, show_spinner=False)
def _points(
    dataset: str, name: str, stamp: str, space: Space, most: int, _system: System, _images: ImageSet
) -> Points:
    system, shown = _system, _images.subset(min(most, len(_images)))
    read = read_features if space == "features" else read_outputs
    try:
        numbers = read(system, shown.x())
    except TypeError:
        raise ValueError("This system has no features to map. Look at its outputs.") from None
    outputs = numbers if space == "outputs" else read_outputs(system, shown.x())
    decoded = system.task.codec.decode(torch.from_numpy(outputs))
    return Points(numbers=numbers, labels=shown.labels.numpy(), decoded=decoded.numpy())


@st.cache_resource(max_entries=48, show_spinner=False, hash_funcs={TSNE: repr, PCA: repr})
def _forming(
    dataset: str, name: str, stamp: str, space: Space, most: int, settings: TSNE | PCA, _numbers: Points
) -> Forming:
    result = Forming(settings=settings)
    if isinstance(settings, PCA):
        result.run(_numbers)
        return result

    def work() -> None:
        with _one_at_a_time:
            result.run(_numbers)

    threading.Thread(target=work, name="map", daemon=True).start()
    return result
