"""The page “Draw”: a digit drawn by hand or an image from a file, read by every system and then attacked."""

from __future__ import annotations

import contextlib
import html
from typing import Any

import streamlit as st
import torch

from lab_ui.basics.lab import Lab
from lab_ui.basics.lessons import NO_DIGIT
from lab_ui.basics.words import aimed, title
from lab_ui.parts import live
from lab_ui.parts.drawing_pad import drawing_pad
from lab_ui.parts.thumbnails import image_tag
from lab_ui.results import drawn_picture, growing, lesson_facts, picture_attacks
from lab_ui.results.drawn_picture import OwnPicture
from lab_ui.results.picture_attacks import Sweeps
from lab_ui.shell import controls, frame
from lab_ui.visitor import catalogue, uploads
from lab_ui.visitor.limits import MAX_PICTURE
from tasklab.attacks.registry import import_lines
from tasklab.codecs import ABNORMAL
from tasklab.data import DATASETS, DataInfo, PictureError
from tasklab.data.pictures import picture_preview
from tasklab.experiments.scenario import Scenario
from tasklab.experiments.sweep import Sweep
from tasklab.figures.describing import with_article
from tasklab.figures.live.sweep import scene_data, scene_html
from tasklab.text import in_markdown

EXAMPLE = 2
"""An example digit on which the objective decides whether the attack succeeds, for the systems of both data sets."""

EXAMPLE_CLASS = 6
"""The class whose photograph is shown first: a frog, on which the objective decides whether the attack succeeds."""

BY_HAND, FROM_FILE = "draw", "upload"
AS_READ = "as most systems read it"
NO_CLASS = "none of the classes"

def page() -> None:
    """Draw the controls of the image, what each system reads, the attack and the downloads."""
    photographs = DATASETS[controls.asked_for()].shape[0] == 3
    lab = frame.open_page("draw", lesson="draw_photographs" if photographs else "draw", bar=("data", "systems", "seed"),
                          needs_images=False)
    scenario = controls.attack(lab, one_objective=False)
    head = st.container()
    left, right = st.columns([4, 7], gap="large")
    info = DATASETS[lab.data]
    with left, st.container(key="draw_own", gap="small"):
        own = _photograph(lab) if info.shape[0] == 3 else _picture()
    with right:
        read = None if own is None else _read(own, lab)
    label = None if own is None or read is None else _label(lab.data, own, read, left)
    with head:
        frame.headline("Draw", _lead(read or {}, label, info, guessed=own is not None and _is_guessed(own)))
    if own is None or read is None:
        return
    with right, st.container(key="draw_read", gap="small"):
        for data, (x, labels) in read.items():
            st.html(drawn_picture.readings_html(data, x, labels, ABNORMAL if label is None else label))
    if label is None:
        st.info("All systems answer None to this image. Say what it shows under “It shows”, and the attack begins.")
        return
    if label == ABNORMAL:
        every = {f"{data} {key}": decoded for data, (_, labels) in read.items() for key, decoded in labels.items()}
        frame.tell(lab, none=lambda: lesson_facts.no_class(every))
        st.info("An image that shows none of the classes has no right answer that an attack could change. Choose a "
                "class under “It shows”, or another image, and the attack begins.")
        return
    x = read[lab.data][0]
    keys = {name: lab.key(name) for name in lab.chosen}
    seen, cells = drawn_picture.attacked(scenario, x, label, keys)
    growing.show(lab.slug, seen)
    if not seen.finished and not any(isinstance(cell, Sweep) for cell in cells.values()):
        live.former_scene("draw_scene")
        frame.close_page(lab)
        return
    _attacked(lab, growing.as_far_as(scenario, seen), own, label, cells, keys, whole=seen.finished)


def _picture() -> OwnPicture | None:
    """Draw the pad or the upload; the image, or None, with a sentence on the page, where there is none yet."""
    source = st.segmented_control("Your image", (BY_HAND, FROM_FILE), default=BY_HAND, required=True,
                                 key="draw_from", bind="query-params", label_visibility="collapsed")
    if source == BY_HAND:
        example = st.segmented_control(
            "Start from an example", (*range(10), NO_DIGIT), default=EXAMPLE, key="draw_example", wrap=True,
            bind="query-params", help="Puts a finished drawing on the pad, in case you have neither mouse nor pen; "
                                      "you can also draw with the keyboard. Click on the chosen example again to "
                                      "empty the pad.",
        )
        return OwnPicture(drawing=drawing_pad(ABNORMAL if example == NO_DIGIT else example))
    file = _file("An image of a digit, dark on light or light on dark")
    if file is None:
        st.info("Choose a file, or draw a digit instead.")
    else:
        _preview(file)
    return file


