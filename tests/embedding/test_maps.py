"""Maps mean what they show: classes stay together, one seed is one map, a placed point lies where it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA as Reference

from tasklab import data, zoo
from tasklab.embedding import (
    PCA,
    TSNE,
    Map,
    embed,
    neighbour_accuracy,
    read_features,
    read_outputs,
    stream,
    trustworthiness,
)
from tasklab.embedding.settings import largest_perplexity

SHORT = TSNE(early=100, iterations=150)


def blobs(n: int = 40, width: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three groups far apart."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(3, width)) * 20
    labels = np.arange(3 * n) % 3
    return centres[labels] + random.normal(size=(3 * n, width)), labels


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    test = data.load("digits", "test").subset(300)
    return read_features(zoo.load("digits-rbc"), test.x()), test.labels.numpy()


@pytest.fixture(scope="module")
def tsne(digits: tuple[np.ndarray, np.ndarray]) -> Map:
    return embed(digits[0], SHORT)


def test_digits_of_a_class_lie_together(digits: tuple[np.ndarray, np.ndarray], tsne: Map) -> None:
    points, labels = digits
    assert neighbour_accuracy(tsne.positions, labels) > 0.9
    assert trustworthiness(points, tsne.positions) > 0.9
    shuffled = np.random.default_rng(0).permutation(tsne.positions)  # the control: places without meaning
    assert neighbour_accuracy(shuffled, labels) < 0.3
    assert trustworthiness(points, shuffled) < 0.6


def test_one_seed_is_one_map_to_the_bit(digits: tuple[np.ndarray, np.ndarray], tsne: Map) -> None:
    points, _ = digits
    again = embed(points, SHORT)
    assert np.array_equal(again.positions, tsne.positions)
    assert np.array_equal(again.place(points[:7] + 0.1), tsne.place(points[:7] + 0.1))
    assert not np.array_equal(embed(points, TSNE(early=100, iterations=150, seed=1)).positions, tsne.positions)


def test_the_map_forms_from_the_pca_and_its_divergence_falls(digits: tuple[np.ndarray, np.ndarray]) -> None:
    points, labels = digits
    frames = list(stream(points, SHORT))
    assert [f.iteration for f in frames] == list(range(0, 251, 25))
    assert all(f.total == 250 for f in frames)
    plane = Reference(n_components=2).fit_transform(points)
    for axis in range(2):
        assert abs(np.corrcoef(frames[0].positions[:, axis], plane[:, axis])[0, 1]) > 0.99
    late = [f.divergence for f in frames[-6:] if f.divergence is not None]
    assert late == sorted(late, reverse=True)
    assert neighbour_accuracy(frames[-1].positions, labels) > neighbour_accuracy(frames[0].positions, labels)


def test_the_last_frame_is_the_map_but_for_its_centre(digits: tuple[np.ndarray, np.ndarray]) -> None:
    run, last = stream(digits[0], SHORT), None
    while True:
        try:
            last = next(run)
        except StopIteration as stop:
            result: Map = stop.value
            break
    assert last is not None
    moved = result.positions - last.positions
    assert moved == pytest.approx(np.broadcast_to(moved[0], moved.shape))
    assert result.positions.max(axis=0) == pytest.approx(-result.positions.min(axis=0))


def test_few_frames_or_many_show_the_same_classes(digits: tuple[np.ndarray, np.ndarray]) -> None:
    rough, fine = (embed(digits[0], TSNE(early=50, iterations=50, every=every)) for every in (50, 7))
    for each in (rough, fine):
        assert neighbour_accuracy(each.positions, digits[1]) > 0.85


def test_a_point_of_the_map_is_placed_near_itself(digits: tuple[np.ndarray, np.ndarray], tsne: Map) -> None:
    points, _ = digits
    away = np.linalg.norm(tsne.place(points[:60]) - tsne.positions[:60], axis=1)
    size = tsne.positions.std()
    assert np.median(away) < 0.05 * size
    others = np.linalg.norm(tsne.place(points[60:120]) - tsne.positions[:60], axis=1)  # the control: other points
    assert np.median(others) > 0.5 * size


def test_what_is_placed_does_not_depend_on_its_company_and_leaves_the_map(
    digits: tuple[np.ndarray, np.ndarray], tsne: Map
) -> None:
    before = tsne.positions.copy()
    more = digits[0][:20] * 1.05
    together = tsne.place(more)
    alone = np.concatenate([tsne.place(more[i : i + 1]) for i in range(20)])
    assert together == pytest.approx(alone, abs=1e-9)
    assert np.array_equal(tsne.place(more), together)
    assert np.array_equal(tsne.positions, before)


def test_images_that_the_map_has_not_seen_land_in_their_class(
    digits: tuple[np.ndarray, np.ndarray], tsne: Map
) -> None:
    rest = data.load("digits", "test").subset(slice(300, 400))
    there = tsne.place(read_features(zoo.load("digits-rbc"), rest.x()))
    nearest = np.linalg.norm(there[:, None] - tsne.positions[None], axis=2).argmin(axis=1)
    assert (digits[1][nearest] == rest.labels.numpy()).mean() > 0.9


def test_pca_is_the_plane_of_greatest_spread() -> None:
    points, labels = blobs()
    result = embed(points, PCA())
    reference = Reference(n_components=2, svd_solver="full").fit(points)
    assert np.abs(result.positions) == pytest.approx(np.abs(reference.transform(points)))
    assert result.explained == pytest.approx(tuple(reference.explained_variance_ratio_))
    assert result.place(points) == pytest.approx(result.positions)
    assert result.divergence is None
    middle = result.place(points[:1] / 2 + points[1:2] / 2)  # straight ways stay straight
    assert middle[0] == pytest.approx(result.positions[:2].mean(axis=0))
    assert neighbour_accuracy(result.positions, labels) == 1


def test_one_output_stays_a_line() -> None:
    system, test = zoo.load("digits-int"), data.load("digits", "test").subset(100)
    z = read_outputs(system, test.x())
    result = embed(z, PCA())
    assert result.positions[:, 0] == pytest.approx(z[:, 0])
    assert np.abs(result.positions[:, 1]).max() <= 0.5
    assert len(np.unique(result.positions[:, 1])) == 100
    moved = result.place(z[:3] + 5, rows=[0, 1, 2])
    assert moved - result.positions[:3] == pytest.approx(np.array([[5.0, 0]] * 3))
    assert result.place(z[:3])[:, 1] == pytest.approx([0, 0, 0])


def test_features_and_outputs_are_the_systems_own_and_no_batch_changes_them() -> None:
    system, x = zoo.load("digits-rbc"), data.load("digits", "test").x(slice(0, 30))
    assert read_features(system, x) == pytest.approx(system.features(x).detach().numpy(), rel=1e-5, abs=1e-6)
    assert read_features(system, x, batch_size=7) == pytest.approx(read_features(system, x), rel=1e-5, abs=1e-6)
    assert read_outputs(system, x) == pytest.approx(system.outputs(x).detach().numpy(), rel=1e-5, abs=1e-4)


def test_quality_of_maps_known_by_heart() -> None:
    labels = [0, 0, 0, 1, 1, 1]
    apart = [[0, 0], [0, 1], [1, 0], [9, 9], [9, 8], [8, 9]]
    assert neighbour_accuracy(apart, labels, k=2) == 1
    assert neighbour_accuracy(apart, [0, 1, 0, 1, 0, 1], k=2) == pytest.approx(2 / 6)
    points = np.arange(20.0)[:, None] ** [[1, 2]]
    assert trustworthiness(points, points, k=3) == 1


@pytest.mark.parametrize(("points", "words"), [
    ([[1.0, 2.0]] * 10, "differ"), ([[1.0]] * 3, "N ≥ 5"), ([1.0, 2.0, 3.0, 4.0, 5.0], "shape"),
    ([[float("nan"), 0]] * 9, "finite"), ([[float("inf"), 0]] * 9, "finite"), (np.zeros((9, 0)), "shape"),
])
@pytest.mark.parametrize("settings", [PCA(), TSNE(perplexity=2)])
def test_points_that_make_no_map_are_refused(points: object, words: str, settings: TSNE | PCA) -> None:
    with pytest.raises(ValueError, match=words):
        embed(points, settings)  # type: ignore[arg-type]


def test_a_perplexity_too_large_for_so_few_points_is_refused() -> None:
    points, _ = blobs(10)
    assert largest_perplexity(30) == pytest.approx(29 / 3)
    embed(points, TSNE(perplexity=9.6, early=1, iterations=1))
    with pytest.raises(ValueError, match=r"at most 9\.667 for 30 points"):
        embed(points, TSNE(perplexity=10))


def test_one_coordinate_is_too_few_for_tsne() -> None:
    with pytest.raises(ValueError, match=r"at least 2 coordinates for t-SNE, got 1; try PCA\(\)"):
        embed(np.arange(12.0)[:, None], TSNE(perplexity=2))


@pytest.mark.parametrize("wrong", [
    {"perplexity": 0}, {"perplexity": float("nan")}, {"perplexity": True}, {"early": -1}, {"iterations": 0},
    {"every": 0}, {"seed": -1}, {"seed": 2**32}, {"exaggeration": 0.5}, {"iterations": 2.5},
])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TSNE(**wrong)  # type: ignore[arg-type]


def test_placing_refuses_other_points_and_rows() -> None:
    result = embed(blobs()[0], PCA())
    assert result.place(np.zeros((0, 8))).shape == (0, 2)
    with pytest.raises(ValueError, match="width 8"):
        result.place(np.zeros((2, 7)))
    for rows in ([0], [0, 120], [-1, 0]):
        with pytest.raises(ValueError, match="rows"):
            result.place(np.zeros((2, 8)), rows=rows)


@pytest.mark.parametrize("k", [0, 6, True, 2.5])
def test_neighbours_are_counted_in_whole_numbers(k: int) -> None:
    with pytest.raises(ValueError, match="k"):
        neighbour_accuracy(np.zeros((6, 2)), [0] * 6, k=k)
