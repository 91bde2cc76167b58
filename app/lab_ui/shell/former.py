"""What the page that has just been left may still request."""

from __future__ import annotations

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType


def refuse() -> None:
    """Refuse every request of a fragment of the page that has just been left.

    A figure or a timer of that page can send one until the browser has heard of the new page. Streamlit would answer it
    after the run of the new page. Its fragment is gone by then, but the browser is told that the former page is shown
    again, and it clears the new one.
    """
    context = get_script_run_ctx()
    if context is None:
        return
    context.fragment_storage.clear()  # from now on the session itself refuses them
    requests = context.script_requests
    if requests is None:
        return
    with requests._lock:  # this one has come already, and Streamlit offers no other way to withdraw it
        if requests._state is ScriptRequestType.RERUN and requests._rerun_data.fragment_id_queue:
            requests._state = ScriptRequestType.CONTINUE
