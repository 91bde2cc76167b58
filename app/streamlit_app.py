"""The entry of the app (`streamlit run app`): sets the process up and routes to the pages."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: one thread is fastest for a single image

import streamlit as st
from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value

from lab_ui.basics.preload import freeze, wait, warm
from lab_ui.shell import frame
from lab_ui.shell.succession import keep_order
from lab_ui.visitor import identity, uploads
from tasklab.course import PAGES, title_of

MAY_BE_EMPTY = ("systems", "robust_curves", "regions_tasks")
"""Parameters of links that hold any number of values, none included."""

keep_order()
# When a whole run is requested while a fragment is ending, Streamlit starts it on the same thread and lets it draw into
# the container of that fragment, whose next run then finds its container gone. So each run begins at the top level.
context_dg_stack.set(get_default_dg_stack_value())
st.set_page_config(page_title="tasklab", page_icon="🎯", layout="wide")
slugs = [slug for slug in PAGES if (Path(__file__).parent / "app_pages" / f"{slug}.py").exists()]
page = st.navigation(
    [st.Page(f"app_pages/{slug}.py", title=title_of(slug), url_path=slug, default=slug == slugs[0])
     for slug in slugs],
    position="hidden" if "join" in st.query_params else "top",  # a phone in a room has that page alone
)
if empty := [name for name, value in st.query_params.items() if not value and name not in MAY_BE_EMPTY]:
    for name in empty:  # else a control that needs a value would have none
        del st.query_params[name]
    st.rerun()
if page.url_path:  # every page but the start page
    wait()
page.run()
frame.end_run()
identity.note_visit()
uploads.watch()
warm()  # after the page, which must not wait for it
freeze()
