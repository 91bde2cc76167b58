"""The app: `streamlit run app`. This file sets the process up and routes to the pages."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: one thread answers a single picture fastest

import streamlit as st
import torch

if torch.get_num_threads() != 1:
    torch.set_num_threads(1)

st.set_page_config(page_title="tasklab", page_icon="🎯", layout="wide")
pages = [st.Page("app_pages/attack_lab.py", title="Attack lab", default=True)]
st.navigation(pages, position="top").run()
