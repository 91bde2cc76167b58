"""Lessons are written for digits: their values, translated to another data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st


def for_dataset(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The widget values of a lesson, written for digits, with ε and class translated to the selected data set.

    Args:
        values: widget key to value; with ``data`` among them, the lesson goes back to digits.
    """
    data = st.session_state.get("data", "digits")
    if not values:
        return values
    from lab_ui.shell import controls
    from lab_ui.visitor import catalogue
    from tasklab.data.info import info_of, radii_of

    norm = values.get("norm", st.session_state.get("norm", "linf"))
    if "data" in values:  # the step goes back to digits
        radii = radii_of("digits", norm)
        stays = radii.fits(st.session_state.get("eps", radii.usual))
        return values if stays else {"eps": radii.usual} | dict(values)
    info, translated = info_of(data), dict(values)
    if "eps" in translated:
        translated["eps"] = radii_of(data, norm).like(translated["eps"], radii_of("digits"))
    if data == "digits":
        return translated
    if "image" in translated:
        translated["image"] = controls.PICTURE[data]
    if "systems" in translated:
        translated["systems"] = [key for key in translated["systems"] if key in catalogue.systems(data)[0]]
    if str(translated.get("outputs_class", "")).isdigit():
        translated["outputs_class"] = info.classes[int(translated["outputs_class"])]
    return translated
