"""Maps: many numbers for each image, drawn as points of a plane, and new images placed into the same plane.

`TSNE` keeps neighbours together, and no distances; `PCA` is the plane that keeps most of the spread, distances included
as far as a plane can. Both hand back a `Map`, which places further points, and has its quality measured by
`neighbour_accuracy` and `trustworthiness`.
"""

from __future__ import annotations

from tasklab.embedding.maps import Frame, Map, embed, stream
from tasklab.embedding.points import read_features, read_outputs
from tasklab.embedding.quality import neighbour_accuracy, trustworthiness
from tasklab.embedding.settings import PCA, TSNE

__all__ = [
    "PCA",
    "TSNE",
    "Frame",
    "Map",
    "embed",
    "neighbour_accuracy",
    "read_features",
    "read_outputs",
    "stream",
    "trustworthiness",
]
