"""Jobs on pages: starting, stopping and resuming them, and the boxes that show their progress."""

from __future__ import annotations

import os
import threading
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
from tasklab.text import duration, in_markdown

EVERYONE = "everyone"
"""Owner of the jobs that serve all visitors, such as downloads."""

SHARED = ("download",)
ACTIVE = ("queued", "running")
SIGNS = {"queued": "◷", "running": "▶", "done": "●", "failed": "✕", "stopped": "■", "interrupted": "◌"}
WORDS = {"queued": "waits", "running": "runs", "done": "done", "failed": "failed", "stopped": "stopped",
         "interrupted": "interrupted"}
TITLES = {"train": "Training of {name}", "download": "Download of {data}", "report": "Report on {system}"}

AFTERWARDS = 10.0
"""Seconds after a job's end during which a page that shows it goes on polling."""


@dataclass(frozen=True, kw_only=True)
class JobView:
    """What a page shows of a job.

    Attributes:
        id: name of its folder, for `stop`, `resume` and `remove`.
        kind: train, download or report.
        settings: plain values, as in the job's file.
        state: queued, running, done, failed, stopped or interrupted.
        progress: 0 to 1.
        seconds_left: an estimate; None where there is none yet.
        message: one sentence for a person.
        events: the events that it logged.
        folder: its folder, with everything it makes.
        ended: when it ended, in seconds since 1970; 0 where it has not.
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
        """Whether the job is running or waiting."""
        return self.state in ACTIVE

    @property
    def title(self) -> str:
        """What the job does, in a few words."""
        words = {"name": "", "data": "", "system": ""} | self.settings
        words["name"] = str(words["name"]).removeprefix(f"{words['data']}-")
        return TITLES.get(self.kind, self.kind).format(**words)


_schedulers: dict[Path, Scheduler] = {}
_starting = threading.Lock()


def scheduler() -> Scheduler:
    """The scheduler of this server, one for all visitors, and a new one after it was closed.

    It is in no cache of Streamlit's, since any browser can have those cleared.
    """
    root = identity.root()
    with _starting:
        if root not in _schedulers or _schedulers[root].closed:
            _schedulers[root] = Scheduler(root)
        return _schedulers[root]


def start(kind: str, settings: dict[str, Any]) -> str:
    """Queue a job of the present visitor.

    Args:
        kind: one of `tasklab.jobs`.
        settings: plain values; which, depends on the kind.

    Returns:
        The id of the job.

    Raises:
        ValueError: one sentence: the settings are not valid, or there are too many jobs.
    """
    if kind in SHARED:
        for view in mine(kind):
            if view.active and settings.items() <= view.settings.items():
                return view.id  # the same job is queued or running already
    return scheduler().submit(EVERYONE if kind in SHARED else identity.new_visitor(), kind, settings).folder.name


def mine(kind: str | None = None) -> list[JobView]:
    """The present visitor's jobs and those that serve all visitors, the newest first; all, or those of one kind."""
    listed = [job for owner in (identity.visitor(), EVERYONE) if owner for job in scheduler().jobs(owner)]
    views = [_view(job) for job in listed if kind is None or job.kind == kind]
    return sorted(views, key=lambda view: view.id, reverse=True)


def stop(name: str) -> None:
    """Stop a job of the present visitor; its results so far are kept. The boxes show why it could not be stopped."""
    if (job := _find(name)) is not None:
        try:
            scheduler().stop(job)
        except Refused as error:
            refuse(str(error))


def resume(name: str) -> None:
    """Queue a job of the present visitor again. The boxes show why it could not be queued."""
    if (job := _find(name)) is not None:
        try:
            scheduler().resume(job.folder.parent.parent.name, job)
        except (Refused, JobError) as error:
            refuse(str(error))


def remove(name: str) -> None:
    """Remove a job of the present visitor and everything it made, unless it is active. The boxes show any failure."""
    job = _find(name)
    if job is not None and scheduler().state(job) not in ACTIVE:
        try:
            job.delete()
        except OSError as error:
            refuse(trouble(error))


def refuse(sentence: str) -> None:
    """Keep a sentence, which `boxes` shows in the next run of the page."""
    st.session_state["_job_refused"] = sentence


def watch(draw: Callable[[], None], kind: str | None = None, *, key: str = "jobs") -> None:
    """Draw a part of a page as a fragment: each second while jobs are active; then the whole page runs again.

    The whole page runs once more a little later, because on a busy server pages were seen without the result of a job
    although it was there.

    The fragment has a container of its own: when it runs directly after the page, Streamlit discards those of its
    elements that have not been sent yet, and the elements below would move into their position.

    Args:
        draw: draws the part. It must not call `watch` or `show`: fragments that poll cannot be nested.
        kind: which jobs are watched; all, if None.
        key: of the fragment.
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
    """Draw and refresh the standard boxes of the visitor's jobs: progress, time left, buttons."""
    watch(lambda: boxes(kind), kind, key=f"boxes {kind}")


