"""Image sets and point sets, their splits, downloads, augmentation, and a user's own pictures."""

from __future__ import annotations

from .errors import DataDamaged, DataMissing, DownloadError, PictureError
from .files import available, data_root
from .imageset import ImageSet
from .info import DATASETS, DataInfo
from .loading import load

__all__ = [
    "DATASETS",
    "DataDamaged",
    "DataInfo",
    "DataMissing",
    "DownloadError",
    "ImageSet",
    "PictureError",
    "available",
    "data_root",
    "load",
]