def _photograph(lab: Lab) -> OwnPicture | None:
    """Draw the upload and the examples; the image, or None, with a sentence on the page, where there is none yet."""
    info = DATASETS[lab.data]
    *most, last = info.classes
    few = len(most) < 20
    file = _file(f"A photograph: {', '.join(most)} or {last}" if few else "A photograph of one of the classes of "
                                                                          f"{info.title}")
    if file is not None:
        _preview(file)
        st.caption(f"The largest square in the middle of the photograph is used, and made as small as the images of "
                   f"{info.title}.")
        return file
    if lab.images is not None:
        words = "Or choose an example"
        help_text = ("Takes the first image of a class in the test set, in case you have no photograph at hand. No "
                     "system has seen it in training.")
        key, first = "draw_photograph", info.classes[EXAMPLE_CLASS]
        if few:
            example = st.pills(words, info.classes, default=first, key=key, bind="query-params", wrap=True,
                               help=help_text)
        else:
            example = st.selectbox(words, info.classes, info.classes.index(first), key=f"{key}_{lab.data}",
                                   bind="query-params", help=help_text)
        if example is not None:
            label = info.classes.index(example)
            index = int((lab.pictures.labels == label).nonzero()[0])
            return OwnPicture(index=index, label=label)
    st.info("Choose a photograph of one of these classes. Only digits can be drawn: to draw one, choose a data set of "
            f"digits {lab.controls}.")
    return None


def _file(words: str) -> OwnPicture | None:
    file = st.file_uploader(words, key="draw_file", max_upload_size=MAX_PICTURE,
                            help="The image to read and to attack, as PNG, JPEG or in most other formats. It stays on "
                                 "this machine.")
    if file is None:
        return None
    try:
        return OwnPicture(file=uploads.content(file, MAX_PICTURE), name=uploads.shown_name(file.name))
    except ValueError as error:
        st.error(str(error))
        return None


def _preview(own: OwnPicture) -> None:
    """Draw an uploaded image as it is; nothing where it cannot be read, because `_read` says why."""
    with contextlib.suppress(PictureError):
        pixels = torch.tensor(picture_preview(own.file))
        pixels = (pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1))[None] / 255
        st.html(f'<figure class="draw-own">{image_tag(pixels, f"the uploaded image, {own.name}")}'
                f"<figcaption>{html.escape(own.name)}</figcaption></figure>"
                "<style>.draw-own { margin: 0; } .draw-own img { width: 240px; }</style>")


def _read(own: OwnPicture, lab: Lab) -> dict[str, tuple[Any, dict[str, int]]] | None:
    """Read the image with the systems of all data sets that have the same classes.

    Returns:
        Data set to the image in its format ``(1, C, H, W)`` and to the labels that its systems read; None, with a
        sentence on the page, where there is no image.
    """
    read = {}
    alike = [data for data in catalogue.DATASETS if DATASETS[data].classes == DATASETS[lab.data].classes]
    for data in sorted(alike, key=lambda data: data != lab.data):
        try:
            x = drawn_picture.image_of(own, data)
        except PictureError as error:
            if own.drawing is None:
                st.error(f"This file cannot be read: {in_markdown(error)}.")
            else:
                st.info("Nothing is drawn yet. Draw a digit, or choose an example.")
            return None
        systems = lab.systems if data == lab.data else catalogue.systems(data)[0]
        if systems:
            read[data] = x, drawn_picture.readings(x, systems)
    return read


def _label(data: str, own: OwnPicture, read: dict[str, tuple[Any, dict[str, int]]], column: Any) -> int | None:
    """The class that the image shows: as chosen, else that of the example, else the one that most systems read.

    Returns:
        The class; `ABNORMAL` where the image shows none of them, None where no system reads a class.
    """
    classes = DATASETS[data].classes
    options = (AS_READ, NO_CLASS, *classes)
    if st.session_state.get("draw_label", AS_READ) not in options:
        del st.session_state["draw_label"]
    chosen: str = column.selectbox("It shows", options, key="draw_label", bind="query-params",
                                  help="The class that the image really shows. The attack tries to make the systems "
                                       "read anything else, so correct it where the systems are wrong.")
    if chosen == NO_CLASS:
        return ABNORMAL
    if chosen != AS_READ:
        return classes.index(chosen)
    if own.known is not None:
        return own.known
    return drawn_picture.most_read([label for _, labels in read.values() for label in labels.values()])


