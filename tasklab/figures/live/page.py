"""The scripts and the style that live figures are made of; pages, notebooks and exported files share them."""

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
    """These scripts as one, with the looks of outcomes before them; ``base`` and ``charts`` are always there."""
    looks = json.dumps({outcome: asdict(look) for outcome, look in LOOKS.items()}, ensure_ascii=False)
    return "\n".join([f"const LOOKS = {looks};", *(_text(f"{name}.js") for name in ("base", "charts", *names))])


@cache
def stylesheet() -> str:
    """The style of everything live; it concerns only what is inside an element of class ``tl``."""
    return _text("scene.css")


def live_page(kind: str, data: dict[str, Any], *, title: str) -> str:
    """A whole HTML file with one live figure, that asks nobody for anything.

    Args:
        kind: ``"Scene"`` or ``"Player"``, a class of the script of that name in small letters.
        data: what it shows, with an ``"id"``.
        title: of the file.
    """
    place = "tl-" + hashlib.sha256(str(data["id"]).encode()).hexdigest()[:12]
    start = f'new {kind}(document.getElementById("{place}")).update({embedded(data)});'
    return "\n".join([
        '<!doctype html>', '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>",
        f"<style>\n:root {{ color-scheme: light dark; }}\n{stylesheet()}\n</style>",
        "</head>", "<body>", f'<main class="tl" id="{place}"></main>',
        f"<script>\n(() => {{\n{script(kind.lower())}\n{start}\n}})();\n</script>",
        "</body>", "</html>", "",
    ])


def embedded(data: object) -> str:
    """Plain values as JSON that is safe inside a script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _text(name: str) -> str:
    return (resources.files("tasklab.figures.live") / "js" / name).read_text(encoding="utf-8")
