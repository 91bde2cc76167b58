from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from tasklab.data import DATASETS, PictureError, available, load, read_picture

IMAGES = [name for name, info in DATASETS.items() if not info.is_points]


def seven(size: int = 200, ink: int = 0, ground: int = 255) -> Image.Image:
    """A 7, in gray."""
    picture = Image.new("L", (size, size), ground)
    corners = [(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)]
    points = [(round(x * size), round(y * size)) for x, y in corners]
    ImageDraw.Draw(picture).line(points, fill=ink, width=size // 14, joint="curve")
    return picture


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def test_a_picture_from_mnist_comes_back_as_it_was():
    if not os.environ.get("TASKLAB_DATA") or not available("mnist"):
        pytest.skip("needs mnist under TASKLAB_DATA")
    data = load("mnist", "test").subset(200)
    expected = data.x()
    got = torch.cat([read_picture(image[0].numpy(), "mnist") for image in data.images])
    assert (got - expected).abs().flatten(1).mean(1).max() < 0.005
    assert (got == expected).flatten(1).all(1).float().mean() > 0.75
    other = got.roll(1, 0)
    assert (other - expected).abs().flatten(1).mean(1).mean() > 0.1  # the control: another digit is far away

    # and so it does when it was enlarged, inverted and put into a corner of a page
    pages = [np.pad(255 - np.kron(i[0].numpy(), np.ones((9, 9), np.uint8)), ((40, 10), (0, 70)), constant_values=255)
             for i in data.images]
    got = torch.cat([read_picture(page, "mnist") for page in pages])
    assert (got - expected).abs().flatten(1).mean(1).max() < 0.05


def test_a_picture_from_digits_comes_back_as_it_was():
    data = load("digits", "test").subset(200)
    got = torch.cat([read_picture(image[0].numpy(), "digits") for image in data.images])
    assert (got == data.x()).flatten(1).all(1).float().mean() > 0.8
    levels = got.double() * 16
    assert (levels - levels.round()).abs().max() < 0.04


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_a_picture_of_cifar_size_is_untouched_and_a_larger_one_is_cut_in_the_middle(name):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    expected = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    assert torch.equal(read_picture(pixels, name), expected)
    page = np.zeros((64, 100, 3), np.uint8)
    page[:, 18:82] = np.kron(pixels, np.ones((2, 2, 1), np.uint8))
    assert (read_picture(page, name) - expected).abs().mean() < 0.12
    page[:, 18:82] = 128
    assert torch.equal(read_picture(page, name), torch.full((1, 3, 32, 32), 128 / 255))  # nothing of the sides


def test_making_a_picture_smaller_smooths_it():
    chequers = (np.indices((320, 320)).sum(0) % 2 * 255).astype(np.uint8)
    assert (read_picture(chequers, "cifar10") - 0.5).abs().max() < 0.02


@pytest.mark.parametrize("side", [28, 8])
def test_ink_is_scaled_to_the_box_and_centred(side):
    name = {28: "mnist", 8: "digits"}[side]
    page = np.full((300, 500), 255, np.uint8)
    page[20:220, 400:440] = 0  # a 1 far from the middle
    x = read_picture(page, name)[0, 0]
    rows, columns = (x.sum(1).nonzero().flatten(), x.sum(0).nonzero().flatten())
    assert len(rows) == {28: 20, 8: 8}[side]
    assert len(columns) == {28: 4, 8: 2}[side]
    mass = x.sum()
    centre = [(x.sum(d) @ torch.arange(float(side)) / mass).item() for d in (1, 0)]
    expected = {28: 14.0, 8: 3.5}[side]  # MNIST's centres of mass lie on pixel 14
    assert centre == pytest.approx([expected] * 2, abs=0.51)


@pytest.mark.parametrize("name", ["mnist", "digits"])
@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0), (30, 110), (220, 140), (90, 180), (250, 200)])
def test_ink_becomes_light_on_black_whatever_the_two_were(name, ink, ground):
    clean, drawn = (np.asarray(seven(ink=i, ground=g)) for i, g in ((255, 0), (ink, ground)))
    expected, got = read_picture(clean, name), read_picture(drawn, name)
    assert got.max() == 1
    assert got[0, 0, 0, 0] == 0
    assert (got - expected).abs().mean() < 0.02
    assert torch.equal(read_picture(drawn, name, dark_ink=ink < ground), got)
    with pytest.raises(PictureError, match="single colour"):
        read_picture(drawn, name, dark_ink=ink > ground)


