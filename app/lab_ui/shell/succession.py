"""One run of a page after another: what the former one had to say is sent before the next one begins."""

from __future__ import annotations

from streamlit.runtime.app_session import AppSession, AppSessionState
from streamlit.runtime.scriptrunner import RerunData

RETRY = 0.005
"""Seconds between two checks whether the messages of the former thread have been handled."""

_begin = AppSession._create_scriptrunner


def keep_order() -> None:
    """Have Streamlit start a new thread for a visitor only once it has handled all messages of the former one.

    When a request arrives just after a run has ended, Streamlit starts a new thread at once. From then on it ignores
    whatever the former thread has reported and the server has not handled yet (streamlit/streamlit#9921). On a busy
    server this can be half a page, whose result then never arrives. Streamlit offers no setting for this.
    """
    AppSession._create_scriptrunner = _after_the_former  # type: ignore[method-assign, assignment]


def _after_the_former(session: AppSession, request: RerunData) -> None:
    former = session._scriptrunner  # until its last message has been handled
    if former is None:
        if session._state is not AppSessionState.SHUTDOWN_REQUESTED:
            _begin(session, request)
    elif not former.request_rerun(request):
        session._event_loop.call_later(RETRY, _after_the_former, session, request)
