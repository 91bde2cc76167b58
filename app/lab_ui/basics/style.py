"""The CSS that all pages share; text and background colours come from Streamlit's theme."""

from __future__ import annotations

import streamlit as st

STYLE = """
<style>
.stMainBlockContainer { padding: 4.3rem 2rem 3rem; }
.lab-page h1 { font-size: 1.3rem; font-weight: 600; padding: 0; margin: 0 0 0.3rem; }
.lab-top { display: flex; gap: 1.5rem; align-items: center; }
.lab-top figure { margin: 0; flex: 0 0 8.5rem; }
.lab-lead { font-size: 1.6rem; line-height: 1.35; margin: 0 0 0.3rem; max-width: 60rem; }
.lab-lead b { white-space: nowrap; }
.lab-page figcaption { font-size: 0.95rem; text-align: center; line-height: 1.25; margin-top: 0.2rem; }
.lab-page img { width: 100%; display: block; image-rendering: pixelated; border-radius: 4px;
  outline: 1px solid #8a8a8a66; }
.lab-aim { margin-top: 0.8rem; display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; }
.lab-aim h2 { font-size: 1.5rem; font-weight: 700; padding: 0; margin: 0; }
.lab-aim p { margin: 0; }
.lab-head h3 { font-size: 1.3rem; font-weight: 700; padding: 0; margin: 0; line-height: 1.25; }
.lab-head p { margin: 0 0 0.5rem; font-size: 0.95rem; }
.lab-pair { display: flex; gap: 0.8rem; margin-bottom: 0.5rem; max-width: 20rem; }
.lab-pair figure { flex: 1 1 0; margin: 0; min-width: 0; }
.lab-chip { display: inline-block; border-radius: 6px; padding: 0.15rem 0.6rem; font-size: 1.2rem; font-weight: 700;
  white-space: nowrap; }
.lab-correct { background: #0b5cad; color: #ffffff; }
.lab-wrong { background: #f29a3d; color: #000000; }
.lab-abnormal { color: #000000;
  background: repeating-linear-gradient(-45deg, #d4d4d4 0 6px, #bcbcbc 6px 9px); }
.lab-read { display: flex; flex-wrap: wrap; gap: 0.1rem 0.7rem; align-items: center; }
.stPlotlyChart :is(.xtick, .x2tick, .ytick, .y2tick) text, .stPlotlyChart :is(.xtitle, .x2title, .ytitle, .y2title),
.stPlotlyChart text[style*="rgb(49, 51, 63)"] { fill: currentColor !important; }
.lab-note { border-left: 4px solid #8a8a8a; padding: 0 0 0 0.6rem; margin: 0.3rem 0; font-size: 1rem;
  line-height: 1.35; }
.lab-key { display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; margin: 0; font-size: 0.95rem; }
.lab-about { font-size: 0.9rem; line-height: 1.4; margin: 0; }
.lab-print, .lab-about a, .lab-lead a, .lab-page h2 a, .lab-head a { color: inherit; text-decoration: underline;
  text-underline-offset: 0.15em; }
.lab-lesson { font-size: 1.1rem; line-height: 1.35; margin: 0; }
@media (min-width: 641px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-strip .lab-lesson[aria-live]) { position: sticky; top: 3.75rem;
    z-index: 6; background: var(--st-background-color, light-dark(#ffffff, #0f151c)); padding: 0.4rem 0;
    box-shadow: 0 1px 0 #8a8a8a66; }
}
.st-key-feature_map_sheet { display: none; }
.st-key-data button { padding-inline: 0.5rem; }
.stButton button[kind="primary"] * { color: light-dark(#ffffff, #0b1117) !important; }
.stElementContainer:is([class*="_scene"], [class*="_ground"])[data-stale="true"] {
  opacity: 1 !important; transition: none !important; }
[data-tag] * { color: light-dark(#ffffff, #0b1117) !important; }
[data-tag] { height: auto !important; padding-block: 0.2rem; }
[data-tag] > span { white-space: normal !important; line-height: 1.25; }
[data-testid="stMultiSelectTagsContainer"] { max-height: none !important; }
[data-testid="stTopNav"] { overflow: visible; min-width: 0; }  /* its last button is measured too narrow */
:is([data-testid="stTopNavLink"], [data-testid="stTopNavSection"]):focus-visible {
  outline: 3px solid var(--st-primary-color, light-dark(#0b5cad, #7db5f0)); outline-offset: -1px; }
@media (max-width: 640px) {
  .lab-top { align-items: flex-start; gap: 1rem; }
  .lab-top figure { flex-basis: 5.5rem; }
  .lab-lead { font-size: 1.25rem; }
}
</style>
"""

LECTURE = """
<style>
html { font-size: clamp(21px, 1.1vw, 42px); --tl-scale: 1.2; --tl-pair: 13rem; }
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"] { display: none; }
</style>
"""


def style(lecture: bool = False) -> None:
    """Put the CSS on the page; with ``lecture``, also larger type and no sidebar."""
    st.html(STYLE)
    if lecture:
        st.html(LECTURE)
