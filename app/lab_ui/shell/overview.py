"""All lessons and scenes with their links, as a list to print."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

import streamlit as st

from lab_ui.basics.lessons import LESSONS, LessonStep
from lab_ui.basics.scenes import SCENES, MenuScene
from tasklab.course import PAGES, title_of

LINK = (
    '<a class="lab-print" href="./codecs?overview=true" target="_blank">All lessons and scenes with their links, to '
    "print</a>"
)
"""The link to the list, for the menu of scenes; it opens a tab of its own."""

PHOTOGRAPHS = {"draw_photographs": ("draw", {"data": "cifar10"})}
"""A lesson of a page for one data set alone, to the page and the parameters of its address."""

STYLE = """
<style>
.lab-all { max-width: 60rem; }
.lab-all h2 { font-size: 1.2rem; margin: 1rem 0 0.2rem; padding: 0; break-after: avoid; }
.lab-all li { margin: 0.15rem 0; break-inside: avoid; }
.lab-all a { color: inherit; text-decoration: underline; text-underline-offset: 0.15em; }
@media print {
  [data-testid="stHeader"], [data-testid="stSidebar"], [data-testid="stToolbar"] { display: none; }
  .stMainBlockContainer { padding: 0; }
  .lab-all li a::after { content: " · " attr(href); font-size: 0.75em; overflow-wrap: anywhere; }
}
</style>
"""


def draw(parameters: Callable[[MenuScene], dict[str, str | list[str]]]) -> None:
    """Draw the list of all pages with the steps of their lessons, and of all scenes.

    Args:
        parameters: makes the parameters of the address that opens a scene.
    """
    base = (st.context.url or "./codecs").rsplit("/", 1)[0]
    parts = ["<h1>Lessons and scenes</h1><p>Each line is a link. The browser's print command prints the list, with the "
             "addresses.</p>"]
    for slug in PAGES:
        parts.append(f'<h2><a href="{base}/{slug}">{html.escape(title_of(slug))}</a></h2>')
        parts.append(_lesson(LESSONS.get(slug, ()), f"{base}/{slug}", {}))
    for name, (slug, query) in PHOTOGRAPHS.items():
        parts.append(f"<h2>{html.escape(title_of(slug))}, photographs</h2>")
        parts.append(_lesson(LESSONS[name], f"{base}/{slug}", query))
    rows = "".join(f"<li>{_link(f'{base}/{scene.page}?{urlencode(parameters(scene), doseq=True)}', scene.name)}. "
                   f"{html.escape(scene.words)}</li>" for scene in SCENES)
    parts.append(f"<h2>Scenes</h2><ul>{rows}</ul>")
    st.html(f'{STYLE}<div class="lab-page lab-all">{"".join(parts)}</div>')


def _lesson(steps: Sequence[LessonStep], address: str, query: dict[str, str]) -> str:
    """The steps of a lesson as links; nothing where there is none."""
    rows = [_link(f"{address}?{urlencode(query | {'lesson': number})}", step.words)
            for number, step in enumerate(steps, 1)]
    return f"<ol><li>{'</li><li>'.join(rows)}</li></ol>" if rows else ""


def _link(address: str, words: str) -> str:
    return f'<a href="{html.escape(address)}" target="_self">{html.escape(words)}</a>'
