"""Image sets and point sets, their splits, downloads, augmentation, and a user's own images."""

from __future__ import annotations

from .augmentation import augment
from .downloading import DownloadEvent, download
from .drawn import drawn_digits
from .errors import DataDamaged, DataMissing, DownloadError, PictureError
from .files import available, data_root
from .imageset import ImageSet
from .info import DATASETS, DataInfo
from .loading import load
from .pictures import read_picture
from .strokes import Stroke, digit_strokes, draw_strokes

__all__ = [
    "DATASETS",
    "DataDamaged",
    "DataInfo",
    "DataMissing",
    "DownloadError",
    "DownloadEvent",
    "ImageSet",
    "PictureError",
    "Stroke",
    "augment",
    "available",
    "data_root",
    "digit_strokes",
    "download",
    "draw_strokes",
    "drawn_digits",
    "load",
    "read_picture",
]
