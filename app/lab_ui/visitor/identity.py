"""Who a visitor is: a random token in a cookie of this site; its hash names the folder of their jobs and systems."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import time
from pathlib import Path

import streamlit as st

from lab_ui.visitor.limits import ROOM_HOURS

COOKIE = "tasklab_visitor"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
KEPT = "_visitor"
GUEST = "tasklab_guest"
GUEST_KEPT = "_guest"
DAYS = 400
HOUR = 3600.0

SCRIPT = """
export default function (component) {
  const { data, setStateValue } = component;
  if (!data.seconds) {
    document.cookie = `${data.name}=; Max-Age=0; Path=/; SameSite=Strict`;
    return;
  }
  const cookie = document.cookie.split("; ").find((part) => part.startsWith(data.name + "="));
  if (cookie) {
    const token = cookie.slice(data.name.length + 1);
    if (token !== data.token) setStateValue("token", token);
    return;
  }
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${data.name}=${data.token}; Max-Age=${data.seconds}; Path=/; SameSite=Strict${secure}`;
}
"""
"""Stores the token in the cookie. Where another tab has stored one in the meantime, it sends that one back instead.
With no seconds to keep it for, it removes the cookie."""

_keep = st.components.v2.component("tasklab_visitor", js=SCRIPT)


def root() -> Path:
    """The folder of all visitors: ``TASKLAB_JOBS``, else ``tasklab/jobs`` in the user's cache."""
    named = os.environ.get("TASKLAB_JOBS")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.path.abspath(Path(named).expanduser() if named else Path(cache) / "tasklab" / "jobs"))


def visitor() -> str | None:
    """The name of the present visitor's folder; None for somebody who has no token yet."""
    token = _token()
    return folder_of(token) if token else None


def new_visitor() -> str:
    """The name of the present visitor's folder. A visitor without a token is given one, for this session only."""
    token = _token() or secrets.token_urlsafe(32)
    st.session_state[KEPT] = token
    return folder_of(token)


def remember() -> None:
    """Store the token in the browser's cookie, unless it is there already. Nothing is drawn."""
    name = new_visitor()
    token = st.session_state[KEPT]
    if _cookie() == token:
        return
    data = {"name": COOKIE, "token": token, "seconds": DAYS * 86_400}
    stored = getattr(_keep(key="visitor_cookie", data=data, height=1, on_token_change=lambda: None), "token", None)
    if isinstance(stored, str) and TOKEN.fullmatch(stored) and stored != token and not os.path.exists(root() / name):
        st.session_state[KEPT] = stored
        st.rerun()


def guest() -> str:
    """The token by which rooms recognise a phone: random, and kept in a cookie for as long as a room can be open."""
    kept = st.session_state.get(GUEST_KEPT) or _cookie(GUEST) or secrets.token_urlsafe(32)
    st.session_state[GUEST_KEPT] = kept
    return str(kept)


def remember_guest() -> None:
    """Store that token in the browser's cookie, unless it is there already. Nothing is drawn."""
    if (token := guest()) != _cookie(GUEST):
        _guest_cookie(token, int(3600 * ROOM_HOURS))


def forget_guest() -> None:
    """Remove that cookie, and begin with a new token."""
    st.session_state[GUEST_KEPT] = secrets.token_urlsafe(32)
    _guest_cookie("", 0)


def _guest_cookie(token: str, seconds: int) -> None:
    _keep(key="guest_cookie", data={"name": GUEST, "token": token, "seconds": seconds}, height=1,
          on_token_change=lambda: None)


def note_visit() -> None:
    """Update the modification time of the visitor's folder, at most once an hour: `disk.expire` removes old ones."""
    if (name := visitor()) is not None:
        folder = root() / name
        with contextlib.suppress(OSError):  # there is no folder, or it cannot be written
            if time.time() - folder.stat().st_mtime > HOUR:
                os.utime(folder)


def folder_of(token: str) -> str:
    """The name of the folder for a token: a hash, from which the token cannot be recovered."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def _token() -> str | None:
    token = st.session_state.get(KEPT)
    return token if isinstance(token, str) else _cookie()


def _cookie(name: str = COOKIE) -> str | None:
    token = st.context.cookies.get(name)
    return token if isinstance(token, str) and TOKEN.fullmatch(token) else None
