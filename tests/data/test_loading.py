from __future__ import annotations

import hashlib
import os
import shutil
import sys

import numpy as np
import pytest
import torch

from tasklab.data import DATASETS, DataDamaged, DataMissing, available, data_root, load, loading

SPLITS = ("train", "validation", "test")


def need(name: str) -> None:
    if DATASETS[name].needs_download and not (os.environ.get("TASKLAB_DATA") and available(name)):
        pytest.skip(f"needs {name} under TASKLAB_DATA")


REAL = [pytest.param(name, marks=pytest.mark.data) for name in ("mnist", "cifar10", "cifar100")]


@pytest.mark.parametrize("name", ["digits", *REAL])
def test_the_constants_are_those_of_the_data(name):
    need(name)
    info = DATASETS[name]
    for split, size in zip(SPLITS, info.sizes, strict=True):
        data = load(name, split)
        assert (len(data), data.shape, data.num_classes) == (size, info.shape, info.num_classes)
        assert data.labels.unique().tolist() == list(range(info.num_classes))
        assert data.images.is_contiguous()
    images = load(name, "train").images.numpy()
    counts = np.stack([np.bincount(images[:, c].reshape(-1), minlength=256) for c in range(images.shape[1])])
    share, levels = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
    mean = share @ levels
    std = np.sqrt(share @ levels**2 - mean**2)
    np.testing.assert_allclose(info.mean, mean, atol=1e-4)
    np.testing.assert_allclose(info.std, std, atol=1e-4)


@pytest.mark.parametrize("name", REAL)
def test_train_and_validation_divide_the_official_training_set(name):
    need(name)
    from torchvision import datasets

    reader = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    for train in (True, False):
        official = reader(data_root(), train=train)
        raw = torch.as_tensor(official.data)
        raw = raw[:, None] if raw.ndim == 3 else raw.permute(0, 3, 1, 2)
        parts = [load(name, split) for split in (("train", "validation") if train else ("test",))]

        def keys(images, labels):
            rows = np.ascontiguousarray(images.reshape(len(images), -1).numpy())
            digests = (hashlib.md5(row.tobytes()).digest() for row in rows)
            return sorted(zip(digests, labels.tolist(), strict=True))

        ours = sorted(key for part in parts for key in keys(part.images, part.labels))
        assert ours == keys(raw, torch.as_tensor(official.targets))
    if name != "mnist":
        assert tuple(official.classes) == DATASETS[name].classes


@pytest.mark.parametrize("name", REAL)
def test_the_files_are_described_as_torchvision_describes_them(name):
    from torchvision import datasets

    from tasklab.data.files import FILES

    if name != "mnist":
        kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
        theirs = {f"{kind.base_folder}/{file}": md5 for file, md5 in kind.train_list + kind.test_list}
        theirs[f"{kind.base_folder}/{kind.meta['filename']}"] = kind.meta["md5"]
        assert {file.path: file.md5 for file in FILES[name]} == theirs
    else:
        names = {f"MNIST/raw/{file.removesuffix('.gz')}" for file, _ in datasets.MNIST.resources}
        assert {file.path for file in FILES[name]} == names
    assert sum(file.size for file in FILES[name]) == DATASETS[name].disk_bytes


def test_digits_are_divided_with_no_row_twice_and_classes_in_proportion():
    from sklearn.datasets import load_digits

    raw = load_digits()
    parts = [load("digits", split) for split in SPLITS]
    ours = torch.cat([part.images for part in parts]).flatten(1)
    levels = ours.double() * 16 / 255
    assert (levels - levels.round()).abs().max() < 0.04  # 17 levels, from 0 to 255
    assert (int(ours.min()), int(ours.max())) == (0, 255)
    assert sorted(map(tuple, levels.round().long().tolist())) == sorted(map(tuple, raw.data.astype(int).tolist()))
    everything = np.bincount(raw.target)
    for part in parts:
        expected = everything * len(part) / 1797
        assert np.abs(np.bincount(part.labels.numpy()) - expected).max() <= 2


