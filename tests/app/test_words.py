"""The words of the app: one name for one thing, and nothing that only its author understands."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOWN = [*(ROOT / "app").rglob("*.py"), *(ROOT / "app").rglob("*.js"), *(ROOT / "tasklab" / "figures").rglob("*.py"),
         *(ROOT / "tasklab" / "figures").rglob("*.js")]
NOT_SAID = {
    r"\b(own|its|their) loss\b": "the training loss",
    r"\bvictims?\b|\bthreats?\b": "the attacked system and the other systems",
    r"\bby way of\b": "computed on",
    r"\bblue ground\b": "blue background",
    r"\bobjective “": "aimed at",
    r"\bverdict: ": "what the verdict is, in words",
    r"\bnever moved\b": "not changed",
    r"\bget away\b|\babout to stop\b|\bnot once\b|\bnobody has asked\b|\bspeak for\b|\bWork out\b": "plain words",
}
"""Pattern to what is said instead."""


def shown(path: Path) -> list[str]:
    """The strings of a file that have words in them, documentation aside."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".js":
        return [line for line in text.splitlines() if not line.lstrip().startswith(("//", "*", "/*"))]
    tree = ast.parse(text)
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = [str(node.value) for node in ast.walk(tree)
               if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation]
    return [words for words in strings if " " in words]


@pytest.mark.parametrize("pattern", NOT_SAID)
def test_no_page_says_it_in_these_words(pattern: str) -> None:
    results = {str(path.relative_to(ROOT)): line.strip() for path in SHOWN for line in shown(path)
             if re.search(pattern, line, re.IGNORECASE) and not _code(line)}
    assert results == {}, NOT_SAID[pattern]


def _code(line: str) -> bool:
    """Whether it is a piece of a snippet or of a script, whose names are the library's."""
    return bool(re.search(r"threats = |transfer\(threats|\b(row|column)\.key|setTriggerValue|victim=", line))
