"""What every page has: its bar, its lesson, scenes, lecture mode, a prediction, a badge, and what can be taken away.

Nothing here imports torch before a page asks for pictures or systems: the start page does without.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from lab_ui.basics.lab import Lab
from lab_ui.basics.scenes import BEGINNING, SCENES, Scene
from lab_ui.basics.style import style
from tasklab.course import notebooks_of
from tasklab.text import in_markdown

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure


BAR = ("data", "image", "systems", "seed")
"""The parts of the scenario bar."""


@dataclass(frozen=True)
class Step:
    """One step of a page's lesson: what to look at, and the widgets' values that show it."""

    words: str
    values: Mapping[str, Any] = field(default_factory=dict)


def open_page(
    slug: str, *, lesson: Sequence[Step] = (), bar: Sequence[str] = BAR, needs_images: bool = True
) -> Lab:
    """Begin a page; what cannot be shown ends it with a sentence.

    Args:
        slug: of the page.
        lesson: its steps.
        bar: the parts of the scenario bar that it has, of `BAR`.
        needs_images: whether the page needs the data set's test pictures.
    """
    other, said = st.session_state.pop("leaving_for", (slug, {}))
    if other != slug:
        try:
            st.switch_page(f"app_pages/{other}.py", query_params=said)
        except StreamlitAPIException:  # the widgets of the page left are bound to the address, and say it themselves
            st.switch_page(f"app_pages/{other}.py", query_params={})
    if st.session_state.get("page") != slug:
        st.session_state["page"] = slug
        st.session_state.pop("eps_address", None)  # of the page before
    lecture = bool(st.session_state.get("lecture_on", False))
    style(lecture)
    _strip(slug, lesson, lecture)
    if not bar:
        return Lab(slug=slug, lecture=lecture)
    from lab_ui.shell import controls
    from lab_ui.visitor import catalogue  # these import torch

    with st.sidebar:
        name = controls.dataset(every=slug == "train") if "data" in bar else "digits"
    images = catalogue.test_set(name)
    if images is None and needs_images:
        catalogue.offer_download(name)
        st.stop()
    systems, troubles = catalogue.systems(name)
    for sentence in troubles:
        st.warning(in_markdown(sentence))
    if not systems and "systems" in bar:
        st.info("There is no trained system for these pictures here. Choose another data set on the left, or train one "
                "of your own.")
        st.stop()
    with st.sidebar:
        image = controls.picture(name, images) if "image" in bar and images is not None else 0
        chosen = controls.systems(systems) if "systems" in bar else ()
        seed = controls.seed() if "seed" in bar else 0
    if "systems" in bar and not chosen:
        st.info("Pick at least one system on the left.")
        st.stop()
    return Lab(slug=slug, lecture=lecture, data=name, images=images, systems=systems, chosen=chosen, image=image,
               seed=seed)


def leave_for(slug: str, values: Mapping[str, Any] | None = None) -> None:
    """Go to another page with these widgets' values; to be called in a callback, before any widget is drawn.

    The address says them, too, and those of the bar: the browser takes a bound widget's value from there as it opens
    the page.
    """
    st.session_state.update(values or {})
    bar = {key: st.session_state[key] for key in BEGINNING if key in st.session_state}
    st.session_state["leaving_for"] = slug, {
        key: [str(each) for each in value] if isinstance(value, list) else _in_address(value)
        for key, value in (bar | dict(values or {})).items()
        if value is not None and (key == "image" or value != BEGINNING.get(key, False))
    }


def _in_address(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def headline(title: str, words: str) -> None:
    """The page's name, and the one sentence to remember; ``words`` is HTML of our own."""
    st.html(f'<div class="lab-page"><h1>{html.escape(title)}</h1><p class="lab-lead">{words}</p></div>')


