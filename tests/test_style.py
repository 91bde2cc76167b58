"""The words that people read, held against the table of the style sheet."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHEET = ROOT / "tests" / "style.md"
TEXTS = [
    ROOT / "README.md", *sorted((ROOT / "pretrained").glob("*.md")),
    *sorted((ROOT / "notebooks" / "instructor").glob("*.md")),
    *(path for room in ("tasklab", "app", "notebooks") for path in sorted((ROOT / room).rglob("*.py"))),
]
LEFT_OUT = re.compile(r"`[^`]*`|\*[^*\n]+\*|\{[^{}]*\}|https?://\S+|^\s*--[\w-]+", re.MULTILINE)
"""Code in a sentence, titles of publications, fields of a format, and addresses."""


def banned() -> list[str]:
    """The left column of the table, word by word."""
    rows = [line.split("|")[1] for line in SHEET.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [words.strip() for row in rows[2:] for words in row.split(",")]


def prose(path: Path) -> list[tuple[int, str]]:
    """What a file says to people, line by line: Markdown, or comments and strings of more than one word."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return list(enumerate(re.sub(r"```.*?```", "", source, flags=re.DOTALL).splitlines(), 1))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [
        (token.start[0] + place, line) for token in tokens
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string)
        for place, line in enumerate(token.string.splitlines())
    ]


def wrong(path: Path) -> list[str]:
    """Where a file has words of the left column; “a training loss” and the like are longer terms."""
    words = [rf"{each}(?! (?:loss|loop|point|run|step|curve|set|image|split))" if each == "a training" else each
             for each in banned()]
    pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(words)})(?![\w(=-]|[./]\w)", re.IGNORECASE)
    return [f"{line}: {match.group()!r} in {text.strip()[:90]}" for line, text in prose(path)
            for match in pattern.finditer(LEFT_OUT.sub("", text))]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_one_term_for_one_thing(path: Path) -> None:
    assert wrong(path) == []


def test_a_word_that_is_not_ours_is_noticed(tmp_path: Path) -> None:
    """In comments and sentences; not in code, titles, or longer terms."""
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text('# Each picture counts.\nsays = "Trainings are read correctly here"\n', encoding="utf-8")
    good.write_text('# See `picture`; a training loss; *Visualize Neighbors*.\npicture = "picture"\n', encoding="utf-8")
    assert len(wrong(bad)) == 3 and wrong(good) == []
    assert len(banned()) > 20 and "picture" in banned()
