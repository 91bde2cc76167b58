from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tasklab.data import ImageSet


def small(**changes: object) -> ImageSet:
    fields: dict[str, object] = {
        "name": "toy",
        "split": "train",
        "images": torch.arange(24, dtype=torch.uint8).reshape(6, 1, 2, 2),
        "labels": torch.tensor([0, 1, 2, 0, 1, 2]),
        "classes": ("a", "b", "c"),
        "mean": (0.5,),
        "std": (0.5,),
    }
    return ImageSet(**(fields | changes))  # type: ignore[arg-type]


def test_x_is_the_bytes_over_255():
    data = small(images=torch.tensor([0, 51, 255, 1, 2, 3], dtype=torch.uint8).reshape(6, 1, 1, 1))
    assert data.x().dtype == torch.float32
    torch.testing.assert_close(data.x().flatten()[:3], torch.tensor([0.0, 0.2, 1.0]))


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (2, [2]),
        (-1, [5]),
        (slice(1, 5, 2), [1, 3]),
        ([4, 0], [4, 0]),
        (torch.tensor([3, 3]), [3, 3]),
        (torch.tensor([True, False, False, False, False, True]), [0, 5]),
        ([], []),
    ],
)
def test_x_takes_every_kind_of_index_and_keeps_the_batch_axis(index, rows):
    data = small()
    got = data.x(index)
    assert got.shape == (len(rows), 1, 2, 2)
    assert torch.equal(got, data.x()[rows])


def test_x_never_shares_memory_with_the_set():
    points = small(images=torch.rand(6, 2), mean=(0.5, 0.5), std=(0.5, 0.5))
    for data in (small(), points):
        before = data.images.clone()
        data.x().zero_()
        data.x(slice(None)).zero_()
        assert torch.equal(data.images, before)


def test_subset_keeps_images_and_labels_together():
    data = small()
    first = data.subset(4)
    assert (len(first), first.labels.tolist(), first.classes) == (4, [0, 1, 2, 0], data.classes)
    chosen = data.subset(data.labels == 2)
    assert chosen.labels.tolist() == [2, 2]
    assert torch.equal(chosen.images, data.images[[2, 5]])
    with pytest.raises(ValueError, match="got 7; try 6"):
        data.subset(7)
    with pytest.raises(IndexError, match=r"0\.\.5, got 6"):
        data.x(6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": torch.zeros(6, 1, 2, 2)}, "expected images as uint8"),
        ({"images": torch.zeros(6, 4, dtype=torch.uint8)}, "expected images as uint8"),
        ({"labels": torch.zeros(5, dtype=torch.int64)}, r"expected labels as int64 \(6,\)"),
        ({"labels": torch.zeros(6)}, "with .long()"),
        ({"labels": torch.tensor([0, 1, 2, 3, 0, 0])}, r"0..2, got 0..3"),
        ({"labels": torch.tensor([0, -1, 2, 1, 0, 0])}, r"0..2, got -1..2"),
        ({"mean": (0.5, 0.5)}, "mean and std with 1 values"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, words):
    with pytest.raises((TypeError, ValueError), match=words):
        small(**changes)


def test_to_the_same_device_shares_the_tensors():
    data = small()
    assert data.to("cpu").images is data.images
    assert data.device.type == "cpu"


def test_a_set_that_does_not_fit_stays_where_it_is(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10, 1000))
    data = small()
    assert data.to("cuda") is data
    assert "stays on cpu" in caplog.text


def test_import_is_light():
    code = (
        "import sys, tasklab.data; "
        "print([m for m in ('torchvision', 'sklearn', 'PIL', 'pandas', 'plotly') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[]"
