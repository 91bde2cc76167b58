"""Bringing a data set as a job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasklab import data
from tasklab.data import DownloadError, DownloadEvent
from tasklab.jobs import Job, run


def test_a_set_that_is_there_is_done_at_once(tmp_path: Path) -> None:
    job = Job.create(tmp_path, "download", {"data": "digits"})
    list(run(job))
    assert (job.state, job.outcome and job.outcome.message) == ("done", "Digits (8×8) needs no download")


def test_events_are_few_and_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(name: str, root: object) -> Iterator[DownloadEvent]:
        for done in range(10_000):
            yield DownloadEvent(name=name, done=done, total=10_000, message="Fetching")
        yield DownloadEvent(name=name, done=10_000, total=10_000, message="MNIST is here")

    monkeypatch.setattr(data, "download", fetched)
    job = Job.create(tmp_path, "download", {"data": "mnist"})
    list(run(job))
    progress = [event["progress"] for event in job.events() if "progress" in event]
    assert progress == sorted(progress)
    assert (len(progress) < 400, progress[-1], job.state) == (True, 1.0, "done")


def test_what_does_not_arrive_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, root: object) -> Iterator[DownloadEvent]:
        yield DownloadEvent(name=name, done=1, total=10, message="Fetching")
        raise DownloadError("MNIST did not arrive: check the connection")

    monkeypatch.setattr(data, "download", broken)
    job = Job.create(tmp_path, "download", {"data": "mnist"})
    list(run(job))
    assert (job.state, job.outcome and job.outcome.message) == (
        "failed", "MNIST did not arrive: check the connection."
    )


@pytest.mark.parametrize("settings", [{}, {"data": "imagenet"}, {"data": "mnist", "colour": 1}])
def test_settings_are_checked(settings: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        Job.create(tmp_path, "download", settings)
