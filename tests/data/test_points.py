from __future__ import annotations

import numpy as np
import pytest
import torch

from tasklab.data import DATASETS, load

POINTS = ["moons", "circles", "blobs", "spirals"]


@pytest.mark.parametrize("name", POINTS)
def test_points_lie_in_the_square_with_classes_as_equal_as_can_be(name):
    data = load(name, n=101, noise=0.5)  # noise that throws many points out
    assert data.images.dtype == torch.float32
    assert data.shape == (2,) == DATASETS[name].shape
    assert data.images.min() >= 0
    assert data.images.max() <= 1
    counts = torch.bincount(data.labels, minlength=data.num_classes)
    assert len(counts) == data.num_classes == DATASETS[name].num_classes
    assert counts.max() - counts.min() <= 1
    assert data.labels[:20].unique().numel() > 1  # mixed, not class after class


@pytest.mark.parametrize("name", POINTS)
def test_splits_and_seeds_are_different_draws_and_a_seed_is_one(name):
    sets = [load(name, split, seed=seed) for split in ("train", "validation", "test") for seed in (0, 1)]
    rows = torch.cat([data.images for data in sets])
    assert len(rows.unique(dim=0)) == len(rows)
    again = load(name, "test", seed=1, n=1000, noise=None)
    assert torch.equal(again.images, sets[-1].images)


@pytest.mark.parametrize("name", POINTS)
def test_the_constants_are_those_of_the_points(name):
    x = load(name, n=200_000).images
    np.testing.assert_allclose(x.mean(0), DATASETS[name].mean, atol=2e-3)
    np.testing.assert_allclose(x.std(0), DATASETS[name].std, atol=2e-3)


@pytest.mark.parametrize("name", POINTS)
def test_classes_can_be_told_apart_by_nearness_but_not_with_shuffled_labels(name):
    train, test = load(name, "train"), load(name, "test")
    nearest = torch.cdist(test.images, train.images).argmin(1)
    assert (train.labels[nearest] == test.labels).float().mean() > 0.97
    shuffled = train.labels[torch.randperm(len(train), generator=torch.Generator().manual_seed(0))]
    assert (shuffled[nearest] == test.labels).float().mean() < 0.6


def test_circles_without_noise_are_circles():
    data = load("circles", noise=0.0)
    radius = (data.images - 0.5).norm(dim=1)
    torch.testing.assert_close(radius, torch.where(data.labels == 0, 0.4, 0.2), atol=1e-6, rtol=0)


def test_the_unit_of_noise_is_the_side_of_the_square():
    quiet, loud = load("blobs", n=4000, noise=0.0), load("blobs", n=4000, noise=0.02)
    assert torch.equal(quiet.labels, loud.labels)
    assert (loud.images - quiet.images).std().item() == pytest.approx(0.02, rel=0.05)
