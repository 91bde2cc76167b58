"""The scripts and the style sheet of live figures, for the app's pages, notebooks and exported HTML files."""

from __future__ import annotations

import hashlib
import html
import json
from dataclasses import asdict
from functools import cache
from importlib import resources
from typing import Any

from tasklab.figures.style import LOOKS


@cache
def script(*names: str) -> str:
    """The scripts with these names as one text; ``base``, ``charts`` and the looks of outcomes are always included."""
    looks = json.dumps({outcome: asdict(look) for outcome, look in LOOKS.items()}, ensure_ascii=False)
    return "\n".join([f"const LOOKS = {looks};", *(_text(f"{name}.js") for name in ("base", "charts", *names))])


@cache
def stylesheet() -> str:
    """The style sheet of live figures; it applies only inside elements of the class ``tl``."""
    return _text("scene.css")


def live_page(kind: str, data: dict[str, Any], *, title: str) -> str:
    """A complete HTML file with one live figure; it needs no network.

    Args:
        kind: ``"Scene"`` or ``"Player"``: a class in the script with that name in lower case.
        data: plain values that the figure shows, with an ``"id"``.
        title: of the file.
    """
    element = "tl-" + hashlib.sha256(str(data["id"]).encode()).hexdigest()[:12]
    start = f'new {kind}(document.getElementById("{element}")).update({embedded(data)});'
    return "\n".join([
        '<!doctype html>', '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>",
        f"<style>\n:root {{ color-scheme: light dark; }}\n{stylesheet()}\n</style>",
        "</head>", "<body>", f'<main class="tl" id="{element}"></main>',
        f"<script>\n(() => {{\n{script(kind.lower())}\n{start}\n}})();\n</script>",
        "</body>", "</html>", "",
    ])


def embedded(data: object) -> str:
    """Plain values as JSON, escaped for use inside a script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _text(name: str) -> str:
    return (resources.files("tasklab.figures.live") / "js" / name).read_text(encoding="utf-8")
