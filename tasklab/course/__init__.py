"""The course: which notebooks there are, for which pages, and how copies of them are built."""

from __future__ import annotations

from tasklab.course.parts import ALONE, COURSE, PAGES, Part, notebook_of, notebooks_of, title_of

__all__ = ["ALONE", "COURSE", "PAGES", "Part", "notebook_of", "notebooks_of", "title_of"]