def test_a_noisy_page_does_not_grow_the_digit():
    rng = np.random.default_rng(0)
    page = np.asarray(seven(ink=40, ground=200)).astype(float) + rng.normal(0, 4, (200, 200))
    expected = read_picture(seven_array(), "mnist")
    assert (read_picture(page.clip(0, 255).astype(np.uint8), "mnist") - expected).abs().mean() < 0.005


def seven_array() -> np.ndarray:
    return np.asarray(seven())


def on_transparent(ink: int) -> Image.Image:
    mask = seven(ink=255, ground=0)
    picture = Image.new("RGBA", mask.size, (ink, ink, ink, 0))
    picture.putalpha(mask)
    return picture


VARIANTS = {
    "gray": lambda: saved(seven()),
    "rgb": lambda: saved(seven().convert("RGB")),
    "dark on transparent": lambda: saved(on_transparent(0)),
    "light on transparent": lambda: saved(on_transparent(255)),
    "gray with alpha": lambda: saved(on_transparent(0).convert("LA")),
    "palette": lambda: saved(seven().convert("P")),
    "palette, one entry transparent": lambda: saved(seven().convert("P"), transparency=255),
    "gray, one level transparent": lambda: saved(seven(), transparency=255),
    "gif": lambda: saved(seven(), "GIF"),
    "1 bit": lambda: saved(seven().convert("1")),
    "16 bit": lambda: saved(Image.fromarray(seven_array().astype(np.uint16) * 257)),
    "16 bit, dim": lambda: saved(Image.fromarray(seven_array().astype(np.uint16) * 100)),
    "32 bit": lambda: saved(Image.fromarray(seven_array().astype(np.int32) * 257), "TIFF"),
    "float to 1": lambda: saved(Image.fromarray(seven_array().astype(np.float32) / 255), "TIFF"),
    "float to 9000": lambda: saved(Image.fromarray(seven_array().astype(np.float32) * 36), "TIFF"),
    "cmyk": lambda: saved(seven().convert("CMYK"), "TIFF"),
    "cmyk jpeg": lambda: saved(seven().convert("CMYK"), "JPEG", quality=95),
    "jpeg": lambda: saved(seven(), "JPEG", quality=95),
    "webp": lambda: saved(seven().convert("RGB"), "WEBP", lossless=True),
    "bmp": lambda: saved(seven(), "BMP"),
    "turned, as EXIF says": lambda: saved(seven().transpose(Image.Transpose.ROTATE_90), exif=exif(6)),
}


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_mode_gives_the_same_digit(variant, tmp_path):
    expected = read_picture(saved(seven()), "mnist")
    content = VARIANTS[variant]()
    (tmp_path / "picture").write_bytes(content)
    for source in (content, tmp_path / "picture", str(tmp_path / "picture"), io.BytesIO(content)):
        got = read_picture(source, "mnist")
        assert got.dtype == torch.float32
        assert got.shape == (1, 1, 28, 28)
        assert (got - expected).abs().mean() < 0.01
    turned = read_picture(saved(seven().transpose(Image.Transpose.ROTATE_90)), "mnist")
    assert (turned - expected).abs().mean() > 0.05  # the control
    for name in IMAGES:
        assert read_picture(content, name).shape == (1, *DATASETS[name].shape)


