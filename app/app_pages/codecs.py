"""The page “Codecs”: outputs to drag, the labels that they are decoded to, and their losses and gradients."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from lab_ui.basics.words import GAP_HELP, GAPS
from lab_ui.panels import codec_panels
from lab_ui.parts import live
from lab_ui.shell import frame
from tasklab.figures.style import LOOKS

URL: Final = "query-params"
KEPT, KNOWN = "codecs_outputs", "codecs_known"
HELP = {
    "label": "The true class, for which the losses are computed. Choose another one to see its codeword and its "
    "interval.",
    "S": "How far from 0 RBC's loss wants every bit to be. Move it to see that the rails move with it, while the "
    "decision stays at 0. The paper uses 350.",
    "code": "The codeword of each class: the class's number in binary, its Gray code, a row of a Hadamard matrix (15 "
    "bits), or the best of many random codes. The more bits two codewords differ in, the harder they are to confuse.",
    "bits": "How many bits a codeword has; 10 classes need at least 4. With more bits, more codewords mean None.",
    "alpha": "The length of the gap between two intervals. The longer it is, the further the classes lie apart.",
    "beta": "The length of an interval. The longer it is, the further the output can move before the answer changes.",
    "s0": "Where the first interval begins. It shifts all intervals along the line.",
    "gap": GAP_HELP,
    "loss": "The loss that DeepBE is trained with: the hinge loss that the paper states, the squared error of the "
    "original work, or the cross-entropy of each bit. They differ in where their gradient is 0.",
}


def page() -> None:
    """Draw the settings on the left and four panels with outputs to drag."""
    lab = frame.open_page("codecs", bar=(), needs_images=False)
    label, settings = _controls()
    tasks = codec_panels.tasks(**settings)
    signs = " · ".join(f"{look.sign} {look.word}" for look in LOOKS.values())
    frame.headline("Codecs", "Four ways to answer with a label. <b>Drag an output</b> to see which label it is decoded "
                   "to, how large the loss is, and in which direction the loss pulls.")
    panels = [codec_panels.panel(key, task, label) for key, task in tasks.items()]
    outputs = _outputs(panels)
    turn = _turn(outputs)
    live.codecs({"turn": turn, "panels": [spec | {"start": outputs[spec["key"]]} for spec in panels], "label": label,
                 "names": [str(k) for k in range(codec_panels.CLASSES)]}, key="codecs_live", on_outputs=_keep)
    st.caption(f"{signs} · blue background: where the label {label} is read · ▲ ▼ ◀ ▶: which way training pulls · "
               "drag with the mouse or a finger, or go to a marker with Tab and move it with the arrow keys")
    frame.close_page(lab, code=codec_panels.code(tasks, outputs, label),
                     tables={"codewords": codec_panels.table(tasks)})


def _controls() -> tuple[int, dict[str, Any]]:
    """Draw the controls; the label, and the arguments of `codec_panels.tasks`."""
    with st.sidebar:
        label = st.selectbox("Label", [str(k) for k in range(codec_panels.CLASSES)], codec_panels.LABEL,
                             key="codecs_label", bind=URL, help=HELP["label"])
        st.markdown("**INT**")
        alpha = st.slider("α, the gap", 0.0, 16.0, 4.0, 0.5, key="codecs_alpha", bind=URL, help=HELP["alpha"])
        beta = st.slider("β, the interval", 0.5, 32.0, 16.0, 0.5, key="codecs_beta", bind=URL, help=HELP["beta"])
        s0 = st.number_input("s0, the start", -1000.0, 1000.0, 0.0, 1.0, key="codecs_s0", bind=URL, help=HELP["s0"])
        gap = st.segmented_control("A gap means", list(GAPS), default="None", required=True, key="codecs_gap",
                                   bind=URL, help=HELP["gap"])
        st.markdown("**RBC and DeepBE**")
        S = st.slider("S, RBC's margin", 0, 1000, 350, 10, key="codecs_S", bind=URL, help=HELP["S"])
        code = st.selectbox("Code", codec_panels.CODES, key="codecs_code", bind=URL, help=HELP["code"])
        bits = st.slider("B, the number of bits", 4, 8, 4, key="codecs_bits", bind=URL, help=HELP["bits"],
                         disabled=code == "hadamard")
        loss = st.segmented_control("DeepBE's loss", ("hinge", "mse", "bce"), default="hinge", required=True,
                                    key="codecs_loss", bind=URL, help=HELP["loss"])
    return int(label), {"S": S, "code": code, "bits": bits, "alpha": alpha, "beta": beta, "s0": s0, "gap": GAPS[gap],
                        "loss_form": loss}


def _outputs(panels: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Panel key to outputs, as they were dragged or as a link has them, if they still fit. The URL is updated."""
    kept = st.session_state.setdefault(KEPT, {key[2:]: z for key, z in st.query_params.items() if key[:2] == "z_"})
    outputs = {}
    for spec in panels:
        key, parameter = spec["key"], f"z_{spec['key']}"
        z = codec_panels.numbers(kept.get(key), spec["width"]) or spec["start"]
        outputs[key] = z
        if z != spec["start"]:
            st.query_params[parameter] = ",".join(f"{v:.10g}" for v in z)
        elif parameter in st.query_params:
            del st.query_params[parameter]
    st.session_state[KEPT] = outputs
    return outputs


def _turn(outputs: dict[str, list[float]]) -> int:
    """A number that grows when the outputs differ from those that the browser last sent, which then takes the new."""
    turn, known = st.session_state.get(KNOWN, (0, outputs))
    st.session_state[KNOWN] = turn, known = (turn if known == outputs else turn + 1), outputs
    return int(turn)


def _keep(outputs: Any) -> None:
    if isinstance(outputs, dict):
        kept = st.session_state[KEPT] = st.session_state.get(KEPT, {}) | outputs
        st.session_state[KNOWN] = st.session_state.get(KNOWN, (0, kept))[0], kept


page()
