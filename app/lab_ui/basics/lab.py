"""The values of the scenario bar, which are handed to every part of a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab_ui.basics.lessons import LessonStep

if TYPE_CHECKING:
    from tasklab.data import ImageSet


def place_of_controls(lecture: bool) -> str:
    """Where the controls of a page are, in words that follow “choose”; lecture mode hides them."""
    return "outside lecture mode (press L)" if lecture else "on the left"


@dataclass(frozen=True, kw_only=True, eq=False)
class Lab:
    """The values of the scenario bar.

    Attributes:
        slug: short name of the page, as in its file name.
        lecture: whether lecture mode is on (large type, no controls).
        step: the step of the lesson that is open; None where none is.
        slot: where its sentences are drawn.
        data: name of the data set.
        images: its test set (`ImageSet`); None on a page that works without images.
        systems: all systems of the data set, short name (key) to full name.
        chosen: full names of the systems that are selected.
        image: index of the selected image in the test set.
        seed: seed of all random numbers.
    """

    slug: str
    lecture: bool = False
    step: LessonStep | None = None
    slot: Any = None
    data: str = "digits"
    images: Any = None
    systems: Mapping[str, str] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    image: int = 0
    seed: int = 0

    @property
    def pictures(self) -> ImageSet:
        """The test set, for pages that were opened with images."""
        assert self.images is not None
        images: ImageSet = self.images
        return images

    @property
    def controls(self) -> str:
        """Where the controls of the page are, in words that follow “choose”."""
        return place_of_controls(self.lecture)

    def key(self, name: str) -> str:
        """A system's short name, from which `words.title` makes its heading."""
        return next((key for key, full_name in self.systems.items() if full_name == name), name)
