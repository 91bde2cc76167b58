"""The app: `streamlit run app`. This file sets the process up and routes to the pages."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: one thread answers a single picture fastest

import streamlit as st
from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value

from lab_ui.basics.preload import keep, wait, warm
from lab_ui.visitor import identity, uploads
from tasklab.course import PAGES, notebook_of

# A run of the page that was asked for while a fragment ended follows it on its thread, and streamlit leaves it to draw
# into the container in which the fragment stands: the next look at that fragment then finds its place gone.
context_dg_stack.set(get_default_dg_stack_value())
st.set_page_config(page_title="tasklab", page_icon="🎯", layout="wide")
there = [slug for slug in PAGES if (Path(__file__).parent / "app_pages" / f"{slug}.py").exists()]
page = st.navigation(
    [st.Page(f"app_pages/{slug}.py", title=notebook_of(slug).title, url_path=slug, default=slug == there[0])
     for slug in there],
    position="top",
)
if page.url_path:  # all but Start
    wait()
page.run()
identity.note_visit()
uploads.watch()
warm()  # after the page, which is not to wait for it
keep()
