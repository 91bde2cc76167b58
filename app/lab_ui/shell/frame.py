"""The frame of every page: scenario bar, lesson, scenes, lecture mode, headline, badge, first guess and downloads.

Torch is imported only when a page asks for images or systems: the start page opens without it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from lab_ui.basics.glossary import glossary
from lab_ui.basics.lab import Lab, place_of_controls
from lab_ui.basics.lessons import LESSONS, LessonStep, values_of
from lab_ui.basics.scenes import BEGINNING, SCENES, MenuScene
from lab_ui.basics.style import style
from lab_ui.parts.browser import browser
from lab_ui.shell import address, former, overview, take_away
from lab_ui.shell.translated import for_dataset
from tasklab.text import in_markdown, unbroken

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure


BAR = ("data", "image", "systems", "seed")
"""All parts that a scenario bar can have."""
FOLLOWED = "lesson_followed"
"""Key of the session state: the values that the link to a step of a lesson has set, until a run has ended."""


def open_page(
    slug: str, *, lesson: str | None = None, bar: Sequence[str] = BAR, needs_images: bool = True
) -> Lab:
    """Draw what stands above a page and its scenario bar. A page that cannot be shown ends here, with a sentence.

    Args:
        slug: short name of the page, as in its file name.
        lesson: name of its lesson in `LESSONS`; by default the slug.
        bar: the parts of `BAR` that its scenario bar has.
        needs_images: whether the page needs the test set; a download is offered where it is missing.

    Returns:
        The values of the scenario bar.
    """
    other, parameters = st.session_state.pop("leaving_for", (slug, {}))
    if other != slug:
        try:
            st.switch_page(f"app_pages/{other}.py", query_params=parameters)
        except StreamlitAPIException:  # widgets of the page being left are bound to the URL, and write it themselves
            st.switch_page(f"app_pages/{other}.py", query_params={})
    if st.session_state.get("page") != slug:
        st.session_state["page"] = slug
        former.refuse()
        address.open_page()
        st.session_state.pop("link_missing", None)
    lecture = address.switch("lecture")
    address.switch(f"{slug}_revealed")
    style(lecture)
    if address.switch("overview"):
        overview.draw(lambda scene: _parameters(_scene_values(scene)))
        st.stop()
    step, slot = _strip(slug, _steps(lesson or slug), lecture)
    if not bar:
        return Lab(slug=slug, lecture=lecture, step=step, slot=slot)
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
    _say_what_is_missing(slug, systems)
    if not systems and "systems" in bar:
        st.info("There is no trained system for these images here. Choose another data set "
                f"{place_of_controls(lecture)}, or train one of your own.")
        st.stop()
    with st.sidebar:
        image = controls.picture(name, images) if "image" in bar and images is not None else 0
        chosen = controls.systems(systems) if "systems" in bar else ()
        seed = controls.seed() if "seed" in bar else 0
    if "systems" in bar and not chosen:
        st.info(f"Pick at least one system {place_of_controls(lecture)}.")
        st.stop()
    return Lab(slug=slug, lecture=lecture, step=step, slot=slot, data=name, images=images, systems=systems,
               chosen=chosen, image=image, seed=seed)


def _say_what_is_missing(slug: str, systems: Mapping[str, str]) -> None:
    """Say which systems a link names that are not here, such as those of somebody else."""
    named = [key for name in ("systems", f"{slug}_system") for key in address.opening(name) or () if key]
    if missing := [key for key in dict.fromkeys(named) if key not in systems]:
        st.session_state["link_missing"] = missing
    for key in st.session_state.get("link_missing", ()):
        st.warning(f"The link names a system that is not here: “{in_markdown(key, 60)}”. Whoever trained it can "
                   "download it on the page Train and send you the file, to be brought in there.")


def leave_for(slug: str, values: Mapping[str, Any] | None = None) -> None:
    """Go to another page and set the values of its widgets. Call it in a callback, before any widget is drawn.

    The values, and those of the scenario bar, are also written into the URL of the other page: when the browser opens
    it, widgets that are bound to URL parameters take their values from there.

    Args:
        slug: of the other page.
        values: widget key to value.
    """
    st.session_state.update(values or {})
    bar = {key: st.session_state[key] for key in BEGINNING if key in st.session_state}
    st.session_state["leaving_for"] = slug, _parameters(bar | dict(values or {}))


def _parameters(values: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """The parameters of an address that sets these values of widgets; the app's first values need none."""
    return {
        key: [str(item) for item in value] if isinstance(value, list) else _url_value(value)
        for key, value in values.items()
        if value is not None and (key == "image" or value != BEGINNING.get(key, False))
    }


