"""The numbers of the paper's Tables 1 and 2, as data: accuracies in percent, with the arrows of Table 2.

>>> str(PUBLISHED["mnist", "resnet18", "RBC", Column("pgd", "III")])
'74.55'
>>> str(PUBLISHED["mnist", "resnet18", "RBC+AT", Column("pgd", "III")])
'98.77↑'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Arrow = Literal["↑", "↓", ""]


@dataclass(frozen=True)
class Column:
    """A column of both tables.

    Attributes:
        attack: ``"fgsm"``, ``"pgd"``, or ``"clean"`` for the column LEG, the legitimate examples.
        intensity: ``"I"``, ``"II"`` or ``"III"``; empty for clean images.
    """

    attack: str
    intensity: str = ""

    def __str__(self) -> str:
        return f"{self.attack.upper()} {self.intensity}" if self.intensity else "LEG"


INTENSITIES = ("I", "II", "III")
"""0.1, 0.2 and 0.3 on MNIST; 3/255, 6/255 and 9/255 on CIFAR-10 and CIFAR-100."""

CLEAN = Column("clean")
COLUMNS = (*(Column(attack, each) for attack in ("fgsm", "pgd") for each in INTENSITIES), CLEAN)
"""The columns in the paper's order."""


@dataclass(frozen=True)
class Published:
    """One number of a table.

    Attributes:
        percent: the accuracy.
        arrow: in Table 2, whether retraining raised or lowered it, as printed; empty in Table 1.
    """

    percent: float
    arrow: Arrow = ""

    def __str__(self) -> str:
        return f"{self.percent:.2f}{self.arrow}"


TABLES: dict[str, tuple[str, ...]] = {
    "table1": ("TRA", "DeepBE", "INT", "RBC"), "table2": ("TRA+AT", "RBC+AT", "RBC+GN"),
}
"""The systems of each table, as the paper writes them."""

