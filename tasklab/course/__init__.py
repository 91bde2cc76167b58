"""The course: which notebooks there are, for which pages, and how copies of them are built."""

from __future__ import annotations

from tasklab.course.parts import COURSE, PAGES, Part, notebook_of, notebooks_of

__all__ = ["COURSE", "PAGES", "Part", "notebook_of", "notebooks_of"]
