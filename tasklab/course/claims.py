"""What the course claims, and the assertions that back it.

A sentence with a claim about a measurement ends with a mark such as ``[✓3]``, and the assertion that backs it has
the comment ``# ✓3``; several may back one claim, and one assertion several claims. Numbers count within a notebook, in
any order. `gaps` says where a mark has no counterpart, and which sentences should have one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasklab.course import notebooks

MARK = re.compile(r"\s*\[((?:✓\d+ ?)+)\]")
"""Marks in a sentence, such as ``[✓3]`` or ``[✓3 ✓4]``."""

NUMBER = re.compile(r"✓(\d+)")
FOLDED = re.compile(r"<details><summary>What[^<]*</summary>\n(.*?)</details>", re.DOTALL)
"""The folded parts that say what a reader should have seen; each of them makes a claim."""

SENTENCE = re.compile(r"(?<=[.!?])\)?\s+(?=[(*`“\"$]*[A-ZÀ-Þα-ω\d])|\n(?=- )")
MEASURED = re.compile(r"\d (?:%(?! (?:Wilson )?interval)|points\b)")
"""A share or a difference that somebody must have measured."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sentence of a notebook, and what backs it.

    Attributes:
        notebook: its name.
        number: of the mark.
        sentence: the sentence without its mark.
        assertions: source of the assertions with the same mark, each on one line.
    """

    notebook: str
    number: int
    sentence: str
    assertions: tuple[str, ...]


def claims(name: str) -> tuple[Claim, ...]:
    """The marked sentences of a notebook, in the order of their numbers.

    Args:
        name: the notebook, or its number.

    Raises:
        ValueError: there is no such notebook.

    >>> all(claim.assertions for claim in claims("08"))
    True
    """
    name, backing = notebooks.find(name), _assertions(name)
    marked = {int(number): MARK.sub("", sentence) for sentence in _sentences(name)
              for mark in MARK.findall(sentence) for number in NUMBER.findall(mark)}
    return tuple(Claim(notebook=name, number=number, sentence=sentence, assertions=tuple(backing.get(number, ())))
                 for number, sentence in sorted(marked.items()))


def gaps(name: str) -> list[str]:
    """A sentence for each claim or assertion that is missing in a notebook; empty if every claim has its assertion.

    Args:
        name: the notebook, or its number.
    """
    marked, backing = {claim.number: claim for claim in claims(name)}, _assertions(name)
    missing = [f"no assertion has the mark ✓{number} of: {claim.sentence}" for number, claim in marked.items()
               if not claim.assertions]
    missing += [f"no sentence has the mark ✓{number} of: {backing[number][0]}" for number in set(backing) - set(marked)]
    for text in _texts(name):
        missing += [f"nothing is marked in: {' '.join(part.split())[:90]}" for part in FOLDED.findall(text)
                    if not MARK.search(part)]
    missing += [f"a measured number without a mark in: {sentence}" for sentence in _sentences(name)
                if MEASURED.search(sentence) and not MARK.search(sentence)]
    return missing


def markdown(names: tuple[str, ...]) -> str:
    """A table of the claims of these notebooks: the sentence, and the assertions that back it."""
    lines = ["| claim | sentence | assertions |", "| --- | --- | --- |"]
    for name in names:
        for each in claims(name):
            code = "<br>".join(f"`{assertion}`" for assertion in each.assertions).replace("|", "\\|")
            sentence = each.sentence.replace("|", "\\|")
            lines.append(f"| {each.notebook[:2]} ✓{each.number} | {sentence} | {code} |")
    return "\n".join(lines)


def _texts(name: str) -> Iterator[str]:
    """The text of the sections that teach, without exercises, questions and lists of publications."""
    teaching = True
    for cell in notebooks.read(name).cells:
        if cell.cell_type == "markdown" and "solution" not in notebooks.tags(cell):
            for part in re.split(r"^(?=##? )", cell.source, flags=re.MULTILINE):
                if part.startswith("#"):
                    teaching = not re.match(r"#+ (?:Exercise|Questions|Further reading)", part)
                if teaching:
                    yield part


def _sentences(name: str) -> Iterator[str]:
    """The sentences of that text, each on one line, without predictions that the reader makes and without tables."""
    for text in _texts(name):
        plain = re.sub(r"</?(?:details|summary)>|<summary>.*?</summary>|^\|.*$|^#+ .*$", "", text, flags=re.MULTILINE)
        for paragraph in re.split(r"\n\s*\n", plain):
            if not paragraph.lstrip().startswith("**Predict"):
                for sentence in SENTENCE.split(paragraph):
                    if line := " ".join(sentence.split()):
                        yield line


def _assertions(name: str) -> dict[int, list[str]]:
    """Number of a mark to the assertions that have it in one of their lines."""
    backing: dict[int, list[str]] = {}
    for cell in notebooks.read(name).cells:
        if cell.cell_type != "code" or "✓" not in cell.source:
            continue
        lines = cell.source.splitlines()
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Assert):
                own = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                for number in {int(each) for comment in re.findall(r"#( ✓.*)$", own, re.MULTILINE)
                               for each in NUMBER.findall(comment)}:
                    backing.setdefault(number, []).append(ast.unparse(ast.Assert(test=node.test)))
    return backing
