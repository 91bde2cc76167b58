"""Jobs as pages have them: start, look, stop, resume, and the box that shows how far they are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from lab_ui.basics.refusal import Refused
from lab_ui.visitor import identity
from lab_ui.visitor.disk import trouble
from lab_ui.visitor.scheduler import Scheduler
from tasklab.jobs import Job, JobError
from tasklab.text import in_markdown

EVERYONE = "everyone"
"""Whose jobs those are that serve all visitors."""

SHARED = ("download",)
ACTIVE = ("queued", "running")
SIGNS = {"queued": "◷", "running": "▶", "done": "●", "failed": "✕", "stopped": "■", "interrupted": "◌"}
WORDS = {"queued": "waits", "running": "runs", "done": "done", "failed": "failed", "stopped": "stopped",
         "interrupted": "interrupted"}
TITLES = {"train": "Training of {name}", "download": "Download of {data}", "report": "Report on {system}"}

AFTERWARDS = 10.0
"""Seconds after a job's end in which a page that shows it is looked after."""


@dataclass(frozen=True, kw_only=True)
class JobView:
    """What a page shows of a job.

    Attributes:
        id: its name, for `stop`, `resume` and `remove`.
        kind, settings: of the job.
        state: queued, running, done, failed, stopped or interrupted.
        progress: 0 to 1.
        seconds_left: an estimate, None where there is none yet.
        message: one sentence for a person.
        events: what it logged.
        folder: where what it makes lies.
        ended: when, in seconds of the epoch; 0 where it has not.
    """

    id: str
    kind: str
    settings: dict[str, Any]
    state: str
    progress: float
    seconds_left: float | None
    message: str
    events: tuple[dict[str, Any], ...]
    folder: Path
    ended: float

    @property
    def active(self) -> bool:
        """Whether it runs or waits."""
        return self.state in ACTIVE

    @property
    def title(self) -> str:
        """What it does, in a few words."""
        words = {"name": "", "data": "", "system": ""} | self.settings
        words["name"] = str(words["name"]).removeprefix(f"{words['data']}-")
        return TITLES.get(self.kind, self.kind).format(**words)


@st.cache_resource(show_spinner=False)
def _scheduler(root: str) -> Scheduler:
    return Scheduler(Path(root))


def scheduler() -> Scheduler:
    """The one queue of this machine."""
    return _scheduler(str(identity.root()))


def start(kind: str, settings: dict[str, Any]) -> str:
    """Queue a job of the present visitor; its id.

    Raises:
        ValueError: one sentence: settings that are refused, or too many jobs.
    """
    if kind in SHARED:
        for view in mine(kind):
            if view.active and settings.items() <= view.settings.items():
                return view.id  # somebody asked for the same already
    return scheduler().submit(EVERYONE if kind in SHARED else identity.new_visitor(), kind, settings).folder.name


def mine(kind: str | None = None) -> list[JobView]:
    """The present visitor's jobs, the newest first, and those that serve all visitors."""
    who = identity.visitor()
    found = [job for each in (who, EVERYONE) if each for job in scheduler().jobs(each)]
    views = [_view(job) for job in found if kind is None or job.kind == kind]
    return sorted(views, key=lambda view: view.id, reverse=True)


def stop(name: str) -> None:
    """Stop a job of the present visitor; what it has is kept. A refusal is kept for the box to say."""
    if (job := _find(name)) is not None:
        try:
            scheduler().stop(job)
        except Refused as error:
            refuse(str(error))


def resume(name: str) -> None:
    """Queue a job of the present visitor once more; a refusal is kept for the box to say."""
    if (job := _find(name)) is not None:
        try:
            scheduler().resume(job.folder.parent.parent.name, job)
        except (Refused, JobError) as error:
            refuse(str(error))


def remove(name: str) -> None:
    """Remove a job of the present visitor with all it made, unless it is active; the box says what is refused."""
    job = _find(name)
    if job is not None and scheduler().state(job) not in ACTIVE:
        try:
            job.delete()
        except OSError as error:
            refuse(trouble(error))


def refuse(sentence: str) -> None:
    """Keep a sentence for the boxes to say."""
    st.session_state["_job_refused"] = sentence


def watch(draw: Callable[[], None], kind: str | None = None, *, key: str = "jobs") -> None:
    """Draw a part of a page, again each second while jobs of a kind are active, and the whole page when none is.

    The whole page is drawn once more a while later: on a server that is pressed hard, pages were seen that went without
    what a job had made, although it was there.

    It stands in a container of its own: a look that directly follows a run of the page has streamlit throw away what
    of the fragment was not sent yet, and whatever stands below it would move into its place.

    ``draw`` must not call `watch` or `show`: fragments that poll are not nested.
    """
    pace = _pace(kind)

    @st.fragment(run_every=pace, key=f"watch {key}")
    def part() -> None:
        if _pace(kind) != pace:
            st.rerun()
        draw()

    with st.container():
        part()


