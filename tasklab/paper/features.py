"""Figure 3: t-SNE of the penultimate features of TRA, DeepBE, INT and RBC, and what shape their classes have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from tasklab.data import ImageSet
from tasklab.data.info import info_of
from tasklab.embedding import TSNE, embed, read_features, trustworthiness
from tasklab.embedding.quality import among_own, elongation, separation, silhouettes
from tasklab.embedding.settings import largest_perplexity
from tasklab.evaluation.robustness import Progress
from tasklab.evaluation.statistics import Mean, Share
from tasklab.paper.claims import Claim, by_numbers
from tasklab.paper.figure import Number, PaperFigure, places
from tasklab.paper.grid import ROWS, Cell, Method
from tasklab.paper.plan import FORWARD, Pace
from tasklab.paper.protocol import Question
from tasklab.paper.records import from_hex, to_hex
from tasklab.paper.works import Work
from tasklab.system import System

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

IMAGES = 1000
"""The number of test images on a map, as in the paper."""

NEIGHBOURS = 10
"""The number of nearest neighbours of an image that vote for its class."""

EACH = 0.008
"""About how many seconds t-SNE takes for each image on one core."""

SPACES = ("features", "map")
"""The spaces in which the classes are measured."""

SYSTEMS = ROWS["table1"]
NARROW = ("INT", "RBC")
"""The systems whose classes the paper finds long and narrow, and far from each other."""


@dataclass(frozen=True, kw_only=True)
class MapWork(Work):
    """The features of one system's test images, their map, and the numbers of both."""

    kind: ClassVar[str] = "map"

    def compute(
        self, systems: Sequence[System], test: ImageSet, progress: Callable[[Progress], object] | None
    ) -> dict[str, Any]:
        """Labels and places of the images, and the numbers of features and map; see `shape_of`."""
        rows = chosen(len(test), self.n)
        labels = test.labels.cpu().numpy()[rows]
        x = test.x(torch.from_numpy(rows).to(test.device)).to(systems[0].device)
        features = read_features(systems[0], x)
        perplexity = min(TSNE.perplexity, largest_perplexity(len(rows)))
        drawn = embed(features, TSNE(perplexity=perplexity))
        return {
            "rows": rows.tolist(), "labels": labels.tolist(), "positions": drawn.positions.round(4).tolist(),
            "perplexity": perplexity, "trustworthiness": trustworthiness(features, drawn.positions),
            "features": shape_of(features, labels), "map": shape_of(drawn.positions, labels),
        }

    def seconds(self, pace: Pace) -> float:
        """Reading the images, and t-SNE."""
        return pace.passes(self.cells[0], FORWARD * self.n) + EACH * self.n