def test_transparent_parts_of_a_photo_are_white():
    picture = Image.new("RGBA", (64, 64), (200, 0, 0, 0))
    picture.paste((0, 0, 100, 255), (0, 0, 64, 32))
    x = read_picture(saved(picture), "cifar10")[0]
    assert torch.equal(x[:, 24], torch.ones(3, 32))
    torch.testing.assert_close(x[:, 4, 4], torch.tensor([0, 0, 100 / 255]))


def test_a_drawing_pads_canvas():
    canvas = np.zeros((280, 280, 4), np.uint8)
    canvas[..., :3] = 255
    canvas[..., 3] = np.asarray(seven(280, ink=255, ground=0))  # white ink, nothing elsewhere
    before = canvas.copy()
    expected = read_picture(saved(seven(280)), "mnist")
    assert (read_picture(canvas, "mnist") - expected).abs().mean() < 0.01
    assert (canvas == before).all()
    canvas.setflags(write=False)
    assert (read_picture(canvas[:, ::-1], "mnist") - expected).abs().mean() > 0.05
    for array in (np.asarray(seven()), np.asarray(seven().convert("RGB"))):
        assert read_picture(array, "mnist").shape == (1, 1, 28, 28)


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims a size."""
    body = b"IHDR" + struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return header + struct.pack(">I", 5000) + b"IDAT" + bytes(100)


def animation(kind: str) -> bytes:
    frames = [seven(50, ink=ink) for ink in (0, 50, 100)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


BAD = {
    "text": (b"name,label\nseven,7\n", "file of another kind"),
    "nothing": (b"", "empty file"),
    "cut png": (saved(seven())[:200], "damaged or cut short"),
    "cut jpeg": (saved(seven(), "JPEG")[:-200], "damaged or cut short"),
    "damaged png": (saved(seven())[:60] + b"xxxxxxxx" + saved(seven())[68:], "damaged or cut short"),
    "too many pixels": (png_header(6000, 5000), r"up to 24 million pixels, got 6000×5000"),
    "bomb": (png_header(100_000, 100_000), r"up to 24 million pixels, got"),
    "animated gif": (animation("GIF"), "expected a single image"),
    "animated png": (animation("PNG"), "expected a single image"),
    "pages": (animation("TIFF"), "expected a single image"),
    "wholly transparent": (saved(Image.new("RGBA", (9, 9))), "wholly transparent"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "file of another kind"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_picture_is_one_clear_sentence(bad, name, tmp_path):
    content, words = BAD[bad]
    (tmp_path / "picture.png").write_bytes(content)
    for source in (content, tmp_path / "picture.png"):
        with pytest.raises(PictureError, match=words) as caught:
            read_picture(source, name)
        assert isinstance(caught.value, ValueError)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.zeros((0, 5), np.uint8), "at least one pixel"),
        (np.zeros((5, 5), np.float32), "expected a uint8 array"),
        (np.zeros((5, 5, 2), np.uint8), "expected a uint8 array"),
        (np.zeros((5, 5, 5, 3), np.uint8), "expected a uint8 array"),
        (np.broadcast_to(np.uint8(7), (5000, 5000)), "24 million"),
        (np.full((40, 40), 200, np.uint8), "single colour"),
    ],
)
def test_arrays_that_are_no_picture(source, words):
    with pytest.raises(PictureError, match=words):
        read_picture(source, "mnist")


def test_a_name_that_leads_nowhere(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(PictureError, match="cannot be read"):
            read_picture(path, "mnist")
    with pytest.raises(TypeError, match=r"got Image; try np\.asarray"):
        read_picture(seven(), "mnist")
    with pytest.raises(ValueError, match="holds points"):
        read_picture(saved(seven()), "moons")


def test_a_flat_picture_is_fine_for_cifar():
    assert read_picture(np.full((40, 60), 51, np.uint8), "cifar10").allclose(torch.tensor(0.2))
