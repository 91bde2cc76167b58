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
    assert len({reference.title for reference in REFERENCES.values()}) == len(REFERENCES)


def test_the_notebooks_cite_from_the_list_alone() -> None:
    cited = set()
    for name in notebooks.names():
        written = (notebooks.folder() / f"{name}.py").read_text(encoding="utf-8")
        keys = re.findall(r"\[@(\w+)\]", written)
        assert "arXiv:" not in written, f"{name}: cite by the key of the list"
        built = "\n".join(cell.source for cell in notebooks.build(name).cells)
        assert all(REFERENCES[key].markdown in built for key in keys) and "[@" not in built
        cited |= set(keys)
    named = {key for each in NAMES.values() for key in each.sources}
    assert cited | named == set(REFERENCES), "nothing is listed that nobody cites"
