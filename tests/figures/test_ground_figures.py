"""What the browser gets of the plane under an image is what the library found, and its words say so."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import pytest
import torch

from tasklab import data, zoo
from tasklab.attacks import PGD
from tasklab.experiments.ground import Ground, ground
from tasklab.figures.ground import describe_ground, ground_figure
from tasklab.figures.live.ground import ground_data, ground_html
from tasklab.figures.live.page import script
from tasklab.figures.regions import class_colour
from tasklab.tasks import TASKS, make_task
from tests.experiments.test_ground import small


def seen_by(key: str) -> Ground:
    test = data.load("digits", "test")
    settings = PGD(eps=0.2, steps=6, random_start=False, keep="best")
    return ground(zoo.load(f"digits-{key}"), test.x(54), test.labels[54:55], settings, side=33)


def floats(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype=np.float32).copy())


@pytest.mark.parametrize("name", TASKS)
def test_the_browser_is_given_what_the_library_found(name: str) -> None:
    system, x, y = small(make_task(name))
    seen = ground(system, x, y, PGD(eps=0.2, steps=4, random_start=False, keep="best"), side=5)
    shipped = ground_data(seen)
    drawn = system.task.drawn(seen.outputs.flatten(0, 1))
    assert torch.equal(floats(shipped["outputs"]).reshape(drawn.shape), drawn)
    assert shipped["decoded"] == seen.decoded.flatten().tolist()
    assert shipped["flat"] == seen.flat.flatten().int().tolist()
    for key, grid in (("loss", seen.value), ("margin", seen.margin), ("change", seen.change)):
        assert torch.equal(floats(shipped[key]), grid.flatten())
    clean = np.frombuffer(base64.b64decode(shipped["clean"]), dtype=np.uint8) / 255
    right, up = floats(shipped["directions"]).reshape(2, -1) / 255
    for x_, y_ in ((0.5, 0.5), (0.9, 0.3)):  # the browser's own sum
        shown = (torch.from_numpy(clean) + (2 * x_ - 1) * right + (2 * y_ - 1) * up).clamp(0, 1)
        assert float((shown - seen.image_at(x_, y_).flatten()).abs().max()) < 1 / 255


def test_words_name_what_is_read_what_is_flat_and_where_the_attacks_end() -> None:
    seen = seen_by("rbc")
    words = describe_ground("RBC", seen, tuple("0123456789"))
    assert f"exactly flat on {100 * seen.flat_share:.0f} % of what is read as 8" in words
    assert "training loss finds a loss that is exactly flat, and stays where it is: 8 is read" in words
    assert f"{seen.paths[0].end} is read instead of 8" in words
    assert "upwards a random direction, because the attack on the training loss stays" in words
    assert set(re.findall(r"(\d+) \d+ %,", words.partition("read as")[2])) == {
        str(k) for k in seen.decoded.unique().tolist() if k >= 0}
    assert "exactly flat on 0 %" in describe_ground("TRA", seen_by("tra"))


def test_a_misread_image_is_called_so() -> None:
    system, x, y = small(make_task("tra"))
    seen = ground(system, x, (y + 1) % 10, PGD(eps=0.1, steps=3, random_start=False, keep="best"), side=3)
    assert f"The image is read as {int(y)} before any attack." in describe_ground("TRA", seen)


def test_the_figure_has_the_regions_the_ball_and_both_attacks() -> None:
    seen = seen_by("int")
    figure = ground_figure(seen, classes=[f"class {k}" for k in range(10)])
    traces: dict[str, Any] = {trace.name: trace for trace in figure.data}
    field = traces["gradient"]
    dots = {(x, y) for x, y, symbol in zip(field.x, field.y, field.marker.symbol, strict=True) if symbol == "circle"}
    assert dots and all(bool(seen.flat[int(y * 33), int(x * 33)]) for x, y in dots)
    assert traces["margin, end"].marker.symbol == "x" and traces["training loss, end"].marker.symbol == "diamond"
    assert "margin" in traces and "training loss" not in traces, "it did not move"
    assert [shape.name for shape in figure.layout.shapes] == ["edge", "eps"]
    assert "<b>class 8</b>" in {word.text for word in figure.layout.annotations}


def test_names_are_written_beside_the_attacks_and_in_the_colour_of_their_class() -> None:
    shipped = ground_data(seen_by("rbc"))
    assert {name for *_, name, _ in shipped["words"]} >= {"8", str(shipped["paths"][0]["end"])}
    for x, y, name, colour in shipped["words"]:
        assert colour == class_colour(int(name))
        for path in shipped["paths"]:
            assert all((x - a) ** 2 + (y - b) ** 2 > 0.07**2 for a, b in path["points"])


def test_the_file_asks_nobody_and_cannot_be_broken_out_of() -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    html = ground_html(seen_by("tra"), heading=evil, title=evil, classes=[evil] * 10)
    assert not re.search(r"https?://|@import|fetch\(|XMLHttp", html.replace(evil, ""))
    assert html.count("</script>") == 1
    assert html.count("<script>") == 1
    assert script("ground") in html
