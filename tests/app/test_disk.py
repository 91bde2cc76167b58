"""The disk: its failures are sentences, and what nobody has visited for long goes, that alone."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
import streamlit as st
from visitors import TOKENS
from visitors import own_jobs as own_world

from lab_ui.visitor import identity
from lab_ui.visitor.disk import expire, trouble
from lab_ui.visitor.limits import EXPIRY_DAYS

DAY = 86_400.0


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_failure_is_one_sentence_without_a_path(number: int) -> None:
    text = trouble(OSError(number, os.strerror(number), "/srv/secret/place"))
    assert text.endswith(".") and "\n" not in text and "/" not in text.replace("Input/output", "").replace("I/O", "")
    assert "so this could not be kept" in text


def aged(place: Path, days: float) -> None:
    """As if nothing in there had changed for so long."""
    then = time.time() - days * DAY
    for each in (*place.rglob("*"), place):
        os.utime(each, (then, then))


def left(root: Path, name: str, days: float) -> Path:
    place = root / name
    (place / "jobs" / "1").mkdir(parents=True)
    (place / "jobs" / "1" / "job.json").write_text("{}", "utf-8")
    (place / "systems").mkdir()
    aged(place, days)
    return place


def test_what_nobody_has_visited_for_long_is_removed(tmp_path: Path) -> None:
    old, young, busy = left(tmp_path, "old", EXPIRY_DAYS + 1), left(tmp_path, "young", EXPIRY_DAYS - 1), \
        left(tmp_path, "busy", EXPIRY_DAYS + 1)
    worked = left(tmp_path, "worked", EXPIRY_DAYS + 1)
    os.utime(worked / "jobs" / "1")
    foreign = left(tmp_path, "backup", 4000)
    (foreign / "thesis.txt").write_text("years of work", "utf-8")
    aged(foreign, 4000)
    (tmp_path / "empty").mkdir()
    aged(tmp_path / "empty", 4000)
    (tmp_path / "README.txt").write_text("", "utf-8")
    os.utime(tmp_path / "README.txt", (1.0, 1.0))
    (tmp_path / "link").symlink_to(foreign)
    assert expire(tmp_path, ["busy"]) == ["old"]
    assert not old.exists()
    assert all(place.exists() for place in (young, busy, worked, foreign / "thesis.txt", tmp_path / "README.txt"))
    assert expire(tmp_path / "nowhere") == []


def test_a_visit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_world(monkeypatch, tmp_path):
        identity.note_visit()
        assert list(tmp_path.iterdir()) == [], "who has nothing here leaves no trace"
        st.session_state[identity.KEPT] = TOKENS["ann"]
        identity.note_visit()
        assert list(tmp_path.iterdir()) == []
        mine = left(tmp_path, identity.folder_of(TOKENS["ann"]), EXPIRY_DAYS + 1)
        identity.note_visit()
        assert expire(tmp_path) == []
        aged(mine, EXPIRY_DAYS + 1)
        assert expire(tmp_path) == [mine.name]