def _attacked(
    lab: Lab, scenario: Scenario, own: OwnPicture, label: int, cells: Sweeps, keys: dict[str, str], *, whole: bool
) -> None:
    """Draw the figure with ε to drag, and the downloads where the attack has come to its end."""
    if not scenario.aims:
        st.info(f"Pick at least one aim {lab.controls}, and the attack begins.")
        return
    for name in scenario.systems:
        refusals = {cell for (system, _), cell in cells.items() if system == name and isinstance(cell, str)}
        refusals -= {growing.PENDING}
        if refusals and all(isinstance(cells[name, aim], str) for aim in scenario.aims):
            st.info(in_markdown(f"{title(keys[name])}: {' '.join(sorted(refusals))}"))
    sweeps = {pair: cell for pair, cell in cells.items() if isinstance(cell, Sweep)}
    if not sweeps:
        return
    named = {(title(keys[name]), aim): sweep for (name, aim), sweep in sweeps.items()}
    frame.tell(lab, own_loss=lambda: lesson_facts.own_loss(named, scenario.eps),
               both=lambda: lesson_facts.both(named, scenario.eps))
    words: dict[str, Any] = {
        "cells": {(keys[name], aim): cell for (name, aim), cell in cells.items()},
        "titles": {key: title(key) for key in keys.values()},
        "aims": {aim: aimed(scenario, aim) for aim in scenario.aims},
        "names": DATASETS[lab.data].classes,
    }
    live.scene(scene_data(**words, eps=scenario.eps, title="Your image, attacked") | {"finer": None, "ask": ""},
               key="draw_scene", on_eps=_keep_eps)
    if not whole:
        frame.close_page(lab)
        return
    heading = f"My own image under attack, in the format of {DATASETS[lab.data].title}"
    frame.close_page(
        lab, code=_code(lab, scenario, own, label, list(sweeps)), tables={"attack": picture_attacks.table(cells)},
        files={"eps_drag.html": (lambda: scene_html(**words, eps=scenario.eps, title=heading),
                                 "ε to drag (one HTML file)")},
    )


def _is_guessed(own: OwnPicture) -> bool:
    """Whether what the image shows was taken from the systems' own answers."""
    return own.known is None and st.session_state.get("draw_label", AS_READ) == AS_READ


def _lead(
    read: dict[str, tuple[Any, dict[str, int]]], label: int | None, info: DataInfo, *, guessed: bool
) -> str:
    """How many systems read the image correctly, in a sentence; HTML."""
    if label is None:
        what = "Draw a digit" if info.shape[0] == 1 else "Upload a photograph"
        return f"{what}, and every system says what it reads."
    every = [decoded for _, labels in read.values() for decoded in labels.values()]
    right, none = every.count(label), every.count(ABNORMAL)
    if label == ABNORMAL:
        return (f"<b>{len(every) - none} of {len(every)}</b> systems name a class where there is none; {none} "
                f"{'answers' if none == 1 else 'answer'} <b>None</b>.")
    parts = [f"{len(every) - right - none} read it as something else"] if len(every) - right - none else []
    parts += [f"{none} answer None" if none > 1 else "1 answers None"] if none else []
    rest = f"; {' and '.join(parts)}" if parts else ""
    article, name = with_article(info.classes[label]).split(" ", 1)
    return (f"<b>{right} of {len(every)}</b> systems read it as {article} <b>{name}</b>{rest}. "
            + (f"If it shows something else, or {NO_CLASS}, say so under “It shows”." if guessed
               else "The attack on the chosen systems is shown below."))


def _code(lab: Lab, scenario: Scenario, own: OwnPicture, label: int, runs: list[tuple[str, str]]) -> str:
    """Python that repeats the attack at the present ε with the library alone."""
    names, aims = list(dict.fromkeys(n for n, _ in runs)), list(dict.fromkeys(a for _, a in runs))
    if runs == [(name, aim) for aim in aims for name in names]:
        loop, pad = [f"for objective in {_list(aims)}:", f"    for name in {_list(names)}:"], " " * 8
    else:
        pairs = ", ".join(f'("{name}", "{aim}")' for name, aim in runs)
        loop, pad = [f"for name, objective in [{pairs}]:"], " " * 4
    target = "" if scenario.target is None else f", targets=torch.tensor([{scenario.target}])"
    tools = ["read_picture"] if own.index is None else []
    if own.drawing is not None:
        tools = [*(["digit_strokes"] if own.known is not None else []), "draw_strokes", *tools]
    return "\n".join([
        "import torch",
        "",
        "from tasklab import zoo" if tools else "from tasklab import data, zoo",
        *import_lines(scenario.kind, "attack"),
        *([f"from tasklab.data import {', '.join(tools)}"] if tools else []),
        "",
        *own.code(lab.data),
        f"y = torch.tensor([{label}])",
        "",
        "decoded = {}",
        *loop,
        f"{pad}settings = {scenario.attack}({scenario.arguments()})",
        f"{pad}result = attack(zoo.load(name), x, y, settings{target})",
        f"{pad}decoded[name, objective] = result.decoded.item()  # -1 is None",
        f"{pad}print(objective, name, result.clean_decoded.item(), '→', result.decoded.item())",
    ])


def _list(words: list[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def _keep_eps(eps: float) -> None:
    st.session_state["eps"] = eps


page()
