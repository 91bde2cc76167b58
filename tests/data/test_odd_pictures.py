"""Pictures as visitors bring them, some hundreds from a seed: each is read whole, or refused in one sentence."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tasklab.data import PictureError, read_picture

MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "I;16")
KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA", "PCX", "JPEG2000")
SIDES = (1, 2, 3, 7, 8, 27, 28, 33, 64, 100, 255)


def one(chance: random.Random) -> bytes:
    """A picture of any mode, size and format, whole or damaged."""
    mode, kind = chance.choice(MODES), chance.choice(KINDS)
    size = chance.choice(SIDES), chance.choice((*SIDES, 900))
    noise = np.random.default_rng(chance.randrange(2**32)).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    picture = Image.fromarray(noise if chance.random() < 0.7 else noise * 0 + chance.randrange(256), "RGBA")
    file = BytesIO()
    try:
        level = chance.randrange(2**16)
        made = picture.convert("RGB").convert(mode) if mode != "I;16" else Image.new(mode, size, level)
        made.save(file, kind)
    except (OSError, ValueError, KeyError):  # that format does not know the mode
        file = BytesIO()
        picture.save(file, "PNG")
    content = bytearray(file.getvalue())
    way = chance.randrange(6)
    if way == 0:
        del content[chance.randrange(len(content)) :]
    elif way == 1:
        for _ in range(chance.choice((1, 10, 100))):
            content[chance.randrange(len(content))] = chance.randrange(256)
    elif way == 2:
        at = chance.randrange(len(content))
        content[at:at] = chance.randbytes(chance.choice((1, 64, 4096)))
    elif way == 3:
        content[:] = content[: 64] + chance.randbytes(200)
    return bytes(content)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["digits", "mnist", "cifar10"])
def test_a_picture_is_read_or_refused_in_a_sentence(name: str) -> None:
    chance = random.Random(7)
    read = refused = 0
    for _ in range(200):
        content = one(chance)
        try:
            x = read_picture(content, name)
        except PictureError as error:
            refused += 1
            message = str(error)
            assert message and "\n" not in message and len(message) < 300 and "Error" not in message, message
            continue
        read += 1
        assert bool(x.isfinite().all()) and float(x.min()) >= 0 and float(x.max()) <= 1
    assert read > 60 and refused > 20


def png(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    """A PNG that says what it likes of its size."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


BOMBS = {
    "a huge square": png(100_000, 100_000),
    "a line": png(2**31 - 1, 1),
    "a column": png(1, 2**31 - 1),
    "nothing": png(0, 0),
    "no data": png(64, 64),
    "too much data": png(4, 4, data=bytes(1 << 20)),
    "a wide GIF": b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x00\x00\x00,\x00\x00\x00\x00"
    + struct.pack("<HH", 65535, 65535) + b"\x00\x02\x02D\x01\x00;",
    "a bitmap": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1/a'/></svg>",
    "a safetensors file": struct.pack("<Q", 2) + b"{}",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_what_asks_for_more_than_it_is_is_refused(content: bytes) -> None:
    if content == BOMBS["too much data"]:
        read_picture(content, "cifar10")  # only what its size asks for is read
        return
    with pytest.raises(PictureError, match=r"expected|damaged"):
        read_picture(content, "cifar10")
