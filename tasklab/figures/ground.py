"""The plane around one image: the plane that two attacks span, drawn as decision regions are, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasklab.codecs import ABNORMAL
from tasklab.experiments.ground import Ground
from tasklab.experiments.plane import PlaneTrajectory
from tasklab.figures.describing import with_article
from tasklab.figures.regions import climbed, name_of, plane, shares_in_words
from tasklab.figures.style import GREY
from tasklab.figures.words import in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WAYS = {"margin": "the attack on the margin", "train": "the attack on the training loss",
        "random": "a random direction"}
"""The direction of each axis of the plane, in words."""


def ground_figure(seen: Ground, *, classes: Sequence[str] = (), height: int = 520) -> Figure:
    """The plane through an image: decision regions, plateaus in full colour, the ε-ball dashed, and both attacks.

    Args:
        seen: from `tasklab.experiments.ground.ground`.
        classes: the names of the classes; by default their numbers.
        height: in pixels; the square fills it.
    """
    figure = plane(seen, classes=classes, trajectories=seen.paths, marked=seen.paths[0].points.new_tensor([0.5, 0.5]),
                   picks=min(seen.side, 25), height=height)
    corners = " L ".join(f"{x:.4f} {y:.4f}" for x, y in seen.outline.tolist())
    figure.add_shape(type="path", name="eps", path=f"M {corners} Z", line={"color": GREY, "width": 2, "dash": "dot"})
    return in_words(figure, describe_ground("Plane", seen, classes))


def what_attacks_do(seen: Ground, classes: Sequence[str] = ()) -> list[str]:
    """A sentence for each attack, that on the training loss first, after one about a misclassified image; plain text.

    Args:
        seen: from `tasklab.experiments.ground.ground`.
        classes: the names of the classes; by default their numbers.
    """
    middle = int(seen.decoded[seen.side // 2, seen.side // 2])
    misread = f"The image is read as {_read(middle, classes)} before any attack."
    return [misread] * (middle != seen.label) + [_fate(path, classes) for path in reversed(seen.paths)]


def describe_ground(name: str, seen: Ground, classes: Sequence[str] = ()) -> str:
    """What the figure shows, in words.

    Args:
        name: of the system.
        seen: from `tasklab.experiments.ground.ground`.
        classes: the names of the classes; by default their numbers.
    """
    label = name_of(classes, seen.label)
    right, up = (WAYS[way] for way in seen.spanned_by)
    why = f", because {_why_random(seen)}" if seen.spanned_by[1] == "random" else ""
    sentences = [
        f"{name}: the plane around the image of {with_article(label)}, which is in its middle. "
        f"To the right it follows {right}, and upwards {up}{why}.",
        f"The plane is read as {shares_in_words(seen, classes)}.",
        f"The training loss is exactly flat on {100 * seen.flat_share:.0f} % of what is read as {label}.",
        *what_attacks_do(seen, classes),
    ]
    return " ".join(sentences)


def _why_random(seen: Ground) -> str:
    """Why the attack on the training loss gives no second direction."""
    moved = seen.paths[1].moved
    return "the attack on the training loss goes the same way" if moved else "the attack on the training loss stays"


def _fate(path: PlaneTrajectory, classes: Sequence[str]) -> str:
    """Where one attack ended, in a sentence."""
    attack = f"The attack on the {climbed(path.objective)}"
    label = name_of(classes, path.label)
    if path.zero_gradient and not path.moved:
        return f"{attack} finds a loss that is exactly flat, and stays where it is: {_read(path.end, classes)} is read."
    if not path.moved:
        return f"{attack} does not leave the image."
    end = _read(path.end, classes)
    steps = len(path.points) - 1
    took = f"{attack} takes {steps} step{'s' * (steps > 1)}, and"
    return f"{took} {label} is still read." if path.end == path.label else f"{took} {end} is read instead of {label}."


def _read(decoded: int, classes: Sequence[str]) -> str:
    return "None" if decoded == ABNORMAL else name_of(classes, decoded)
