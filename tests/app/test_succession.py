"""A request that comes just after the end of a run: nothing of that run is lost, and the request is answered."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime import Runtime
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.script_data import ScriptData
from streamlit.runtime.scriptrunner.script_cache import ScriptCache

from lab_ui.shell import succession

SCRIPT = """
import streamlit as st

@st.fragment
def look():
    st.session_state.looks = st.session_state.get("looks", 0) + 1
    st.text(f"look {st.session_state.looks}")

st.text("begin")
look()
st.text("end")
"""


async def _sent(script: Path) -> list[str]:
    """What a server sends that is too busy to handle anything between the end of a run and the next request."""
    session = AppSession(ScriptData(str(script), False), MemoryUploadedFileManager("/upload"), ScriptCache(), None, {})
    session.request_rerun(ClientState())
    runner = session._scriptrunner
    assert runner is not None and runner._script_thread is not None
    while runner._script_thread.is_alive():
        time.sleep(0.01)  # this blocks the event loop
    [fragment] = vars(session._fragment_storage)["_fragments"]
    session.request_rerun(ClientState(fragment_id=fragment))
    sent: list[str] = []
    while "look 2" not in sent:
        await asyncio.sleep(0.01)
        sent += [message.delta.new_element.text.body for message in session.flush_browser_queue()]
    session.shutdown()
    return sent


@pytest.mark.parametrize("kept", [True, False])
def test_the_messages_of_a_run_outlive_the_next_request(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runtime, "_instance", MagicMock(spec=Runtime))
    monkeypatch.setattr(AppSession, "_create_scriptrunner", succession._begin)
    if kept:
        succession.keep_order()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    sent = asyncio.run(_sent(script))
    assert [word for word in sent if word in ("begin", "end")] == (["begin", "end"] if kept else [])
