"""Uploaded files: their size is checked on the server, and the memory that they take is freed."""

from __future__ import annotations

import threading
import time
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from lab_ui.visitor.limits import MAX_HELD, MAX_HELD_TOGETHER, MAX_NAME, MAX_PICTURE, MAX_UPLOAD

PAUSE = 2.0
"""Seconds between two checks of the memory that uploads take."""


def content(file: Any, megabytes: int) -> bytes:
    """The bytes of an uploaded file.

    Args:
        file: from `st.file_uploader`.
        megabytes: the largest size that is accepted.

    Raises:
        ValueError: one sentence: the file is too large, and was not read.
    """
    if file.size > megabytes << 20:
        release(file)
        raise ValueError(f"The file is larger than {megabytes} MB, the largest size accepted here.")
    return bytes(file.getvalue())


def shown_name(name: str) -> str:
    """The name of a visitor's file for display: one line, shortened. It is never used as a name on the server's disk.

    >>> shown_name("a/b\\x00c.png"), len(shown_name("x" * 300))
    ('b c.png', 60)
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    line = "".join(sign if sign.isprintable() else " " for sign in last).strip()
    return line if len(line) <= MAX_NAME else f"{line[:MAX_NAME // 2]}…{line[1 - MAX_NAME // 2:]}"


def release(file: Any) -> None:
    """Free the memory of an uploaded file, once it has been accepted or refused."""
    if (context := get_script_run_ctx()) is not None:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)  # type: ignore[attr-defined]


@st.cache_resource(show_spinner=False)
def watch() -> None:
    """Start a thread that limits the memory of uploads, once per server."""
    manager = runtime.get_instance().uploaded_file_mgr if runtime.exists() else None
    if isinstance(manager, MemoryUploadedFileManager):
        threading.Thread(target=_watch, args=(manager,), daemon=True, name="uploads").start()


def trim(manager: MemoryUploadedFileManager) -> None:
    """Drop the oldest uploads of each tab that holds too much, with lower limits while all together hold too much."""
    for limit in (MAX_HELD, MAX_UPLOAD, MAX_PICTURE):
        total = 0
        for session, files in list(manager.file_storage.items()):
            held = list(files.values())
            size = sum(len(file.data) for file in held)
            for file in held:
                if size > limit << 20:
                    manager.remove_file(session, file.file_id)
                    size -= len(file.data)
            total += size
        if total <= MAX_HELD_TOGETHER << 20:
            return


def _watch(manager: MemoryUploadedFileManager) -> None:
    while True:
        time.sleep(PAUSE)
        trim(manager)
