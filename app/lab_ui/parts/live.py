"""Live components: dragged or played in the browser, which receives all its data at once and then asks for nothing.

The data are sent inside a list. If they were sent as a mapping, Streamlit would import pandas to look for tables in it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
import torch

from lab_ui.parts.events import sent_value
from tasklab.data import ImageSet
from tasklab.figures.live.page import script, stylesheet

WEB = Path(__file__).parent / "web"
ROOT = '<div class="tl"></div>\n'
STYLE = stylesheet() + "\n.tl { --tl-top: var(--lab-top, 3.75rem); }  /* under the app's own header */\n"

SCENE_SCRIPT = """
export default function ({ data: [data], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tl");
  root.live ??= new Scene(root);
  root.live.onEps = (eps) => setTriggerValue("eps", eps);
  root.live.onFiner = (key) => setTriggerValue("finer", key);
  root.live.update(data);
}
"""

PLAYER_SCRIPT = """
export default function ({ data: [data], parentElement }) {
  const root = parentElement.querySelector(".tl");
  root.live ??= new Player(root);
  root.live.update(data);
  return () => root.live.stop();
}
"""

GROUND_SCRIPT = """
export default function ({ data: [data], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tl");
  root.live ??= new Ground(root);
  root.live.onFiner = (key) => setTriggerValue("finer", key);
  root.live.update(data);
}
"""

_scene = st.components.v2.component("tasklab_scene", html=ROOT, css=STYLE, js=script("scene") + SCENE_SCRIPT)
_player = st.components.v2.component("tasklab_player", html=ROOT, css=STYLE, js=script("player") + PLAYER_SCRIPT)
_ground = st.components.v2.component("tasklab_ground", html=ROOT, css=STYLE, js=script("ground") + GROUND_SCRIPT)
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
    """A figure in which ε is dragged. ε is sent to the server only when it has not moved for a moment.

    Args:
        data: from `tasklab.figures.live.sweep.scene_data`; with ``"finer"``, a key, where more values of ε can be
            requested, ``"ask"``, what they cost, where they are requested on a click, and ``"pinned"``, a view to
            compare with.
        key: of the component.
        on_eps: called with the new ε, before the page runs again.
        on_finer: called with the value of ``"finer"`` as soon as the figure is shown or, with ``"ask"``, on a click.
    """

    def rested() -> None:
        if (eps := sent_value(key, "eps")) is not None:
            on_eps(float(eps))

    def finer() -> None:
        if on_finer is not None and (requested := sent_value(key, "finer")) is not None:
            on_finer(str(requested))

    st.session_state[f"{key}_former"] = data
    _scene(key=key, data=[data], on_eps_change=rested, on_finer_change=finer)


def former_scene(key: str) -> None:
    """The figure that the component showed last, dimmed and marked as belonging to other settings; nothing before that.

    Args:
        key: of the component.
    """
    if (data := st.session_state.get(f"{key}_former")) is not None:
        _scene(key=key, data=[data | {"former": True, "finer": None, "ask": ""}])


def player(data: dict[str, Any], *, key: str) -> None:
    """PGD step by step; it is played in the browser alone.

    Args:
        data: from `tasklab.figures.live.trajectory.trajectory_data`.
        key: of the component.
    """
    _player(key=key, data=[data])


def ground(data: dict[str, Any], *, key: str, on_finer: Callable[[str], None]) -> None:
    """The plane through an image, in which a point is dragged; the server is asked for nothing but more places.

    Args:
        data: from `tasklab.figures.live.ground.ground_data`; with ``"finer"``, a key, where more places can be
            requested, and ``"ask"``, whether they are requested only on a click.
        key: of the component.
        on_finer: called with the value of ``"finer"``, before the page runs again.
    """

    def finer() -> None:
        if (requested := sent_value(key, "finer")) is not None:
            on_finer(str(requested))

    _ground(key=key, data=[data], on_finer_change=finer)


def strip(images: ImageSet, indices: Sequence[int], chosen: int, *, key: str, on_pick: Callable[[int], None]) -> None:
    """Small images side by side; a click selects one.

    Args:
        images: the test set.
        indices: of the images to show.
        chosen: index of the selected image.
        key: of the component.
        on_pick: called with the index of the image that was clicked, before the page runs again.
    """

    def picked() -> None:
        if (index := sent_value(key, "pick")) is not None:
            on_pick(int(index))

    pixels = torch.cat([(images.x(index) * 255).round().to(torch.uint8) for index in indices])
    data = {
        "shape": list(images.shape), "pixels": base64.b64encode(pixels.numpy().tobytes()).decode(), "chosen": chosen,
        "places": list(indices), "names": [images.classes[int(images.labels[index])] for index in indices],
    }
    _strip(key=key, data=[data], on_pick_change=picked)


def codecs(data: dict[str, Any], *, key: str, on_outputs: Callable[[Any], None]) -> None:
    """Outputs to drag. They are sent to the server only when they have not moved for a moment.

    Args:
        data: the panels from `lab_ui.panels.codec_panels`, the label, and the names of the classes.
        key: of the component.
        on_outputs: called with panel key to new outputs, before the page runs again.
    """

    def rested() -> None:
        if (outputs := sent_value(key, "outputs")) is not None:
            on_outputs(outputs)

    _codecs(key=key, data=[data], on_outputs_change=rested)