def test_digits_are_read_without_scikit_learn_itself_or_through_it(monkeypatch):
    rows = []
    for barred, place in (("sklearn.datasets", loading.DIGITS), ("nothing", "elsewhere.csv")):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, barred, None)  # an import of it would fail
            patched.setattr(loading, "DIGITS", place)
            rows.append(loading._digits_as_rows())
    assert rows[0].shape == (1797, 65) and np.array_equal(*rows)


@pytest.mark.parametrize("name", ["digits", "spirals", "mnist", "cifar10"])  # CIFAR-100 is read as CIFAR-10 is
def test_the_global_random_states_neither_matter_nor_change(name):
    need(name)
    results = []
    for seed in (1, 2):
        loading.forget()
        loading._digits.cache_clear()
        loading._points.cache_clear()
        torch.manual_seed(seed)
        np.random.seed(seed)
        torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
        results.append(load(name, "validation"))
        assert torch.equal(torch.get_rng_state(), torch_before)
        assert (np.random.get_state()[1] == numpy_before).all()
    assert torch.equal(results[0].images, results[1].images)
    assert torch.equal(results[0].labels, results[1].labels)


@pytest.mark.parametrize("name", ["digits", *REAL])
def test_the_validation_set_is_the_same_for_ever(name):
    """A checkpoint's validation images must not move into its training images with the next release."""
    need(name)
    digests = {
        "digits": "8a66c2cd9a470f4d79381485dcf86986",
        "mnist": "13a78456a965324415607b50ba30e633",
        "cifar10": "eea21f2cbcd5168b9e2215848b31f595",
        "cifar100": "f99b85710cf25fd637786854419f42bc",
    }
    labels = load(name, "validation").labels.numpy().astype("<i8")
    assert hashlib.md5(labels.tobytes()).hexdigest() == digests[name]


def test_a_second_load_is_the_same_set():
    assert load("digits", "train") is load("digits", "train")
    assert load("moons", n=10) is load("moons", n=10)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100"])
def test_absent_data_names_the_command(name, tmp_path):
    assert not available(name, tmp_path)
    with pytest.raises(DataMissing, match=f"`tasklab data {name}`") as caught:
        load(name, root=tmp_path)
    assert isinstance(caught.value, FileNotFoundError)
    assert not isinstance(caught.value, DataDamaged)
    assert not any(tmp_path.iterdir())


@pytest.mark.data
@pytest.mark.parametrize("fault", ["flipped byte", "cut short", "one file gone"])
def test_damaged_data_names_the_command_and_the_file(fault, tmp_path):
    need("mnist")
    shutil.copytree(data_root() / "MNIST", tmp_path / "MNIST")
    file = tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    content = bytearray(file.read_bytes())
    if fault == "one file gone":
        file.unlink()
    elif fault == "cut short":
        file.write_bytes(content[:-1])
    else:
        content[5000] ^= 1
        file.write_bytes(content)
    assert available("mnist", tmp_path) is (fault == "flipped byte")  # names and sizes alone are looked at
    with pytest.raises(DataDamaged, match=r"t10k-labels.*`tasklab data mnist --force`"):
        load("mnist", "train", root=tmp_path)


def test_the_root_is_the_argument_then_the_variable_then_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TASKLAB_DATA", str(tmp_path / "variable"))
    assert data_root(tmp_path / "argument") == tmp_path / "argument"
    assert data_root() == tmp_path / "variable"
    monkeypatch.delenv("TASKLAB_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_root() == tmp_path / "cache" / "tasklab" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_root() == tmp_path / ".cache" / "tasklab" / "data"


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (("imagenet",), {}, "one of digits, mnist"),
        (("digits", "val"), {}, "one of train, validation, test"),
        (("digits",), {"n": 50}, r"expected no n for digits.*\.subset\(50\)"),
        (("moons",), {"n": 0}, "expected n ≥ 1"),
        (("moons",), {"noise": -0.1}, "expected noise ≥ 0"),
        (("moons",), {"noise": float("nan")}, "expected noise ≥ 0"),
        (("moons",), {"seed": -1}, "expected seed ≥ 0"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(arguments, settings, words):
    with pytest.raises(ValueError, match=words):
        load(*arguments, **settings)
