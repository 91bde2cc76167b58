"""Plotly figures on a page; in lecture mode they are as large as the type around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tasklab.figures.style import enlarged

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LECTURE = 1.4
"""How much larger a figure is in lecture mode."""


INK = "#31333f"
"""Colour of words inside a figure, whose own grey is too faint on coloured ground. The style of the pages replaces it
by the colour of their text, which follows the theme."""


def plot(figure: Figure, *, key: str, alt: str, **settings: Any) -> None:
    """Draw a figure without a bar of tools.

    Args:
        figure: it is not changed.
        key: of the element.
        alt: description of the figure for those who do not see it.
        settings: further arguments of `st.plotly_chart`.
    """
    shown = enlarged(figure, LECTURE) if st.session_state.get("lecture") else figure
    st.plotly_chart(_inked(shown), key=key, alt=alt, config={"displayModeBar": False}, **settings)


def _inked(figure: Figure) -> Figure:
    """A copy of a figure whose words have the colour `INK`, where they had none of their own."""
    import plotly.graph_objects as go

    copy = go.Figure(figure)
    words = [trace.textfont for trace in copy.data if trace.type == "scatter" and "text" in (trace.mode or "")]
    for font in words + [annotation.font for annotation in copy.layout.annotations]:
        if font.color is None:
            font.color = INK
    return copy
