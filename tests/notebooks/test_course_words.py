"""The glossary and the publications: each in one place, and the same wherever they are named."""

from __future__ import annotations

import re

from tasklab.course import notebooks
from tasklab.course.references import REFERENCES
from tasklab.course.words import NAMES, WORDS, glossary, reading


def test_every_name_has_its_sources_and_every_page_is_markdown() -> None:
    for name, each in NAMES.items():
        assert each.sources and set(each.sources) <= set(REFERENCES), name
    for page, terms in ((glossary(), WORDS), (reading(), NAMES)):
        assert all(f"- **{term}**: " in page._repr_markdown_() for term in terms)
    assert len({reference.arxiv for reference in REFERENCES.values()}) == len(REFERENCES)


def test_the_notebooks_cite_as_the_list_does() -> None:
    """An entry under "Further reading" has the same year and title as the list, and a few are in both."""
    by_number = {reference.arxiv: reference for reference in REFERENCES.values()}
    both = 0
    for name in notebooks.names():
        last = [cell for cell in notebooks.read(name).cells if cell.cell_type == "markdown"][-1]
        text = last.source.replace("\n  ", " ")
        for entry in re.findall(r"^- .+", text, re.MULTILINE):
            number = re.search(r"arXiv:(\d+\.\d+)", entry)
            if number and (known := by_number.get(number.group(1))):
                title = re.search(r"\*(.+?)\*", entry)
                assert title and known.title.casefold().startswith(title.group(1).casefold()), f"{name}: {entry}"
                assert f"({known.year})" in entry, f"{name}: {entry}"
                both += 1
    assert both > 20