_PRINTED = """
mnist    efficientnet_b0 TRA     20.38  14.03  8.10  6.50  4.54  2.96  99.49
mnist    efficientnet_b0 DeepBE  86.87  69.89  48.95  71.33  32.69  11.56  99.26
mnist    efficientnet_b0 INT     99.12  99.12  99.13  99.04  98.71  99.11  99.18
mnist    efficientnet_b0 RBC     99.26  99.27  99.26  99.20  98.89  97.90  99.52
mnist    resnet18        TRA     68.52  14.88  10.03  34.59  4.40  2.19  99.65
mnist    resnet18        DeepBE  90.26  56.51  39.14  64.54  9.43  6.47  99.51
mnist    resnet18        INT     99.25  99.21  99.21  99.16  98.96  98.23  99.25
mnist    resnet18        RBC     99.21  99.22  99.21  99.50  95.19  74.55  99.55
cifar10  efficientnet_b0 TRA     62.95  38.50  25.55  61.05  31.07  15.12  90.59
cifar10  efficientnet_b0 DeepBE  52.48  38.43  33.64  51.59  36.44  30.19  76.82
cifar10  efficientnet_b0 INT     80.66  80.37  80.46  80.48  80.19  80.30  83.94
cifar10  efficientnet_b0 RBC     85.43  85.40  85.38  85.52  85.30  85.23  91.63
cifar10  resnet18        TRA     75.26  65.15  52.84  73.17  52.13  38.36  93.67
cifar10  resnet18        DeepBE  71.65  66.64  62.95  70.33  64.37  60.33  89.08
cifar10  resnet18        INT     86.47  86.55  86.56  86.40  86.55  86.47  87.54
cifar10  resnet18        RBC     90.92  90.91  90.94  90.86  90.99  90.93  93.55
cifar100 efficientnet_b0 TRA     40.86  22.38  14.21  39.39  17.90  8.21  68.85
cifar100 efficientnet_b0 DeepBE  9.80  5.56  3.65  9.76  5.31  3.22  17.90
cifar100 efficientnet_b0 INT     6.10  6.12  6.21  6.04  6.06  6.09  8.24
cifar100 efficientnet_b0 RBC     54.19  54.12  54.37  53.88  53.76  53.75  64.68
cifar100 resnet18        TRA     46.52  31.87  24.06  42.94  23.16  12.37  72.05
cifar100 resnet18        DeepBE  16.68  11.06  8.76  16.40  10.32  7.98  27.99
cifar100 resnet18        INT     17.59  17.61  17.65  17.43  17.52  17.62  20.13
cifar100 resnet18        RBC     58.33  58.35  58.45  58.35  58.26  57.94  69.09
mnist    efficientnet_b0 TRA+AT  98.48↑  96.89↑  88.65↑  98.37↑  80.51↑  10.36↑  99.44↓
mnist    efficientnet_b0 RBC+AT  99.21↓  99.20↓  99.20↓  99.19↓  99.18↑  99.14↑  99.54↑
mnist    efficientnet_b0 RBC+GN  99.34↑  99.33↑  99.35↑  99.36↑  99.21↑  98.78↑  99.44↓
mnist    resnet18        TRA+AT  98.97↑  98.00↑  85.03↑  98.98↑  94.87↑  30.25↑  99.57↓
mnist    resnet18        RBC+AT  99.04↓  98.87↓  98.88↓  98.96↓  98.89↑  98.77↑  99.53↓
mnist    resnet18        RBC+GN  99.30↑  99.30↑  99.30↑  99.33↓  99.00↑  94.28↑  99.56↑
cifar10  efficientnet_b0 TRA+AT  80.33↑  69.25↑  58.78↑  80.30↑  69.41↑  57.81↑  88.58↓
cifar10  efficientnet_b0 RBC+AT  83.31↓  79.81↓  79.22↓  83.25↓  79.60↓  79.18↓  91.30↓
cifar10  efficientnet_b0 RBC+GN  88.43↑  88.48↑  88.49↑  88.46↑  88.53↓  88.27↑  92.09↑
cifar10  resnet18        TRA+AT  86.81↑  80.11↑  72.96↑  84.74↑  79.66↑  71.41↑  92.63↓
cifar10  resnet18        RBC+AT  86.94↓  86.10↓  86.03↓  86.92↓  86.07↓  85.95↓  93.29↓
cifar10  resnet18        RBC+GN  91.75↑  91.77↑  91.78↑  91.72↑  91.70↑  91.52↑  93.78↑
cifar100 efficientnet_b0 TRA+AT  53.66↑  43.16↑  34.03↑  53.63↑  42.78↑  33.14↑  64.70↓
cifar100 efficientnet_b0 RBC+AT  50.91↓  49.60↓  49.21↓  50.52↓  49.03↓  48.86↓  63.36↓
cifar100 efficientnet_b0 RBC+GN  57.30↑  57.18↑  57.44↑  56.85↑  56.75↑  56.67↑  64.30↓
cifar100 resnet18        TRA+AT  59.07↑  50.38↑  42.32↑  58.87↑  49.69↑  40.87↑  68.96↓
cifar100 resnet18        RBC+AT  52.81↓  51.17↓  51.08↓  52.54↓  51.18↓  51.00↓  66.94↓
cifar100 resnet18        RBC+GN  61.22↑  61.29↑  61.40↑  61.24↑  61.09↑  60.95↑  68.56↓
"""
"""Data set, network, system, then the numbers in the order of `COLUMNS`, as printed."""


def _read(printed: str) -> dict[tuple[str, str, str, Column], Published]:
    numbers = {}
    for line in printed.strip().splitlines():
        data, arch, system, *cells = line.split()
        for column, cell in zip(COLUMNS, cells, strict=True):
            arrow: Arrow = "↑" if cell.endswith("↑") else "↓" if cell.endswith("↓") else ""
            numbers[data, arch, system, column] = Published(float(cell.removesuffix(arrow)), arrow)
    return numbers


PUBLISHED = _read(_PRINTED)
"""Every number by data set, network, system and column; one that the paper does not have is not in here."""
