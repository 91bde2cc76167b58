"""Menus show long names, as cards do; the session state and the address have the short ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lab_ui.basics.words import AIMS, title
from lab_ui.shell import address, menus
from tasklab.data import DATASETS
from tests.app.visitors import clean, visit

LONG = {"tra-at": "TRA, trained under attack", "rbc-at-margin": "RBC, trained under attacks on its margin"}


def drawn(at: AppTest, key: str) -> Any:
    return next(widget for kind in (at.selectbox, at.multiselect, at.segmented_control) for widget in kind
                if widget.key == key)


@pytest.mark.parametrize(("page", "key", "query"), [
    ("outputs", "systems", {"systems": ["tra-at"]}), ("robust", "robust_system", {"robust_system": "tra-at"}),
    ("robust", "robust_with", {"robust_with": "tra-at", "robust_revealed": "true"}),
    ("feature_map", "feature_map_system", {"systems": ["tra-at"], "feature_map_kind": "PCA"}),
    ("attack_lab", "attack_lab_walk_system", {"systems": ["tra-at"], "steps": "1"}),
    ("transfer", "transfer_threat", {"systems": ["tra", "tra-at"], "transfer_threat": "tra-at", "steps": "1",
                                     "n": "50"}),
    ("train", "train_start_digits", {"train_start_digits": "tra-at"}),
])
def test_a_menu_of_systems_shows_titles_and_its_address_short_names(
    page: str, key: str, query: dict[str, str | list[str]]
) -> None:
    menu = drawn(visit(page, **query), key)
    assert menu.value in ("tra-at", ["tra-at"])
    assert LONG["tra-at"] in menu.options and "tra-at" not in menu.options


def test_a_choice_is_in_the_address_by_its_short_name_and_the_usual_one_is_left_out() -> None:
    at = visit("robust")
    clean(at.selectbox(key="robust_system").set_value("tra-at").run())
    assert at.query_params["robust_system"] == "tra-at"
    clean(at.selectbox(key="robust_system").set_value("rbc").run())
    assert "robust_system" not in at.query_params


def test_data_sets_and_aims_are_shown_by_their_titles_too() -> None:
    at = visit("outputs", systems=["tra"], objective="bits", steps="1", n="50")
    assert at.selectbox(key="objective").value == "bits" and at.selectbox(key="objective").options == [*AIMS.values()]
    assert at.segmented_control(key="data").value == "digits"
    assert DATASETS["digits"].title in at.segmented_control(key="data").options


def test_names_that_would_look_alike_are_told_apart() -> None:
    shown = menus.named(["rbc", "RBC", "tra-at"])
    assert len(set(shown.values())) == 3 and shown["tra-at"] == title("tra-at")


def several() -> None:
    import streamlit as st

    from lab_ui.shell import menus

    st.session_state["seen"] = menus.several("Which", {"a": "A", "b": "B", "c": "C"}, ["a", "b"], key="which")


@pytest.mark.parametrize(("in_address", "expected"), [
    (["c"], ["c"]), (["c", "x", "a", "c"], ["c", "a"]), (["x"], ["a", "b"]), ([""], []), (None, ["a", "b"])])
def test_of_an_address_the_known_names_count(in_address: Sequence[str] | None, expected: list[str]) -> None:
    at = AppTest.from_function(several)
    if in_address is not None:
        at.query_params["which"] = in_address
    assert clean(at.run()).session_state["seen"] == expected
    assert clean(at.multiselect(key="which").set_value(["c", "b"]).run()).query_params["which"] == ["c", "b"]
    assert clean(at.multiselect(key="which").set_value([]).run()).session_state["seen"] == [], "none is a choice, too"
    assert at.query_params["which"] == ""


@pytest.mark.parametrize(("restored", "expected"), [(True, ["a", "b"]), (False, ["c"])])
def test_what_an_address_of_the_history_leaves_out_is_the_usual_one(restored: bool, expected: list[str]) -> None:
    at = AppTest.from_function(several)
    at.session_state["which"], at.session_state[address.RESTORED] = ["c"], restored
    assert clean(at.run()).session_state["seen"] == expected


def test_the_browser_is_told_the_choice_in_every_run() -> None:
    """The messages of a run that another one interrupts are lost; a choice told only once would be lost with them."""
    at = visit("robust")
    for _ in range(2):
        clean(at.run())
        menus_of_page = (at.segmented_control(key="data"), at.selectbox(key="robust_system"))
        assert all(menu.proto.set_value for menu in menus_of_page)