def show(kind: str | None = None) -> None:
    """The standard boxes: how far the visitor's jobs are, with time left, stop and resume."""
    watch(lambda: boxes(kind), kind, key=f"boxes {kind}")


def boxes(kind: str | None = None) -> None:
    """One box for each job that is not done."""
    refused = st.session_state.pop("_job_refused", None)
    if refused:
        st.warning(in_markdown(refused))
    for view in reversed(mine(kind)):
        if view.state != "done":
            box(view)


def box(view: JobView) -> None:
    """One job: what it does, how far it is, and what can be done about it."""
    with st.container(border=True, key=f"job_{view.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{in_markdown(view.title, 80)}** · {SIGNS[view.state]} {WORDS[view.state]}", width="stretch")
            if view.active:
                st.button("Stop", key=f"stop {view.id}", on_click=stop, args=(view.id,), help="What it has is kept.")
            else:
                if view.state != "done":
                    st.button("Resume", key=f"resume {view.id}", on_click=resume, args=(view.id,), type="primary",
                              help="It goes on from its last checkpoint.")
                st.button("Remove", key=f"remove {view.id}", on_click=remove, args=(view.id,),
                          help="The job and all it made.")
        if view.state == "failed":
            st.error(in_markdown(view.message))
        elif view.state != "done":
            left = f" · about {duration(view.seconds_left)} left" if view.seconds_left is not None else ""
            st.progress(view.progress, text=f"{in_markdown(view.message)}{left}")


def duration(seconds: float) -> str:
    """A time to read: seconds, minutes or hours.

    >>> duration(4.2), duration(90), duration(7300)
    ('5 s', '2 min', '2.0 h')
    """
    if seconds < 60:
        return f"{max(1, -int(-seconds // 1))} s"
    return f"{-int(-seconds // 60)} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _pace(kind: str | None) -> float | None:
    """Seconds between two looks at the jobs of a kind; None where there is nothing to look at."""
    views = mine(kind)
    if any(view.active for view in views):
        return 1.0
    return 5.0 if any(time.time() - view.ended < AFTERWARDS for view in views) else None


def _find(name: str) -> Job | None:
    for who in (identity.visitor(), EVERYONE):
        if who:
            try:
                return scheduler().job(who, name)
            except JobError:
                continue
    return None


def _view(job: Job) -> JobView:
    state, events = scheduler().state(job), _events(job)
    begun = [place for place, event in enumerate(events) if event["event"] == "begin"]
    known = [event for event in events if event.get("progress") is not None]
    progress = min(1.0, max(0.0, float(known[-1]["progress"]))) if known else 0.0
    return JobView(
        id=job.folder.name, kind=job.kind, settings=job.settings, state=state, progress=progress,
        seconds_left=_left(events[begun[-1] :]) if begun and state == "running" else None,
        message=_message(job, state, events), events=events, folder=job.folder,
        ended=0.0 if (outcome := job.outcome) is None else outcome.at,
    )


def _message(job: Job, state: str, events: tuple[dict[str, Any], ...]) -> str:
    if state == "queued":
        before, running = scheduler().before(job), scheduler().running
        return f"{before} before it, {running} running" if before else f"next in line, {running} running"
    outcome = job.outcome
    if outcome is not None and state in ("failed", "stopped"):
        return outcome.message
    if state == "interrupted":
        return "The server was ended in between, or its disk is full. It can go on from its last checkpoint."
    if job.stopping:
        return "It is about to stop …"
    if job.waits:
        return "It begins …"  # also when it was begun before: its process has not come to it yet
    said = [event["message"] for event in events if "message" in event]
    return str(said[-1]) if said else "It begins …"


def _left(events: tuple[dict[str, Any], ...]) -> float | None:
    """Seconds left, from how fast this stretch of it has been."""
    known = [(event["at"], event["progress"]) for event in events
             if event.get("progress") is not None and event.get("at") is not None]
    if len(known) < 2 or known[-1][1] - known[0][1] < 0.01:
        return None
    (began, low), (now, high) = known[0], known[-1]
    return float((now - began) / (high - low) * (1 - high))


def _events(job: Job) -> tuple[dict[str, Any], ...]:
    file = job.folder / "events.jsonl"
    try:
        found = os.stat(file)
    except OSError:
        return ()
    return _events_of(str(job.folder), found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=128)
def _events_of(folder: str, changed: int, size: int) -> tuple[dict[str, Any], ...]:
    return tuple(Job(folder).events())
