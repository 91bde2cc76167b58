"""What a browser makes of a session's messages: the tree of a page, as streamlit's front end keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner import RerunData, ScriptRunnerEvent
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

PAGE, LOOK = "page", "look"
"""A run of the whole page, and one of all the fragments that poll."""


@dataclass
class Node:
    """An element, or a block with children."""

    kind: str
    run: int
    fragment: str = ""
    children: list[Node] | None = None

    def shape(self) -> str:
        """It and all below it, for a comparison."""
        below = "" if self.children is None else f"[{' '.join(child.shape() for child in self.children)}]"
        return self.kind + below


@dataclass
class FrontEnd:
    """The tree of one tab; it refuses what the browser refuses.

    Attributes:
        busy: whether the server, once the first run is over, comes to send nothing before the very end.
        places: for each run of the page, where it has put its parts.
        polling: the fragments that the last run of the page asked to run again.
        first: what the first run left on the page.
    """

    busy: bool
    places: list[list[tuple[int, ...]]] = field(default_factory=list)
    polling: list[str] = field(default_factory=list)
    first: str = ""
    root: Node = field(default_factory=lambda: Node("root", 0, children=[Node("root", 0, children=[]) for _ in "msed"]))
    run: int = 0
    looking: tuple[str, ...] = ()
    queue: ForwardMsgQueue = field(default_factory=ForwardMsgQueue)
    sent: list[ForwardMsg] = field(default_factory=list)

    def heard(self, event: ScriptRunnerEvent, described: dict[str, Any]) -> None:
        """One event of a script runner, as streamlit's session passes it on."""
        message = ForwardMsg()
        if event == ScriptRunnerEvent.SCRIPT_STARTED:
            fragments = described.get("fragment_ids_this_run")
            self.queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=fragments)
            message.new_session.name = " ".join(fragments or ())
            if not fragments:
                self.places.append([])
                self.polling.clear()
        elif event == ScriptRunnerEvent.ENQUEUE_FORWARD_MSG:
            message = described["forward_msg"]
            if message.HasField("auto_rerun"):
                self.polling.append(message.auto_rerun.fragment_id)
            elif message.HasField("delta") and not message.delta.fragment_id:
                self.places[-1].append(tuple(message.metadata.delta_path))
        elif event in (ScriptRunnerEvent.SCRIPT_STOPPED_WITH_SUCCESS, ScriptRunnerEvent.FRAGMENT_STOPPED_WITH_SUCCESS):
            message.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
        else:
            return
        self.queue.enqueue(message)
        if not self.busy or len(self.places) == 1:
            self.sent += self.queue.flush()

    def draw(self) -> None:
        """Draw what the server has sent."""
        for message in self.sent + self.queue.flush():
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.run, self.looking = self.run + 1, tuple(message.new_session.name.split())
            elif kind == "delta":
                self._put(list(message.metadata.delta_path), message.delta)
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                for root in self.root.children or ():
                    self._clear(root, within=False)
                self.first = self.first or self.shape()

    def shape(self) -> str:
        """What stands on the page."""
        return self.root.shape()

    def _put(self, path: list[int], delta: Any) -> None:
        at = self.root
        for place in path[:-1]:
            assert at.children is not None and place < len(at.children), f"bad delta path {path}"
            at = at.children[place]
            at.run = self.run
        place = path[-1]
        assert at.children is not None and place <= len(at.children), f"bad delta path {path}"
        block = delta.WhichOneof("type") == "add_block"
        node = Node(str((delta.add_block if block else delta.new_element).WhichOneof("type")), self.run,
                    delta.fragment_id)
        if block:
            there = at.children[place] if place < len(at.children) else None
            same = there is not None and there.children is not None and there.kind == node.kind
            node.children = there.children if there is not None and same else []
        at.children[place : place + 1] = [node]

    def _clear(self, block: Node, *, within: bool) -> None:
        """Drop what the run that has ended did not draw again: of the page, or of its fragments alone."""
        mine = within or block.fragment in self.looking
        kept = []
        for child in block.children or ():
            stale = child.run != self.run
            if stale and (not self.looking or (mine and (child.children is not None or child.fragment))):
                continue
            if child.children is not None:
                self._clear(child, within=mine)
            kept.append(child)
        block.children = kept


def follow(monkeypatch: pytest.MonkeyPatch, at: AppTest, first: str, *then: str, busy: bool = False) -> FrontEnd:
    """Run a page, and at once, on the same thread, what was asked for meanwhile; what a tab makes of it."""
    assert first == PAGE
    tab, asked = FrontEnd(busy), list(then)
    begin, end = LocalScriptRunner.__init__, LocalScriptRunner._on_script_finished

    def begun(runner: LocalScriptRunner, *args: Any, **settings: Any) -> None:
        begin(runner, *args, **settings)
        runner.on_event.connect(lambda sender, event, **described: tab.heard(event, described), weak=False)

    def ended(runner: LocalScriptRunner, ctx: Any, event: ScriptRunnerEvent, *args: Any) -> None:
        end(runner, ctx, event, *args)
        if event != ScriptRunnerEvent.SCRIPT_STOPPED_FOR_RERUN and asked:
            looked = [*tab.polling] if asked.pop(0) == LOOK else []
            runner.request_rerun(RerunData(
                query_string=ctx.query_string, page_script_hash=ctx.page_script_hash, fragment_id_queue=looked,
                is_auto_rerun=bool(looked)))

    with monkeypatch.context() as patch:
        patch.setattr(LocalScriptRunner, "__init__", begun)
        patch.setattr(LocalScriptRunner, "_on_script_finished", ended)
        at.run()
    assert not asked
    tab.draw()
    return tab