def _url_value(value: Any) -> str:
    """A widget's value as Streamlit writes it into the URL."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def headline(title: str, words: str) -> None:
    """The name of the page, and the one sentence to remember.

    Args:
        title: plain text.
        words: HTML, put on the page as it is; never text from a visitor or a file.
    """
    st.html(f'<div class="lab-page"><h1>{html.escape(title)}</h1><p class="lab-lead">{words}</p></div>')


def tell(lab: Lab, **facts: Callable[[], str]) -> None:
    """Add to the open step of the lesson what the page shows.

    Args:
        lab: values of the scenario bar.
        facts: name of a fact to a function that makes its sentence from the numbers that the page draws.
    """
    if lab.step is not None and lab.step.fact in facts and (sentence := facts[lab.step.fact]()):
        _say(lab.slot, lab.step, sentence)


def badge(
    *, n: int, aim: str, how: str, zero: float | None = None, verdict: str | None = None,
    help: str | None = None,
) -> None:
    """A caption with the conditions under which a number under attack was measured.

    Args:
        n: number of images.
        aim: what the attack was aimed at, in words that follow “aimed at”.
        how: attack, steps and starts in a few words.
        zero: share, 0 to 1, of the correctly classified images whose gradient was exactly 0 at every step; said only
            where there were any.
        verdict: whether the number can be trusted, or why not.
        help: a longer explanation, shown on request.
    """
    parts = [f"n = {n:,} image{'s' * (n > 1)}", f"aimed at {aim}", how]
    if zero:
        parts.append(f"gradient exactly 0 for {share(zero)}")
    if verdict:
        parts.append(verdict)
    st.caption(unbroken(in_markdown(" · ".join(parts))), help=help)


@dataclass(frozen=True)
class Guess:
    """A first guess before a result is shown.

    Attributes:
        shown: whether the result may be shown now.
        made: what was expected; None where no guess was made.
        slot: where the verdict is drawn.
    """

    shown: bool
    made: str | None = None
    slot: Any = None

    def verdict(self, answer: str, measured: str) -> None:
        """Draw what was expected beside what was measured, once it is known.

        Args:
            answer: the one of the options that was right.
            measured: the result in a few words, to be read after “it was”; Markdown.
        """
        if self.made is None:
            return
        judged = "✓ You were right" if self.made == answer else "✗ You were wrong"
        self.slot.markdown(f"{judged}. You said **{in_markdown(self.made)}**; it was **{measured}**.")


def share(value: float) -> str:
    """A share, 0 to 1, in whole percent; only 0 itself is written as 0.

    >>> share(0.88), share(0.002), share(0.0)
    ('88 %', 'under 1 %', '0 %')
    """
    return "under 1 %" if 0 < value < 0.005 else f"{100 * value:.0f} %"


def predict(key: str, question: str, options: Sequence[str]) -> Guess:
    """Ask for a first guess before a result is shown; afterwards, offer to guess again.

    Args:
        key: the page's slug, prefix of the session-state keys; that of the revealed result is also in the address.
        question: one sentence.
        options: the possible answers.
    """
    done, guess = f"{key}_revealed", f"{key}_predicted"
    if address.switch(done):
        with st.container(horizontal=True, vertical_alignment="center"):
            made, slot = st.session_state.get(f"{guess}_kept"), st.empty()
            st.button("Guess again", key=f"{key}_again", on_click=_hide, args=(done, guess), type="tertiary")
        return Guess(shown=True, made=made if made in options else None, slot=slot)
    with st.container(border=True, key=f"{key}_guess"):
        st.markdown(f"**First guess.** {question}")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.segmented_control(question, options, key=guess, label_visibility="collapsed", wrap=True)
            guessed = st.session_state.get(guess) is not None
            st.button("Show me", key=f"{key}_show", type="primary" if guessed else "secondary", on_click=_reveal,
                      args=(done, guess))
    return Guess(shown=False)


def close_page(
    lab: Lab,
    *,
    code: str | None = None,
    tables: Mapping[str, DataFrame | Callable[[], DataFrame]] | None = None,
    figures: Mapping[str, tuple[Figure | Callable[[], Figure], str]] | None = None,
    files: Mapping[str, tuple[Callable[[], str], str]] | None = None,
) -> None:
    """End a page with its code, a link and downloads; not in lecture mode.

    A page whose results are still on their way ends with the same bar, so that it neither goes nor loses a click.

    Args:
        lab: values of the scenario bar.
        code: Python that computes the numbers of the page with the library alone; None while there are none yet.
        tables: name to a table, or to a function that makes it on request; offered as CSV.
        figures: name to a figure, or to a function that makes it on request, and its title, which says of which
            system, data set, number of images, attack and ε it is; offered as interactive HTML that needs no network.
        files: name of a further file to a function that makes its text, and the label of its button.
    """
    if lab.lecture:
        return
    take_away.draw(lab.slug, code, tables or {}, figures or {}, files or {})


def _reveal(done: str, guess: str) -> None:
    """Note that the result may be shown, and keep the guess, whose widget disappears."""
    st.session_state[done] = True
    st.session_state[f"{guess}_kept"] = st.session_state.get(guess)


def _hide(done: str, guess: str) -> None:
    """Hide the result again, so that a new guess can be made."""
    for key in (guess, f"{guess}_kept"):
        st.session_state.pop(key, None)
    st.session_state[done] = False


def _steps(name: str) -> tuple[LessonStep, ...]:
    """The steps of a lesson for which the selected data set has the systems."""
    lesson = LESSONS.get(name, ())
    if not any(step.needs for step in lesson):
        return lesson
    from lab_ui.shell import controls
    from lab_ui.visitor import catalogue

    systems = catalogue.systems(controls.asked_for())[0].keys()
    return tuple(step for step in lesson if step.needs <= systems)


def _say(slot: Any, step: LessonStep, fact: str = "") -> None:
    """Draw the sentences of a step."""
    words = " ".join(filter(None, (step.words, fact)))
    slot.html(f'<p class="lab-lesson" aria-live="polite">{html.escape(unbroken(words))}</p>')


def _strip(slug: str, lesson: Sequence[LessonStep], lecture: bool) -> tuple[LessonStep | None, Any]:
    """Draw what stands above every page: the present step of the lesson, the scenes, the lecture mode.

    Returns:
        The step that is open, and where its sentences are drawn.
    """
    step_key = f"{slug}_step"
    _follow(step_key, lesson)
    step = address.place("lesson", step_key, len(lesson), -1)
    opened, scene, slot = lesson[step] if step >= 0 else None, _current_scene(slug), None
    moved = " · on handwritten digits" if st.session_state.get("lesson_moved") else ""
    with st.container(key="strip", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if lesson:
                st.button("◀", key=f"{slug}_back", on_click=_go, args=(step_key, lesson, step - 1), disabled=step <= 0,
                          shortcut="Left", help="Previous step of the lesson")
                st.button("Lesson ▶" if step < 0 else "▶", key=f"{slug}_next", on_click=_go,
                          args=(step_key, lesson, step + 1), disabled=step + 1 >= len(lesson), shortcut="Right",
                          help="Next step of the lesson")
            with st.container(width="stretch"):
                resting = (f"<b>{step + 1} of {len(lesson)}</b>{moved}" if opened else "" if scene
                           else f"A lesson in {len(lesson)} steps." if lesson else "<b>tasklab</b>")
                if resting:
                    st.html(f'<p class="lab-lesson">{resting}</p>')
            _scenes()
            glossary()
            st.button("Leave lecture mode" if lecture else "Lecture mode", key="lecture_button",
                      on_click=_toggle_lecture, shortcut="L", help="Large type, no controls")
            browser(page=slug, back=f"{slug}_back", forward=f"{slug}_next", lecture=lecture,
                    scene=f"{slug} {step}" if opened else "", subject=opened.subject if opened else "")
        if opened:
            slot = st.empty()
            _say(slot, opened)
        elif scene:
            st.html(f'<p class="lab-lesson"><b>{html.escape(scene.name)}.</b> {html.escape(scene.words)}</p>')
    return opened, slot


def _follow(step_key: str, lesson: Sequence[LessonStep]) -> None:
    """Set the scene of a step that a link names without any values, as those in the list of all lessons do.

    It is set in every run until one has ended: Streamlit tells the browser a value only in the run in which it is set,
    and the messages of that run are lost if another one interrupts it. What a visitor has changed meanwhile stays.
    """
    kept = st.session_state.get(FOLLOWED, {}).get(step_key, {})
    st.session_state.update({key: value for key, value in kept.items() if st.session_state.get(key) == value})
    number = (address.text("lesson") or "")[:4]
    if step_key in st.session_state or not {"lesson"} <= set(st.query_params) <= {"lesson", "lecture", "data"}:
        return
    if address.is_new("lesson") and number.isdecimal() and 0 < int(number) <= len(lesson):
        from lab_ui.shell import controls
        st.session_state.setdefault("data", controls.asked_for())
        _go(step_key, lesson, int(number) - 1)
        st.session_state[FOLLOWED] = {step_key: for_dataset(values_of(lesson, int(number) - 1))}


def end_run() -> None:
    """Note that a run of a page has ended, so that its visitor's browser knows all values."""
    st.session_state.pop(FOLLOWED, None)