def badge(
    *, n: int, objective: str, how: str, zero: float | None = None, verdict: str | None = None,
    help: str | None = None,
) -> None:
    """What stands behind a number under attack.

    ``zero`` is the share of correct pictures for which the attack never had a gradient.
    """
    parts = [f"n = {n:,} picture{'s' * (n > 1)}", f"objective “{objective}”", how]
    if zero is not None:
        parts.append(f"gradient exactly 0 for {100 * zero:.0f} %")
    if verdict:
        parts.append(f"verdict: {verdict}")
    st.caption(in_markdown(" · ".join(parts)), help=help)


def predict(key: str, question: str, options: Sequence[str]) -> bool:
    """Ask before the answer is shown; whether it may be shown now."""
    done, said = f"{key}_revealed", f"{key}_predicted"
    if st.session_state.get(done):
        if answer := st.session_state.get(f"{said}_kept"):
            st.caption(f"You expected: **{answer}**.")
        return True
    with st.container(border=True):
        st.markdown(f"**First guess.** {question}")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.segmented_control(question, options, key=said, label_visibility="collapsed", wrap=True)
            guessed = st.session_state.get(said) is not None
            st.button("Show me", key=f"{key}_show", type="primary" if guessed else "secondary", on_click=_reveal,
                      args=(done, said))
    return False


def close_page(
    lab: Lab,
    *,
    code: str,
    tables: Mapping[str, DataFrame | Callable[[], DataFrame]] | None = None,
    figures: Mapping[str, Figure] | None = None,
    files: Mapping[str, tuple[Callable[[], str], str]] | None = None,
) -> None:
    """End a page with what can be taken away.

    Args:
        lab: the page.
        code: Python that gives the page's numbers with the library alone.
        tables: by name, offered as CSV; or what makes them when they are asked for.
        figures: by name, offered as interactive HTML that needs no network.
        files: further ones, file name to what makes its text and the words on its button.
    """
    if lab.lecture:
        return
    _take_away(lab.slug, code, tables or {}, figures or {}, files or {})


@st.fragment
def _take_away(
    slug: str, code: str, tables: Mapping[str, DataFrame | Callable[[], DataFrame]], figures: Mapping[str, Figure],
    files: Mapping[str, tuple[Callable[[], str], str]],
) -> None:
    """What is behind the last bar of a page. It comes when it is opened: most visitors need none of it."""
    bar = st.expander("Code, link, files", key="take_away", on_change="rerun")
    if not bar.open:
        return
    with bar:
        st.markdown("The numbers of this page, with the library alone. Its address is a link to this very view.")
        st.code(code, language="python", wrap_lines=True)  # what scrolls sideways cannot be reached by keys
        with st.container(horizontal=True):
            for name, table in tables.items():
                _download(f"{name} (CSV)", _Csv(table), f"{slug}_{name}.csv", f"csv {name}")
            for name, figure in figures.items():
                _download(f"{name} (HTML figure)", _Page(figure), f"{slug}_{name}.html", f"html {name}")
            for name, (make, words) in files.items():
                _download(words, make, name, f"file {name}")
        own, *more = notebooks_of(slug)
        further = f" (and {' and '.join(f'`{name}`' for name in more)})" if more else ""
        st.markdown(f"The notebook of this page is `{own}`{further}; "
                    "`tasklab notebooks build --student --to course` writes them all.")


def _download(words: str, text: Callable[[], str], name: str, key: str) -> None:
    """A button for a file. It starts no run: a run that starts drops the word that the file is made, for good."""
    st.download_button(words, text, name, "text/csv" if name.endswith(".csv") else "text/html", key=key,
                       on_click="ignore")


@dataclass(frozen=True)
class _Csv:
    """A table as CSV, made when it is asked for."""

    table: DataFrame | Callable[[], DataFrame]

    def __call__(self) -> str:
        from tasklab.evaluation import to_csv

        table = self.table() if callable(self.table) else self.table
        return to_csv(table)


