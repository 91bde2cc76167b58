"""A user's own image, converted to the format of a data set's images."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import PictureError
from .info import info_of

if TYPE_CHECKING:
    from PIL.Image import Image

Source = str | os.PathLike[str] | bytes | BinaryIO | NDArray[Any]

MAX_PIXELS = 24_000_000
"""The largest image that is decoded, in pixels."""
MAX_BYTES = 100_000_000
"""The largest file that is read."""

_REFUSED = ("EPS", "WMF")  # formats for which Pillow starts other programs
_WORKING_SIDE = 1024  # larger images of digits are reduced to this first
_LEAST_CONTRAST = 12.0  # of 255, between the ground and the ink
_FAINT = 12.0  # of 255: weaker ink may be noise or a compression artefact, and is not in the bounding box


def read_picture(source: Source, name: str, *, dark_ink: bool | None = None) -> Tensor:
    """Read one image in the format of a data set's images.

    - "mnist", "digits": the image is made grey, and its ground is the median brightness of its outermost frame.
      Whatever departs from it most, to the dark or to the light, is taken for ink, and becomes light on black: a
      bright ground with dark ink is inverted. The ink is cropped to its bounding box, scaled to fit 20×20 with
      smoothing, and placed by its centre of mass in 28×28, as MNIST was made. For "digits" the ink is scaled to fit
      8×8, centred sideways, and rounded to the 17 levels of that set.
    - "cifar10", "cifar100": the largest centred square, scaled to 32×32 with smoothing, in RGB.

    Transparent parts become white, or black if what is visible is light. The EXIF orientation is obeyed.

    Args:
        source: a file name, the bytes of a file, an open binary file, or a uint8 array ``(H, W)``, ``(H, W, 3)`` or
            ``(H, W, 4)``; any size, up to 24 million pixels.
        name: the data set, one of images.
        dark_ink: whether the ink is darker than the ground; None to detect it. Only for "mnist" and "digits".

    Returns:
        float32 ``(1, C, H, W)`` in [0, 1].

    Raises:
        PictureError: (a ValueError) one sentence: the file is not an image, or too large, damaged, animated or blank.
        ValueError: the data set has no images.

    >>> page = np.full((60, 40), 250, dtype=np.uint8)  # a bright page
    >>> page[10:50, 18:22] = 20  # with a dark stroke
    >>> read_picture(page, "mnist")[0, 0, :, 14].gt(0.5).sum().item()  # 20 pixels high, light on black
    20
    """
    info = info_of(name)
    if info.is_points:
        raise ValueError(f"expected a data set of images, got {name!r}, which holds points; try 'mnist'")
    picture = _from_array(source) if isinstance(source, np.ndarray) else _open(_content(source))
    picture = _flatten(picture)
    pixels = _square(picture, info.shape[-1]) if info.shape[0] == 3 else _digit(picture, info.shape[-1], dark_ink)
    return torch.from_numpy(pixels).to(torch.float32).div_(255.0)[None]


def picture_preview(source: bytes, *, side: int = 320) -> NDArray[np.uint8]:
    """An image as it is, made small enough to be shown beside what `read_picture` makes of it.

    Args:
        source: the bytes of a file.
        side: its longer side in pixels, at most.

    Returns:
        uint8 ``(H, W, 3)`` or, for a grey image, ``(H, W)``.

    Raises:
        PictureError: (a ValueError) one sentence: the file is not an image, or too large, damaged or animated.
    """
    picture = _flatten(_open(source))
    picture.thumbnail((side, side))
    return np.asarray(picture)


def _content(source: str | os.PathLike[str] | bytes | BinaryIO) -> bytes:
    """The bytes of a file, up to the limit."""
    try:
        if isinstance(source, (str, os.PathLike)):
            with open(Path(source), "rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        elif isinstance(source, (bytes, bytearray, memoryview)):
            content = bytes(source)
        elif hasattr(source, "read"):
            content = source.read(MAX_BYTES + 1)
        else:
            raise TypeError(
                f"expected a file name, bytes, an open binary file or a uint8 array, got {type(source).__name__}; "
                "try np.asarray(image)"
            )
    except OSError as error:
        raise PictureError(f"the image cannot be read ({error.strerror or error}); try another file") from error
    if not content:
        raise PictureError("expected an image, got an empty file; try another file")
    if len(content) > MAX_BYTES:
        raise PictureError(f"expected a file of up to {MAX_BYTES // 10**6} MB, got a larger one; try a smaller image")
    return content


def _open(content: bytes) -> Image:
    """Decode one image once its size has been checked, and apply its EXIF orientation."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.init()
    formats = [kind for kind in Image.ID if kind not in _REFUSED]
    try:
        picture = Image.open(BytesIO(content), formats=formats)
        _check_size(picture.width, picture.height)
        if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":  # MPO: a camera's preview beside it
            raise PictureError("expected a single image, got several (an animation?); try one of its frames")
        picture.load()
        return ImageOps.exif_transpose(picture)
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError("expected an image, got a file of another kind; try a PNG or JPEG") from error
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large("far more")) from error
    except Exception as error:  # decoders fail in many ways on damaged files
        raise PictureError("the image is damaged or cut short; try saving it again, as PNG or JPEG") from error


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise PictureError(f"expected an image with at least one pixel, got {width}×{height}; try another one")
    if width * height > MAX_PIXELS:
        raise PictureError(_too_large(f"{width}×{height}"))


