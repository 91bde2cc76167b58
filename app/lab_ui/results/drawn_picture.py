"""A visitor's own image: converted to each data set's format, read by all systems of it, and attacked."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from lab_ui.basics.words import title
from lab_ui.parts.drawing_pad import Drawing
from lab_ui.parts.thumbnails import chip, image_tag
from lab_ui.results.growing import Progress, Seen, Stage
from lab_ui.results.picture_attacks import HASH, Sweeps, at_stage, check, for_each_pair
from lab_ui.visitor import catalogue
from tasklab.attacks import Settings
from tasklab.codecs import ABNORMAL
from tasklab.data import DATASETS, draw_strokes, read_picture
from tasklab.experiments.scenario import Scenario
from tasklab.experiments.sweep import Sweep, sweep_each
from tasklab.system import System
from tasklab.text import in_html


@dataclass(frozen=True, kw_only=True)
class OwnPicture:
    """Where an image comes from: a drawing, a file, or an example from the test set.

    Attributes:
        drawing: strokes; None for a file or an example.
        file: the bytes of a file.
        name: of the file.
        index: of an example in the test set; None for a drawing or a file.
        label: class of the example.
    """

    drawing: Drawing | None = None
    file: bytes = b""
    name: str = ""
    index: int | None = None
    label: int | None = None

    @property
    def known(self) -> int | None:
        """The class of an example, `ABNORMAL` for one that shows none; None where it is not known."""
        return self.label if self.drawing is None else self.drawing.example

    def code(self, data: str) -> list[str]:
        """Lines of Python that load the image as ``x``."""
        if self.index is not None:
            return [f'x = data.load("{data}", "test").x({self.index})']
        if self.drawing is None:
            return [f'x = read_picture({self.name!r}, "{data}")']
        is_digit = self.known is not None and self.known != ABNORMAL
        strokes = f"digit_strokes({self.known})" if is_digit else repr(self.drawing.strokes)
        return [
            f"strokes = {strokes}",
            f'x = read_picture(draw_strokes(strokes, brush={self.drawing.brush:g}), "{data}", dark_ink=False)',
        ]


def image_of(picture: OwnPicture, data: str) -> Tensor:
    """The image in the format of a data set: float32 ``(1, C, H, W)`` in [0, 1].

    Raises:
        PictureError: one sentence: nothing is drawn, or the file is not an image.
    """
    if picture.index is not None and (images := catalogue.test_set(data)) is not None:
        return images.x(picture.index)
    x: Tensor = _drawn(picture.drawing, data) if picture.drawing is not None else _opened(picture.file, data)
    return x


def rendered(drawing: Drawing, data: str) -> Tensor:
    """A drawing in the format of a data set, which is not kept: float32 ``(1, C, H, W)`` in [0, 1].

    Raises:
        PictureError: one sentence: nothing is drawn.
    """
    page = draw_strokes(drawing.strokes, brush=drawing.brush) if drawing.strokes else np.zeros((8, 8), dtype=np.uint8)
    return read_picture(page, data, dark_ink=False)


_drawn = st.cache_data(max_entries=200, show_spinner=False, hash_funcs={Drawing: repr})(rendered)


@st.cache_data(max_entries=10, show_spinner=False)
def _opened(file: bytes, data: str) -> Tensor:
    return read_picture(file, data)


def readings(x: Tensor, systems: Mapping[str, str]) -> dict[str, int]:
    """The label that each system reads; systems whose files cannot be loaded are left out.

    Args:
        x: the image ``(1, C, H, W)`` in the format of the systems' data set.
        systems: short name (key) to full name.

    Returns:
        Short name to label; -1 is None.
    """
    labels = {}
    for key, name in systems.items():
        try:
            system = catalogue.system(name)
        except (ValueError, OSError):
            continue
        if system.network.spec.in_shape == tuple(x.shape[1:]):  # type: ignore[union-attr]
            labels[key] = int(system.predict(x))
    return labels


def most_read(read: Sequence[int]) -> int | None:
    """The class that most systems read; None where no system reads a class.

    >>> most_read([3, -1, -1, 8, 3]), most_read([-1])
    (3, None)
    """
    counts = Counter(label for label in read if label != ABNORMAL)
    return counts.most_common(1)[0][0] if counts else None


def readings_html(data: str, x: Tensor, read: Mapping[str, int], label: int) -> str:
    """The image in the format of a data set beside the label that each system reads, as HTML.

    Args:
        data: name of the data set.
        x: the image ``(1, C, H, W)``.
        read: short name of a system to the label that it reads.
        label: the true class; -1 where nobody knows it.
    """
    info = DATASETS[data]
    size = "×".join(str(side) for side in info.shape[1:])
    caption = info.title if size in info.title else f"{info.title} ({size})"
    cells = "".join(f"<li>{chip(decoded, label, names=info.classes)}<span>{in_html(title(key))}</span></li>"
                    for key, decoded in read.items())
    wide = " read-names" if max(map(len, info.classes)) > 2 else ""
    return (
        f'{STYLE}<div class="lab-page read-own{wide}"><figure>{image_tag(x, f"the image in {size} pixels")}'
        f"<figcaption>{caption}</figcaption></figure><ul>{cells}</ul></div>"
    )


def attacked(scenario: Scenario, x: Tensor, label: int, keys: Mapping[str, str]) -> tuple[Seen, Sweeps]:
    """Attack the image: a sweep over ε for each system and objective, or the sentence that says why there is none.

    Args:
        scenario: systems, objectives and attack.
        x: the image ``(1, C, H, W)``.
        label: the class that it shows.
        keys: full name of a system to its short name.
    """
    stops = {*scenario.radii.some, scenario.eps} if scenario.kind.takes_eps_per_example else {0.0, scenario.eps}
    pixels = x.numpy().tobytes()

    def fits(name: str, aim: str) -> None:
        check(scenario, aim, catalogue.system(name).task, title(keys[name]))
        if scenario.target == label:
            raise ValueError("The target is the image's own class. Choose another target.")

    def prepare(name: str, aims: Sequence[str]) -> Callable[[Stage, Progress], list[Sweep]]:
        settings, stamp, system = scenario.settings(aims[0]), catalogue.stamp(name), catalogue.system(name)
        return lambda stage, progress: _sweeps(
            name, stamp, pixels, tuple(x.shape), label, at_stage(settings, stage), tuple(aims), scenario.target,
            stage.stops, system, progress)

    return for_each_pair("draw", scenario, fits, prepare, stops=(tuple(sorted(stops)), ()),
                         key=f"{label} {hashlib.sha256(pixels).hexdigest()}")


@st.cache_data(max_entries=400, show_spinner=False, hash_funcs=HASH)
def _sweeps(
    name: str, stamp: str, pixels: bytes, shape: tuple[int, ...], label: int, settings: Settings,
    aims: tuple[str, ...], target: int | None, stops: tuple[float, ...], _system: System, _progress: Progress,
) -> list[Sweep]:
    x = torch.frombuffer(bytearray(pixels), dtype=torch.float32).reshape(shape)
    target_label = None if target is None else torch.tensor([target])
    return sweep_each(_system, x, torch.tensor([label]), settings, aims, stops, target=target_label, progress=_progress)


STYLE = """
<style>
.read-own { display: flex; gap: 1.2rem; align-items: flex-start; margin-bottom: 0.8rem; }
.read-own figure { flex: 0 0 7.5rem; margin: 0; }
.read-own ul { list-style: none; margin: 0; padding: 0; flex: 1 1 auto; display: grid; gap: 0.45rem 1rem;
  grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
.read-own li { margin: 0; padding: 0; display: flex; gap: 0.6rem; align-items: center; }
.read-own li .lab-chip { flex: none; min-width: 3.3rem; text-align: center; padding: 0.1rem 0.5rem; }
.read-own li span:last-child { font-size: 0.95rem; line-height: 1.15; }
.read-names ul { grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
@media (max-width: 640px) {
  .read-own { gap: 0.8rem; }
  .read-own figure { flex-basis: 4.5rem; }
  .read-own ul { grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
  .read-names ul { grid-template-columns: 1fr; }
}
</style>
"""
