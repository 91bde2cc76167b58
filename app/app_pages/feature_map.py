"""The page “Feature map”: features or outputs of many images as points on a map, and how an attack moves them."""

from __future__ import annotations

import html

import streamlit as st

from lab_ui.basics.lab import Lab
from lab_ui.basics.words import title
from lab_ui.panels import map_panels
from lab_ui.panels.map_panels import View
from lab_ui.results import feature_maps
from lab_ui.shell import controls, frame, menus
from tasklab.embedding import PCA, TSNE
from tasklab.text import in_markdown

PROJECTIONS = ("t-SNE", "PCA", "Outputs")
PULSE = 0.8
"""Seconds between two drawings of a map that is forming; when it is finished, the browser can play all frames."""

def page() -> None:
    """Draw the controls, the map, its quality, the attacks and the picked images."""
    lab = frame.open_page("feature_map")
    scenario = controls.attack(lab, n=True)
    head = st.container()
    left, right = st.columns([13, 6], gap="medium")
    with left:
        name, kind = _choose(lab)
    with right:
        perplexity = _perplexity(lab) if kind == "t-SNE" else 0
    settings = TSNE(perplexity=perplexity, seed=lab.seed) if kind == "t-SNE" else PCA()
    called = title(lab.key(name))
    try:
        with st.spinner("Computing features and outputs …"):
            points = feature_maps.points(lab.data, name, map_panels.space(kind))
        forming = feature_maps.forming(lab.data, name, map_panels.space(kind), settings)
    except ValueError as error:
        with head:
            frame.headline("Feature map", f"There is no map of {html.escape(called)}.")
            st.info(in_markdown(error))
        return
    view = View(name=name, called=called, kind=kind, points=points, forming=forming, map=forming.map)
    formed = view.map is not None
    with head:
        frame.headline("Feature map", map_panels.lead(kind))
    with right:
        map_panels.quality(view)
        if formed:
            view = map_panels.under_attack(lab, scenario, view)
            map_panels.picked(lab, scenario, view)
            frame.tell(lab, way=lambda: map_panels.way(lab, scenario, view), spread=lambda: map_panels.spread(view))
    with left:
        if forming.trouble:
            st.info(in_markdown(forming.trouble))
        elif not formed:
            st.fragment(_still_forming, run_every=PULSE)(lab, view)
        else:
            map_panels.draw(lab, view)
    if not formed and not forming.trouble:
        frame.close_page(lab)
    if formed:
        frame.close_page(lab, code=map_panels.code(lab, scenario, view), tables={"map": map_panels.table(view)},
                         files={"map.html": (map_panels.MapFile(lab, scenario, view), "map (HTML figure)")})


def _still_forming(lab: Lab, view: View) -> None:
    """Draw a map that is forming; when it is finished, run the whole page again."""
    if view.forming.done:
        st.rerun()
    map_panels.draw(lab, view)


def _choose(lab: Lab) -> tuple[str, str]:
    """Draw the controls of system and projection, both URL parameters; name and kind."""
    keys = [lab.key(name) for name in lab.chosen]
    with st.container(horizontal=True, gap="medium"):
        key = menus.one(st.segmented_control, "System", menus.named(keys), "rbc" if "rbc" in keys else keys[0],
                        key="feature_map_system", required=True, wrap=True)
        kind = st.segmented_control("Map", PROJECTIONS, default=PROJECTIONS[0], required=True, key="feature_map_kind",
                                    bind="query-params", help="What places the images on the map. t-SNE and PCA use "
                                                              "the features, the numbers just before the last layer; "
                                                              "“Outputs” uses the numbers from which the decision is "
                                                              "made. Compare them to see what each of them hides.")
    return lab.systems[key], kind


def _perplexity(lab: Lab) -> int:
    """The control “Perplexity”."""
    n = min(feature_maps.MOST, len(lab.pictures))
    perplexity: int = st.select_slider("Perplexity", feature_maps.perplexities(n), feature_maps.usual_perplexity(n),
                                  key="feature_map_perplexity", bind="query-params",
                                  help="About how many neighbours of each image t-SNE tries to keep close to it. "
                                       "Small values show small groups, large values the overall arrangement. The map "
                                       "is computed again.")
    return perplexity


page()