def chosen(size: int, n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which test images are on the map: n of them at random, the same for all systems, in ascending order."""
    return np.sort(np.random.default_rng(0).permutation(size)[:n]).astype(np.int64)


def shape_of(points: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The numbers of points ``(N, D)`` with labels ``(N,)``, as plain values.

    Returns:
        ``silhouettes`` by image, ``neighbours``, the images that most neighbours have the class of (as `to_hex` writes
        them), and ``separation`` and ``elongation`` by class.
    """
    return {
        "silhouettes": silhouettes(points, labels).round(5).tolist(),
        "neighbours": to_hex(torch.from_numpy(among_own(points, labels, NEIGHBOURS))),
        "separation": {str(k): value for k, value in separation(points, labels).items()},
        "elongation": {str(k): value for k, value in elongation(points, labels).items()},
    }


@dataclass(frozen=True, kw_only=True)
class Features(PaperFigure):
    """Figure 3."""

    name: ClassVar[str] = "fig3"
    title: ClassVar[str] = "Figure 3: t-SNE of the penultimate features of four classification systems"
    layout: ClassVar[dict[str, Any]] = {"row": 460}
    usual_data: ClassVar[tuple[str, ...]] = ("mnist",)

    def asked(self) -> dict[Cell, Sequence[Question]]:
        """The cells of Table 1, whose systems alone are needed."""
        return {self._cell(data, arch, method): () for data, arch, _ in places(self) for method in SYSTEMS}

    def works(self) -> list[Work]:
        """A map for each cell."""
        return [self._work(cell) for cell in self.asked()]

    def numbers(self) -> list[Number]:
        """Separation and shape of the classes, among the features and on the map."""
        numbers: list[Number] = []
        for data, arch, titles in places(self):
            for method in SYSTEMS:
                result = self._work(self._cell(data, arch, method)).read(self.folder)
                for space in SPACES if result else ():
                    assert result is not None
                    shape, of = result[space], titles | {"system": method.name, "points": space}
                    which = from_hex(shape["neighbours"], len(result["labels"]))
                    every: dict[str, Share | Mean] = {
                        "silhouette": Mean(tuple(shape["silhouettes"])), "k-NN accuracy": Share.of(which),
                    }
                    every |= {name: Mean(tuple(shape[name].values())) for name in ("separation", "elongation")
                              if shape[name]}
                    numbers += [Number(of=of, what=what, value=value, seeds=self.seeds)
                                for what, value in every.items()]
        return numbers

    def claims(self) -> list[Claim]:
        """Long and narrow classes, far from each other, and none that meet."""
        claims = []
        for data, arch, titles in places(self):
            results = {method.name: self._work(self._cell(data, arch, method)).read(self.folder) for method in SYSTEMS}
            where = f"{titles['data']}, {titles['network']}"
            for space in SPACES:
                for name in NARROW:
                    claims.append(by_numbers(
                        f"{where}, {space}: the classes of {name} are longer and narrower than those of TRA",
                        *_by_class(results[name], results["TRA"], space, "elongation"), "classes"))
                for name in NARROW:
                    for other in ("TRA", "DeepBE"):
                        claims.append(by_numbers(
                            f"{where}, {space}: the classes of {name} lie farther apart than those of {other}",
                            *_by_class(results[name], results[other], space, "separation"), "classes"))
            claims += [_apart(name, results[name], where) for name in results]
        return claims

    def explained(self) -> str:
        """What the numbers mean."""
        sizes = " or ".join(dict.fromkeys(str(work.n) for work in self.works()))
        return (
            f"The penultimate features of {sizes} test images, drawn at random, the same ones for every system, and "
            f"their t-SNE with a perplexity of {TSNE.perplexity:g}. *Silhouette*: how much nearer an image is to its "
            f"own class than to the next one, from −1 to 1. *k-NN accuracy*: the images whose class is the most "
            f"frequent among their {NEIGHBOURS} nearest neighbours. *Separation*: the distance from the mean of a "
            f"class to the nearest other mean, over the root mean square distance of its images from their mean. "
            f"*Elongation*: of a class, the first singular value over the second; 1 for a ball. Silhouettes are means "
            f"over images, separation and elongation over classes, with 95 % intervals by Student's t; a share has "
            f"Wilson's. Each system is from one training run, so the intervals do not cover other seeds. The training "
            f"runs of DeepBE and INT started from the trained TRA, so that their features began as its features. "
            f"Systems are compared class by class, by the interval of the mean paired difference. On a t-SNE map, "
            f"distances between groups and the sizes of groups mean little; the verdicts on the features count."
        )

    def charts(self) -> dict[str, Figure]:
        """A map for each system, in the paper's colours."""
        from tasklab.figures.maps import PAPER_COLOURS, feature_map
        from tasklab.figures.style import blank

        charts: dict[str, Figure] = {}
        for data, arch, titles in places(self):
            classes = info_of(data).classes
            for method in SYSTEMS:
                result = self._work(self._cell(data, arch, method)).read(self.folder)
                chart = blank("not made") if result is None else feature_map(
                    result["positions"], result["labels"], classes, inks=PAPER_COLOURS)
                charts[f"{method.name}, {titles['data']}, {titles['network']}"] = chart
        return charts

    def _cell(self, data: str, arch: str, method: Method) -> Cell:
        return Cell(data=data, arch=arch, method=method, seed=self.seeds[0], scale=self.scale)

    def _work(self, cell: Cell) -> MapWork:
        return MapWork(cells=(cell,), n=min(IMAGES, info_of(cell.data).sizes[2]))


def _by_class(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None, space: str, what: str
) -> tuple[list[float], list[float]]:
    """The numbers of two systems for those classes that have them in both."""
    if first is None or second is None:
        return [], []
    a, b = first[space][what], second[space][what]
    classes = [k for k in a if k in b]
    return [a[k] for k in classes], [b[k] for k in classes]


def _apart(name: str, result: Mapping[str, Any] | None, where: str) -> Claim:
    """Whether no image lies among those of another class."""
    statement = f"{where}, features: no two classes of {name} intersect"
    if result is None:
        return Claim(statement=statement, verdict="cannot be told", measured="not made")
    which: Tensor = from_hex(result["features"]["neighbours"], len(result["labels"]))
    share = Share.of(~which)
    measured = (f"{share.count} of {share.n} images, {share.percent()} %, have a different class than most of their "
                f"{NEIGHBOURS} nearest neighbours")
    return Claim(statement=statement, verdict="does not hold" if share.count else "holds", measured=measured)