def boxes(kind: str | None = None) -> None:
    """Draw a box for each job that is not done, above them the sentence of `refuse`, if any.

    Args:
        kind: which jobs; all, if None.
    """
    refusal = st.session_state.pop("_job_refused", None)
    if refusal:
        st.warning(in_markdown(refusal))
    for view in reversed(mine(kind)):
        if view.state != "done":
            box(view)


def box(view: JobView) -> None:
    """Draw one job: its title, state and progress, and buttons to stop, resume or remove it."""
    with st.container(border=True, key=f"job_{view.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{in_markdown(view.title, 80)}** · {SIGNS[view.state]} {WORDS[view.state]}", width="stretch")
            if view.active:
                st.button("Stop", key=f"stop {view.id}", on_click=stop, args=(view.id,), help="Ends the job. What it "
                                                                                              "has done is kept.")
            else:
                if view.state != "done":
                    st.button("Resume", key=f"resume {view.id}", on_click=resume, args=(view.id,), type="primary",
                              help="The job goes on from its last checkpoint.")
                st.button("Remove", key=f"remove {view.id}", on_click=remove, args=(view.id,),
                          help="Deletes the job and everything that it made.")
        if view.state == "failed":
            st.error(in_markdown(view.message))
        elif view.state != "done":
            left = f" · about {duration(view.seconds_left)} left" if view.seconds_left is not None else ""
            st.progress(view.progress, text=f"{in_markdown(view.message)}{left}")


def _pace(kind: str | None) -> float | None:
    """Seconds between two runs of a fragment that shows jobs; None where it need not run again."""
    views = mine(kind)
    if any(view.active for view in views):
        return 1.0
    return 5.0 if any(time.time() - view.ended < AFTERWARDS for view in views) else None


def _find(name: str) -> Job | None:
    """A job of the present visitor, or one for all visitors, by its id."""
    for owner in (identity.visitor(), EVERYONE):
        if owner:
            try:
                return scheduler().job(owner, name)
            except JobError:
                continue
    return None


def _view(job: Job) -> JobView:
    state, events = scheduler().state(job), _events(job)
    begins = [index for index, event in enumerate(events) if event["event"] == "begin"]
    reported = [event for event in events if event.get("progress") is not None]
    progress = min(1.0, max(0.0, float(reported[-1]["progress"]))) if reported else 0.0
    return JobView(
        id=job.folder.name, kind=job.kind, settings=job.settings, state=state, progress=progress,
        seconds_left=_seconds_left(events[begins[-1] :]) if begins and state == "running" else None,
        message=_message(job, state, events), events=events, folder=job.folder,
        ended=0.0 if (outcome := job.outcome) is None else outcome.at,
    )


def _message(job: Job, state: str, events: tuple[dict[str, Any], ...]) -> str:
    if state == "queued":
        ahead, running = scheduler().before(job), scheduler().running
        return f"{ahead} before it, {running} running" if ahead else f"next in line, {running} running"
    outcome = job.outcome
    if outcome is not None and state in ("failed", "stopped"):
        return outcome.message
    if state == "interrupted":
        return "The server was stopped meanwhile, or its disk is full. The job can go on from its last checkpoint."
    if job.stopping:
        return "It will stop in a moment."
    if job.waits:
        return "It begins …"  # also a job that is resumed, until its new process has begun
    messages = [event["message"] for event in events if "message" in event]
    return str(messages[-1]) if messages else "It begins …"


def _seconds_left(events: tuple[dict[str, Any], ...]) -> float | None:
    """An estimate of the seconds left, from the speed since the job was last begun; None before 1 % is done."""
    known = [(event["at"], event["progress"]) for event in events
             if event.get("progress") is not None and event.get("at") is not None]
    if len(known) < 2 or known[-1][1] - known[0][1] < 0.01:
        return None
    (began, done_then), (now, done_now) = known[0], known[-1]
    return float((now - began) / (done_now - done_then) * (1 - done_now))


def _events(job: Job) -> tuple[dict[str, Any], ...]:
    """A job's events, read again only when their file has changed."""
    file = job.folder / "events.jsonl"
    try:
        status = os.stat(file)
    except OSError:
        return ()
    return _events_of(str(job.folder), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=128)
def _events_of(folder: str, changed: int, size: int) -> tuple[dict[str, Any], ...]:
    return tuple(Job(folder).events())
