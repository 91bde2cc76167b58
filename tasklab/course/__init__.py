"""The course: its notebooks, the pages they belong to, and how copies of the notebooks are built."""

from __future__ import annotations

from tasklab.course.parts import ALONE, COURSE, PAGES, Part, notebook_of, notebooks_of, title_of

__all__ = ["ALONE", "COURSE", "PAGES", "Part", "notebook_of", "notebooks_of", "title_of"]
