"""What is known about each data set before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from tasklab.data.radii import IN_HUNDREDTHS, IN_LEVELS, LENGTHS_8, LENGTHS_28, LENGTHS_32, Radii

_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_CIFAR100_WORDS = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
    tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
_CIFAR100 = tuple(_CIFAR100_WORDS.split())

_DIGITS = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class DataInfo:
    """One data set: its contents and its size.

    Args:
        name: the name by which it is loaded.
        title: its name for people.
        shape: of one example, ``(C, H, W)``, or ``(2,)`` for points.
        classes: the name of each class (torchvision's own for CIFAR).
        mean, std: per channel (per coordinate for points) over the training split, on the [0, 1] scale; for points
            over a large draw with the set's own noise.
        sizes: how many examples train, validation and test hold (for points: by default).
        download_bytes: bytes to download; 0 for a set that is always there.
        disk_bytes: bytes on disk afterwards.
        radii: the usual ε in the Linf norm, the largest change of a pixel.
        lengths: the usual ε in the L2 norm, the length of the whole change.
    """

    name: str
    title: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sizes: tuple[int, int, int]
    download_bytes: int = 0
    disk_bytes: int = 0
    radii: Radii = IN_HUNDREDTHS
    lengths: Radii = IN_HUNDREDTHS

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @property
    def needs_download(self) -> bool:
        """Whether the set has to be fetched once."""
        return self.download_bytes > 0

    @property
    def is_points(self) -> bool:
        """Whether this is a set of points in the plane."""
        return self.shape == (2,)


def _points(name: str, title: str, classes: int, mean: tuple[float, float], std: tuple[float, float]) -> DataInfo:
    words = tuple("ABCD"[:classes])
    return DataInfo(name=name, title=title, shape=(2,), classes=words, mean=mean, std=std, sizes=(1000, 1000, 1000))


DATASETS: dict[str, DataInfo] = {
    info.name: info
    for info in (
        DataInfo(
            name="digits",
            title="Digits (8×8)",
            shape=(1, 8, 8),
            classes=_DIGITS,
            mean=(0.3058,),
            std=(0.3760,),
            sizes=(1097, 300, 400),
            lengths=LENGTHS_8,
        ),
        DataInfo(
            name="mnist",
            title="MNIST",
            shape=(1, 28, 28),
            classes=_DIGITS,
            mean=(0.1306,),
            std=(0.3081,),
            sizes=(55000, 5000, 10000),
            download_bytes=11594722,
            disk_bytes=54950048,
            lengths=LENGTHS_28,
        ),
        DataInfo(
            name="cifar10",
            title="CIFAR-10",
            shape=(3, 32, 32),
            classes=_CIFAR10,
            mean=(0.4915, 0.4823, 0.4465),
            std=(0.2471, 0.2435, 0.2616),
            sizes=(45000, 5000, 10000),
            download_bytes=170498071,
            disk_bytes=186214026,
            radii=IN_LEVELS,
            lengths=LENGTHS_32,
        ),
        DataInfo(
            name="cifar100",
            title="CIFAR-100",
            shape=(3, 32, 32),
            classes=_CIFAR100,
            mean=(0.5066, 0.4863, 0.4406),
            std=(0.2673, 0.2565, 0.2762),
            sizes=(45000, 5000, 10000),
            download_bytes=169001437,
            disk_bytes=186301098,
            radii=IN_LEVELS,
            lengths=LENGTHS_32,
        ),
        _points("moons", "Two moons", 2, (0.5, 0.5), (0.233, 0.265)),
        _points("circles", "Two circles", 2, (0.5, 0.5), (0.226, 0.226)),
        _points("blobs", "Four blobs", 4, (0.5, 0.5), (0.248, 0.248)),
        _points("spirals", "Three spirals", 3, (0.5, 0.5), (0.208, 0.208)),
    )
}
"""Every data set by name, in the order in which to offer them."""


def info_of(name: str) -> DataInfo:
    """The entry of `DATASETS`, or a ValueError that lists the names.

    >>> info_of("mnist").shape
    (1, 28, 28)
    """
    if name not in DATASETS:
        raise ValueError(f"expected a data set, one of {', '.join(DATASETS)}, got {name!r}; try 'digits'")
    return DATASETS[name]


def radii_of(name: str, norm: str = "linf") -> Radii:
    """The usual ε on a data set: the largest change of a pixel (``"linf"``) or the length of the change (``"l2"``).

    >>> radii_of("mnist").usual, radii_of("cifar10").usual == 8 / 255
    (0.2, True)
    >>> [(radii_of(name, "l2").usual, radii_of(name, "l2").most) for name in ("digits", "mnist", "cifar10")]
    [(1.0, 2.5), (2.0, 5.0), (0.5, 2.0)]
    """
    return info_of(name).radii if norm == "linf" else info_of(name).lengths
