"""Visitors without a browser: sessions on a server of the app, each over a websocket of its own, and what they cost it.

A browser on the same machine would use several times the processor time of the server that is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

PATIENCE = 15.0
"""Seconds after which an answer that has not come is an error, unless more are given."""


@dataclass(frozen=True, kw_only=True)
class Widget:
    """What a page says of one of its widgets.

    Attributes:
        id: under which the server knows its value.
        fragment: to which it belongs; empty for the page itself.
        parameter: of the address that has its value; empty where there is none.
    """

    id: str
    fragment: str
    parameter: str


@dataclass(kw_only=True)
class _Kept:
    """A large message, to which the server may only refer from then on, and the run in which that last happened."""

    message: ForwardMsg
    run: int


class Session:
    """A page that is open, as ``async with``; it speaks to the server as the page's script in a browser does.

    It runs the page, sends all values of its widgets with each request, polls the fragments that ask for it, follows
    the page's address, and keeps its cookies and the large messages that the server need not send again.

    Args:
        address: of the server.
        path: of the page.
        query: of the page's address.
        cookies: that the browser has already.

    Attributes:
        widgets: key of each widget to what the page says of it.
        cookies: those that the browser has now.
        errors: what went wrong.
    """

    def __init__(self, address: str, path: str, query: str = "", cookies: Mapping[str, str] | None = None) -> None:
        self.address, self.path, self.cookies = address, path, dict(cookies or {})
        self.widgets: dict[str, Widget] = {}
        self.errors: list[str] = []
        self._query, self._page, self._running = parse_qs(query), "", False
        self._values: dict[str, WidgetState] = {}
        self._kept: dict[str, _Kept] = {}
        self._run, self._age = 0, 0
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self._socket = await connect(
            f"{self.address.replace('http', 'ws', 1)}/_stcore/stream", subprotocols=[Subprotocol("streamlit")],
            max_size=None, origin=Origin(self.address), additional_headers={"Cookie": cookies} if cookies else None)
        self.begin(self._read())
        await self._ask()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (*self._polls.values(), *self._tasks):
            task.cancel()
        await self._socket.close()

    @property
    def resting(self) -> bool:
        """Whether the page has run and nothing more is coming by itself."""
        return not self._running and not self._polls

    async def send(self, key: str, **value: Any) -> None:
        """Change a widget, or click on it.

        Args:
            key: of the widget.
            value: the field of `WidgetState` that it has, ``trigger_value=True`` for a click.
        """
        widget = self.widgets[key]
        state = WidgetState(id=widget.id, **value)
        if state.WhichOneof("value") == "trigger_value":
            await self._ask(widget.fragment, state)
            return
        self._values[widget.id] = state
        if widget.parameter:
            self._query[widget.parameter] = [str(each) for each in value.values()]
        await self._ask(widget.fragment)

    async def trigger(self, key: str, event: str, value: Any) -> None:
        """Report an event of a component.

        Args:
            key: of the component.
            event: its name.
            value: plain values.
        """
        component = self.widgets[key]
        await self._ask(component.fragment, WidgetState(
            id=f"$$STREAMLIT_INTERNAL_KEY_{component.id}__events",
            json_trigger_value=json.dumps([{"event": event, "value": value}])))

    async def until(self, true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> bool:
        """Wait until something is true, and say whether it came to be so; it is an error otherwise.

        Args:
            true: is asked after each message.
            what: is waited for, as the error calls it.
            seconds: to wait at most.
        """
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                self.errors.append(f"{what} did not come within {seconds:.0f} s")
                return False
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), 1.0)
            except TimeoutError:
                continue
        return True

    async def rest(self, seconds: float = PATIENCE) -> None:
        """Wait until the page is at rest, so many seconds at most; it is an error otherwise."""
        await self.until(lambda: self.resting, f"the rest of the page {self.path}", seconds)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside everything else; it ends with the session."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def shown(self, kind: str, element: Any) -> None:
        """Look at an element that has come.

        Args:
            kind: of the element, as its message calls it.
            element: the message.
        """

    async def _ask(self, fragment: str = "", *triggers: WidgetState, auto: bool = False) -> None:
        """Ask for a run of the page, or of a fragment."""
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash = urlencode(self._query, doseq=True), self._page
        asked.page_name, asked.fragment_id, asked.is_auto_rerun = "" if self._page else self.path, fragment, auto
        asked.widget_states.widgets.extend((*self._values.values(), *triggers))
        asked.cached_message_hashes.extend(self._kept)
        asked.context_info.url = f"{self.address}/{self.path}"
        self._running = True
        await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        try:
            async for data in self._socket:
                self._take(self._whole(ForwardMsg.FromString(data)))
                self._changed.set()
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    def _whole(self, message: ForwardMsg) -> ForwardMsg:
        """The message itself, or the one to which it refers; it is kept if it is large."""
        if message.WhichOneof("type") == "ref_hash":
            if (kept := self._kept.get(message.ref_hash)) is None:
                self.errors.append("the server refers to a message that was not kept")
                return message
            kept.run = self._run
            result = ForwardMsg()
            result.CopyFrom(kept.message)
            result.metadata.CopyFrom(message.metadata)
            return result
        if message.metadata.cacheable:
            self._kept.setdefault(message.hash, _Kept(message=message, run=self._run)).run = self._run
        return message

    def _take(self, message: ForwardMsg) -> None:
        kind, fragments = message.WhichOneof("type"), message.metadata.run.fragment_ids
        if kind == "new_session":
            self._age = message.new_session.config.max_cached_message_age
            if not fragments:
                for fragment in tuple(self._polls):
                    self._polls.pop(fragment).cancel()
        elif kind == "navigation":
            self._page = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self._query = parse_qs(message.page_info_changed.query_string, keep_blank_values=True)
        elif kind == "session_status_changed":
            self._running = message.session_status_changed.script_is_running
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                if poll := self._polls.pop(fragment, None):
                    poll.cancel()
        elif kind == "auto_rerun":
            fragment = message.auto_rerun.fragment_id
            if fragment not in self._polls:
                self._polls[fragment] = asyncio.create_task(self._poll(fragment, message.auto_rerun.interval))
        elif kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self.errors.append("the script has an error")
            if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                self._forget(fragments)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._show(message.delta.new_element, message.delta.fragment_id)

    def _forget(self, fragments: Any) -> None:
        """Drop the large messages of what has just run that the server has not referred to for some runs."""
        self._run += 1
        self._kept = {name: kept for name, kept in self._kept.items()
                      if (fragments and kept.message.delta.fragment_id not in fragments)
                      or self._run - kept.run <= self._age}

    def _show(self, element: Any, fragment: str) -> None:
        kind = element.WhichOneof("type")
        inner = getattr(element, kind)
        if kind == "exception":
            self.errors.append(str(inner.message))
        if name := getattr(inner, "id", ""):
            parameter = getattr(inner, "query_param_key", "")
            self.widgets[name.split("-", 2)[-1]] = Widget(id=name, fragment=fragment, parameter=parameter)
        if kind == "bidi_component" and inner.component_name == "tasklab_visitor":
            cookie = json.loads(inner.json)
            if cookie["seconds"]:
                self.cookies.setdefault(cookie["name"], cookie["token"])
            else:
                self.cookies.pop(cookie["name"], None)
        self.shown(kind, inner)

    async def _poll(self, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._ask(fragment, auto=True)


def resident(address: str) -> float:
    """Megabytes of the server that listens there."""
    pages = int((_server(address) / "statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def processor(address: str) -> float:
    """Seconds of processor time that the server has used so far."""
    fields = (_server(address) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _server(address: str) -> Path:
    """The folder in /proc of the server that listens there."""
    port = address.rsplit(":", 1)[1]
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            command = (process / "cmdline").read_bytes().split(b"\0")
            if b"streamlit" in command and port.encode() in command:
                return process
    raise RuntimeError(f"no server listens on port {port}")
