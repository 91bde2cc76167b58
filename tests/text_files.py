"""Calls in Python sources that leave the encoding of a text to the machine's locale."""

from __future__ import annotations

import ast
from pathlib import Path

OPENING = ("open", "fdopen", "NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "TextIOWrapper",
           "FileHandler", "RotatingFileHandler")
RUNNING = ("run", "Popen", "check_output", "check_call", "call", "getoutput", "getstatusoutput")
BINARY = ("tarfile", "zipfile", "gzip", "Image", "os", "webbrowser", "urllib", "files")
"""Modules whose functions of these names open no text, or name the encoding themselves."""


def guesses(path: Path) -> list[int]:
    """The lines of a source on which a text is opened without an encoding that is named."""
    return guessing(path.read_text(encoding="utf-8"))


def guessing(source: str) -> list[int]:
    """As `guesses`, of the source itself.

    >>> guessing('file.read_text()\\nopen("a", "rb")\\nopen("a", mode="w")\\nrun(command, text=True)')
    [1, 3, 4]
    """
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sorted(call.lineno for call in calls if _guesses(call))


def _guesses(call: ast.Call) -> bool:
    name, owner = "", ""
    if isinstance(call.func, ast.Attribute):
        name, owner = call.func.attr, ast.unparse(call.func.value).split(".")[0]
    elif isinstance(call.func, ast.Name):
        name = call.func.id
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if "encoding" in given or (owner in BINARY and name != "fdopen"):
        return False
    if name in ("read_text", "write_text"):
        return len(call.args) <= (name == "write_text")
    if name in OPENING:
        place = 1 if name == "fdopen" or (name == "open" and isinstance(call.func, ast.Name)) else 0
        mode = given.get("mode", call.args[place] if len(call.args) > place else None)
        default = "w+b" if "Temporary" in name else "r"
        return "b" not in (default if mode is None else ast.unparse(mode))
    text = given.get("text", given.get("universal_newlines"))
    return name in RUNNING and isinstance(text, ast.Constant) and text.value is True
