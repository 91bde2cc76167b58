"""What the scenario bar says: what every part of a page is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasklab.data import ImageSet


@dataclass(frozen=True, kw_only=True, eq=False)
class Lab:
    """What the scenario bar says.

    Attributes:
        slug: of the page.
        lecture: whether the page is shown to a hall.
        data: name of the data set.
        images: its test pictures; None on a page that works without.
        systems: those there are, key to name.
        chosen: names of those looked at.
        image: place of the picture.
        seed: of everything random.
    """

    slug: str
    lecture: bool = False
    data: str = "digits"
    images: Any = None
    systems: Mapping[str, str] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    image: int = 0
    seed: int = 0

    @property
    def pictures(self) -> ImageSet:
        """The test pictures of a page that has them."""
        assert self.images is not None
        found: ImageSet = self.images
        return found

    def key(self, name: str) -> str:
        """A system's short name, by which the words know it."""
        return next((key for key, each in self.systems.items() if each == name), name)
