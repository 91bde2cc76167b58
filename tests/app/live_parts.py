"""What live components were given to show, read from a page without a browser."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def shipped(at: AppTest, name: str) -> dict[str, Any] | None:
    """The data of the one component of that name on the page; None where there is none."""
    result = [e.proto for e in at.main.get("bidi_component") if e.proto.component_name == f"tasklab_{name}"]
    assert len(result) <= 1
    content = json.loads(result[0].json) if result else None
    return content[0] if isinstance(content, list) else content


def cells(scene: dict[str, Any] | None) -> list[tuple[str, dict[str, Any]]]:
    """Aim and cell of everything a scene shows, in order, refused ones aside."""
    rows = scene["aims"] if scene else []
    return [(aim["key"], cell) for aim in rows for cell in aim["cells"] if "refused" not in cell]


def refusals(scene: dict[str, Any] | None) -> list[str]:
    """The sentences of cells that show nothing else."""
    return [cell["refused"] for aim in (scene["aims"] if scene else []) for cell in aim["cells"] if "refused" in cell]


def stop(scene: dict[str, Any]) -> int:
    """The place of the scene's ε among its stops."""
    away = [abs(eps - scene["eps"]) for eps in scene["stops"]]
    assert min(away) < 1e-6, "the page's own ε must be a stop"
    return away.index(min(away))


def snippet(at: AppTest) -> str:
    """The snippet that a page offers under its last bar."""
    at.session_state["take_away"] = True
    at.run()
    assert not at.exception, [e.message for e in at.exception]
    return str(at.code[-1].value)
