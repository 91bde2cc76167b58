"""ε to drag on the start page: the browser has what is shown at every ε, and asks the server for nothing."""

from __future__ import annotations

from typing import Any

import streamlit as st

_drag = st.components.v2.component(
    "tasklab_start_drag", isolate_styles=False,
    html='<label class="front-drag"><span></span><input type="range" step="1"></label>\n',
    css=""".front-drag { display: flex; gap: 1rem; align-items: center; font-size: 1.25rem; font-weight: 700; }
.front-drag span { min-width: 6.2rem; }
.front-drag input { flex: 1; min-width: 0; accent-color: var(--st-primary-color, #0b5cad); height: 2rem; }
""",
    js="""export default function ({ data: [stops, first], parentElement }) {
  const slider = parentElement.querySelector("input"), word = parentElement.querySelector("span");
  const page = parentElement.ownerDocument;
  slider.ariaLabel = "ε, the most that any pixel may change";
  slider.max = stops.length - 1;
  slider.oninput = () => {
    const stop = stops[slider.value];
    word.textContent = slider.ariaValueText = `ε = ${stop.eps}`;
    const [seen, four] = [".front-seen", ".front-four"].map((name) => page.querySelector(name));
    if (seen && four) {
      seen.innerHTML = stop.seen;
      four.innerHTML = stop.four;
    }
  };
  if (slider.dataset.begun) return;  // it runs again whenever the theme changes
  slider.dataset.begun = "yes";
  slider.value = first;
  slider.oninput();
}
""",
)


def start_drag(stops: list[dict[str, str]], first: int, *, key: str) -> None:
    """Draw the slider; it changes the image and the answers that stand above it.

    Args:
        stops: for each ε, its number as text and the HTML of the image and of the four answers.
        first: index of the stop to begin with.
        key: of the component.
    """
    data: list[Any] = [stops, first]
    _drag(key=key, data=data)