def _scenes() -> None:
    """The menu of scenes, each with its sentence."""
    with st.popover("Scenes"):
        for number, scene in enumerate(SCENES):
            st.button(f"**{scene.name}**", key=f"scene_{number}", on_click=_open_scene, args=(scene,), type="tertiary")
            st.markdown(f":small[{scene.words}]")
        st.html(overview.LINK)


def _go(step_key: str, lesson: Sequence[LessonStep], step: int) -> None:
    """Open a step of the lesson."""
    values, data = values_of(lesson, step), st.session_state.get("data", "digits")
    st.session_state[step_key] = step
    st.session_state["lesson_moved"] = st.session_state.get("lesson_moved") or values.get("data", data) != data
    st.session_state.update(for_dataset(values))


def _toggle_lecture() -> None:
    st.session_state["lecture"] = not st.session_state.get("lecture", False)


def _scene_values(scene: MenuScene) -> dict[str, Any]:
    """The values of all widgets for a scene: its own, and the app's first ones for all others."""
    from tasklab.attacks import OBJECTIVES

    return dict.fromkeys(OBJECTIVES, False) | BEGINNING | scene.values


def _current_scene(slug: str) -> MenuScene | None:
    """The scene that is open on a page; None once a value of it has been changed."""
    scene = next((scene for scene in SCENES if scene.name == st.session_state.get("scene_open")), None)
    if scene is None or scene.page != slug:
        return None
    if any(st.session_state.get(key, value) != value for key, value in _scene_values(scene).items()):
        return None
    return scene


def _open_scene(scene: MenuScene) -> None:
    """Open a scene that was picked in the menu."""
    leave_for(scene.page, _scene_values(scene))
    st.session_state[f"{scene.page}_step"], st.session_state["scene_open"] = -1, scene.name
