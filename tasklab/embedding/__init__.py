"""Maps: features or outputs of many images as points of a plane, into which further images can be placed.

`TSNE` preserves neighbours but not distances; `PCA` is the plane that preserves most of the variance. Both return a
`Map`, which places further points; `neighbour_accuracy` and `trustworthiness` measure its quality.
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