def _too_large(got: str) -> str:
    return f"expected an image of up to {MAX_PIXELS // 10**6} million pixels, got {got}; try a smaller one"


def _from_array(pixels: NDArray[Any]) -> Image:
    """An image from an array, such as the canvas of a drawing pad."""
    from PIL import Image

    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise PictureError(
            "expected a uint8 array (H, W), (H, W, 3) or (H, W, 4), "
            f"got {pixels.dtype} {pixels.shape}; try (pixels * 255).astype('uint8')"
        )
    _check_size(pixels.shape[1], pixels.shape[0])
    return Image.fromarray(np.ascontiguousarray(pixels))


def _flatten(picture: Image) -> Image:
    """An image of any mode as "L" or "RGB"; transparent parts become white, or black if the visible ones are light."""
    from PIL import Image

    if picture.mode in ("F", "I") or picture.mode.startswith("I;"):
        values = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0.0).clip(0)
        tops = {"F": (1.0, 255.0, 65535.0), "I": (255.0, 65535.0)}.get(picture.mode, (65535.0,))
        white = next((top for top in tops if values.max() <= top), float(values.max()))
        return Image.fromarray(np.rint(values * (255.0 / white)).astype(np.uint8))
    if picture.mode in ("1", "L") and "transparency" not in picture.info:
        return picture.convert("L")
    if picture.mode not in ("RGBA", "LA", "PA", "RGBa", "La") and "transparency" not in picture.info:
        try:
            return picture.convert("RGB")
        except ValueError as error:
            raise PictureError(f"expected grey or colour, got {picture.mode}; try saving it as PNG or JPEG") from error
    picture = picture.convert("RGBA")
    alpha = np.asarray(picture.getchannel("A"), dtype=np.float64)
    if not alpha.any():
        raise PictureError("expected an image with something on it, got one that is wholly transparent; try another")
    light = float((np.asarray(picture.convert("L")) * alpha).sum() / alpha.sum()) > 127.5
    ground = Image.new("RGBA", picture.size, "black" if light else "white")
    return Image.alpha_composite(ground, picture).convert("RGB")


def _square(picture: Image, side: int) -> NDArray[np.uint8]:
    """The largest centred square, scaled, as ``(3, side, side)``."""
    from PIL.Image import Resampling

    edge = min(picture.size)
    left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
    picture = picture.convert("RGB").crop((left, top, left + edge, top + edge))
    pixels = np.asarray(picture.resize((side, side), Resampling.BICUBIC), dtype=np.uint8)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _digit(picture: Image, side: int, dark_ink: bool | None) -> NDArray[np.uint8]:
    """The ink, light on black, as ``(1, side, side)``."""
    from PIL import Image

    picture = picture.convert("L")
    if max(picture.size) > _WORKING_SIDE:
        picture.thumbnail((_WORKING_SIDE, _WORKING_SIDE), Image.Resampling.BOX)
    ink = _ink(np.asarray(picture, dtype=np.float32), dark_ink)  # (H, W), 0..255
    ink = ink[_extent(ink.max(1)), :][:, _extent(ink.max(0))]

    box = 20 if side == 28 else side
    scale = box / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    smoothing = Image.Resampling.BILINEAR if side == 28 else Image.Resampling.BOX
    small = np.asarray(Image.fromarray(ink).resize((width, height), smoothing))
    small = small * (255.0 / small.max())

    top, left = (side - height + 1) // 2, (side - width + 1) // 2
    if side == 28:  # MNIST's centres of mass lie on pixel (14, 14)
        rows_mass, columns_mass = small.sum(1) / small.sum(), small.sum(0) / small.sum()
        top = min(max(round(14 - float(rows_mass @ np.arange(height))), 0), side - height)
        left = min(max(round(14 - float(columns_mass @ np.arange(width))), 0), side - width)
    else:
        small = np.rint(small * (16 / 255)) * (255 / 16)
    field = np.zeros((1, side, side), dtype=np.uint8)
    field[0, top : top + height, left : left + width] = np.rint(small)
    return field


def _extent(strongest: NDArray[np.float32]) -> slice:
    """The lines from the first to the last one whose ink is not faint."""
    lines = np.flatnonzero(strongest > _FAINT)
    return slice(int(lines[0]), int(lines[-1]) + 1)


def _ink(gray: NDArray[np.float32], dark_ink: bool | None) -> NDArray[np.float32]:
    """The difference from the ground, 0 to 255, less the variation of the ground itself."""
    frame = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    ground = float(np.median(frame))
    if dark_ink is None:
        dark_ink = ground - float(gray.min()) > float(gray.max()) - ground
    ink = (ground - gray if dark_ink else gray - ground).clip(0)
    peak = float(ink.max())
    if peak < _LEAST_CONTRAST:
        raise PictureError("expected a digit on a plain background, got an image of a single colour; try a darker pen")
    floor = min(4 * float(np.median(np.abs(frame - ground))), 0.5 * peak)
    return ((ink - floor).clip(0) * (255.0 / (peak - floor))).astype(np.float32)
