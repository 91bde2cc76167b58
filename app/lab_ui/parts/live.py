"""Live parts of pages: what is dragged, scrubbed or played in the browser, with the server asked once per picture.

Their data are sent in a list: in a mapping, streamlit looks for tables, and imports pandas for it, on a first page.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
import torch

from lab_ui.parts.events import word_from
from tasklab.data import ImageSet
from tasklab.figures.live.page import script, stylesheet

WEB = Path(__file__).parent / "web"
ROOT = '<div class="tl"></div>\n'
STYLE = stylesheet() + "\n.tl { --tl-top: 3.75rem; }  /* under the app's own header */\n"

SCENE = """
export default function ({ data: [data], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tl");
  root.live ??= new Scene(root);
  root.live.onEps = (eps) => setTriggerValue("eps", eps);
  root.live.onFiner = (key) => setTriggerValue("finer", key);
  root.live.update(data);
}
"""

PLAYER = """
export default function ({ data: [data], parentElement }) {
  const root = parentElement.querySelector(".tl");
  root.live ??= new Player(root);
  root.live.update(data);
  return () => root.live.stop();
}
"""

_scene = st.components.v2.component("tasklab_scene", html=ROOT, css=STYLE, js=script("scene") + SCENE)
_player = st.components.v2.component("tasklab_player", html=ROOT, css=STYLE, js=script("player") + PLAYER)
_strip = st.components.v2.component(
    "tasklab_strip", html=ROOT, css=STYLE + (WEB / "live_strip.css").read_text(encoding="utf-8"),
    js=script() + (WEB / "live_strip.js").read_text(encoding="utf-8"),
)

_codecs = st.components.v2.component(
    "tasklab_codecs", html=ROOT, css=STYLE + (WEB / "live_codecs.css").read_text(encoding="utf-8"),
    js=script() + "".join((WEB / name).read_text(encoding="utf-8") for name in ("codec_math.js", "live_codecs.js")),
)


def scene(
    data: dict[str, Any], *, key: str, on_eps: Callable[[float], None], on_finer: Callable[[str], None] | None = None
) -> None:
    """A scene with ε to drag; no message is sent before the hand rests.

    Args:
        data: of `tasklab.figures.live.sweep.scene_data`, with ``"finer"`` where more stops may be asked for, and
            ``"pinned"`` for what is compared with.
        key: of the component.
        on_eps: called with ε when the hand has rested, before the page runs again.
        on_finer: called with the value of ``"finer"`` when the scene is shown, or, if ``"ask"`` is set, on a click.
    """

    def rested() -> None:
        if (eps := word_from(key, "eps")) is not None:
            on_eps(float(eps))

    def finer() -> None:
        if on_finer is not None and (wish := word_from(key, "finer")) is not None:
            on_finer(str(wish))

    _scene(key=key, data=[data], on_eps_change=rested, on_finer_change=finer)


def player(data: dict[str, Any], *, key: str) -> None:
    """PGD step by step; everything happens in the browser.

    Args:
        data: of `tasklab.figures.live.trajectory.trajectory_data`.
        key: of the component.
    """
    _player(key=key, data=[data])


def strip(images: ImageSet, places: Sequence[int], chosen: int, *, key: str, on_pick: Callable[[int], None]) -> None:
    """Small pictures side by side; a click on one chooses it.

    Args:
        images: the data set.
        places: which of its pictures.
        chosen: the one that is looked at.
        key: of the component.
        on_pick: called with a place, before the page runs again.
    """

    def picked() -> None:
        if (place := word_from(key, "pick")) is not None:
            on_pick(int(place))

    pixels = torch.cat([(images.x(place) * 255).round().to(torch.uint8) for place in places])
    data = {
        "shape": list(images.shape), "pixels": base64.b64encode(pixels.numpy().tobytes()).decode(), "chosen": chosen,
        "places": list(places), "names": [images.classes[int(images.labels[place])] for place in places],
    }
    _strip(key=key, data=[data], on_pick_change=picked)


def codecs(data: dict[str, Any], *, key: str, on_outputs: Callable[[Any], None]) -> None:
    """Outputs to drag; no message is sent before the hand rests.

    Args:
        data: panels of `lab_ui.panels.codec_panels`, the label, and the names of the classes.
        key: of the component.
        on_outputs: called with the outputs by panel when the hand has rested, before the page runs again.
    """

    def rested() -> None:
        if (outputs := word_from(key, "outputs")) is not None:
            on_outputs(outputs)

    _codecs(key=key, data=[data], on_outputs_change=rested)
