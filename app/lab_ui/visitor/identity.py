"""Whose jobs and systems these are: an unguessable token in a cookie of this very site, and a folder by its hash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import time
from pathlib import Path

import streamlit as st

COOKIE = "tasklab_visitor"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
KEPT = "_visitor"
DAYS = 400
HOUR = 3600.0

SCRIPT = """
export default function (component) {
  const { data, setStateValue } = component;
  const found = document.cookie.split("; ").find((part) => part.startsWith(data.name + "="));
  if (found) {
    const token = found.slice(data.name.length + 1);
    if (token !== data.token) setStateValue("token", token);
    return;
  }
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${data.name}=${data.token}; Max-Age=${data.seconds}; Path=/; SameSite=Strict${secure}`;
}
"""
"""Keeps the token; another tab may have kept one in the meantime, and then that one is the visitor's."""

_keep = st.components.v2.component("tasklab_visitor", js=SCRIPT)


def root() -> Path:
    """The folder of all visitors: ``TASKLAB_JOBS``, else ``tasklab/jobs`` in the user's cache."""
    named = os.environ.get("TASKLAB_JOBS")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.path.abspath(Path(named).expanduser() if named else Path(cache) / "tasklab" / "jobs"))


def visitor() -> str | None:
    """The name of this visitor's folder, or None for somebody who has nothing here."""
    token = _token()
    return folder_of(token) if token else None


def new_visitor() -> str:
    """The same, for somebody who is about to have something here; `remember` keeps it beyond this visit."""
    token = _token() or secrets.token_urlsafe(32)
    st.session_state[KEPT] = token
    return folder_of(token)


def remember() -> None:
    """Put the token into the browser's cookie, where it is not there yet; it draws nothing."""
    name = new_visitor()
    token = st.session_state[KEPT]
    if _cookie() == token:
        return
    data = {"name": COOKIE, "token": token, "seconds": DAYS * 86_400}
    kept = getattr(_keep(key="visitor_cookie", data=data, height=1, on_token_change=lambda: None), "token", None)
    if isinstance(kept, str) and TOKEN.fullmatch(kept) and kept != token and not os.path.exists(root() / name):
        st.session_state[KEPT] = kept
        st.rerun()


def note_visit() -> None:
    """Touch the visitor's folder, where there is one: what nobody visits for long is removed (`disk.expire`)."""
    if (name := visitor()) is not None:
        folder = root() / name
        with contextlib.suppress(OSError):  # there is none, or it cannot be touched
            if time.time() - folder.stat().st_mtime > HOUR:
                os.utime(folder)


def folder_of(token: str) -> str:
    """A name that does not tell the token."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def _token() -> str | None:
    kept = st.session_state.get(KEPT)
    return kept if isinstance(kept, str) else _cookie()


def _cookie() -> str | None:
    found = st.context.cookies.get(COOKIE)
    return found if isinstance(found, str) and TOKEN.fullmatch(found) else None
