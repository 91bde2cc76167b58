"""What the browser does by itself on every page: keys, the link to copy, the history, and the subject of a lesson."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

WEB = Path(__file__).parent / "web"
KEYS = (
    ("← →", "previous and next step of the lesson"),
    ("Page Up, Page Down", "the same in lecture mode, with the keys of a remote control; the space bar also goes on"),
    ("L", "turn lecture mode (large type, no controls) on or off"),
    ("P", "play or pause what moves on the page"),
    ("A, V", "on the page “Room”: attack all drawings; show the guesses"),
    ("Tab, Enter", "go to the next control; press it"),
    ("← → in a slider", "move the slider; the arrows also move a marker, a cell of a table, the pen of the drawing "
     "pad, or go from point to point on a map"),
    ("?", "this list"),
)
"""Keys, and what they do, for the sheet that “?” opens."""

_rows = "".join(f"<tr><th scope='row'>{keys}</th><td>{words}</td></tr>" for keys, words in KEYS)
HTML = f"""
<div class="tools">
  <button type="button" class="copy">Copy link</button>
  <button type="button" class="keys" aria-label="Keys" title="Keys">?</button>
</div>
<dialog aria-label="Keys"><h2>Keys</h2><table>{_rows}</table>
  <form method="dialog"><button>Close</button></form></dialog>
"""

_browser = st.components.v2.component(
    "tasklab_browser", html=HTML, css=(WEB / "browser.css").read_text(encoding="utf-8"),
    js=(WEB / "browser.js").read_text(encoding="utf-8"),
)


def browser(*, page: str, back: str, forward: str, lecture: bool, scene: str = "", subject: str = "") -> None:
    """Draw the buttons “Copy link” and “?”, and tell the browser what is shown.

    Args:
        page: slug of the page.
        back: key of the button that goes back one step.
        forward: key of the button that goes forward one step.
        lecture: whether lecture mode is on.
        scene: tells the open step of a lesson from others; empty where none is open.
        subject: CSS selector of what the step is about, which is outlined and scrolled to; empty for nothing.
    """
    shown = {"page": page, "back": back, "forward": forward, "lecture": lecture, "scene": scene, "subject": subject}
    _browser(key="browser", width="content", data=[shown])