@dataclass(frozen=True)
class _Page:
    """A figure as a whole HTML page, made when it is asked for."""

    figure: Figure

    def __call__(self) -> str:
        page: str = self.figure.to_html(include_plotlyjs=True, full_html=True)
        return page


def _reveal(done: str, said: str) -> None:
    st.session_state[done] = True
    st.session_state[f"{said}_kept"] = st.session_state.get(said)


def _strip(slug: str, lesson: Sequence[Step], lecture: bool) -> None:
    """Above every page: the lesson's step with its two buttons, the scenes, the lecture mode."""
    place = f"{slug}_step"
    at = min(int(st.session_state.get(place, -1)), len(lesson) - 1)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if lesson:
            st.button("◀", key=f"{slug}_back", on_click=_go, args=(place, lesson, at - 1), disabled=at <= 0,
                      shortcut="Left", help="Previous step of the lesson")
            st.button("Lesson ▶" if at < 0 else "▶", key=f"{slug}_next", on_click=_go, args=(place, lesson, at + 1),
                      disabled=at + 1 >= len(lesson), shortcut="Right", help="Next step of the lesson")
            with st.container(width="stretch"):
                told, words = f"{at + 1} of {len(lesson)}.", lesson[at].words
                if at < 0:
                    told, words = _scene_told(slug) or ("", f"A lesson in {len(lesson)} steps.")
                st.html(f'<p class="lab-lesson" aria-live="polite"><b>{html.escape(told)}</b> {html.escape(words)}</p>')
        else:
            with st.container(width="stretch"):
                st.html('<p class="lab-lesson"><b>tasklab</b></p>')
        if not lecture:
            st.menu_button("Scenes", [scene.name for scene in SCENES], key="scenes", on_click=_show)
        st.button("Leave lecture mode" if lecture else "Lecture mode", key="lecture_button", on_click=_lecture,
                  shortcut="L", help="Large type, no controls")


def _go(place: str, lesson: Sequence[Step], to: int) -> None:
    st.session_state[place] = to
    for key, value in _here(lesson[to].values).items():
        st.session_state[key] = value


def _here(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A lesson's values, told for digits, on the data set that is looked at: its ε, its classes."""
    data = st.session_state.get("data", "digits")
    if data == "digits" or not values:
        return values
    from tasklab.data.info import info_of, radii_of

    if "data" in values:  # it goes back to digits
        radii = radii_of("digits")
        stays = radii.fits(st.session_state.get("eps", radii.usual))
        return values if stays else {"eps": radii.usual} | dict(values)
    info, norm = info_of(data), st.session_state.get("norm", "linf")
    found = dict(values)
    if "eps" in found:
        found["eps"] = radii_of(data, norm).like(found["eps"], radii_of("digits", norm))
    if str(found.get("outputs_class", "")).isdigit():
        found["outputs_class"] = info.classes[int(found["outputs_class"])]
    return found


def _lecture() -> None:
    st.session_state["lecture_on"] = not st.session_state.get("lecture_on", False)


def _scene_values(scene: Scene) -> dict[str, Any]:
    """A scene's own values, and all others as the app begins with them."""
    from tasklab.attacks import OBJECTIVES

    return dict.fromkeys(OBJECTIVES, False) | BEGINNING | scene.values


def _scene_told(slug: str) -> tuple[str, str] | None:
    """Name and words of the scene that was opened, as long as nothing in it is changed."""
    scene = next((scene for scene in SCENES if scene.name == st.session_state.get("scene_open")), None)
    if scene is None or scene.page != slug:
        return None
    if any(st.session_state.get(key, value) != value for key, value in _scene_values(scene).items()):
        return None
    return f"{scene.name}.", scene.words


def _show() -> None:
    """Open the scene that was picked."""
    scene = next(scene for scene in SCENES if scene.name == st.session_state["scenes"])
    leave_for(scene.page, _scene_values(scene))
    st.session_state[f"{scene.page}_step"], st.session_state["scene_open"] = -1, scene.name
