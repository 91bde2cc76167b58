"""Codecs: labels ⇄ codewords, and the margins that decide between them."""

from __future__ import annotations

from tasklab.codecs.argmax import Argmax
from tasklab.codecs.base import ABNORMAL, Codec
from tasklab.codecs.binary import Binary
from tasklab.codecs.codes import gray_code, hadamard_code, plain_code, random_code
from tasklab.codecs.interval import Interval
from tasklab.codecs.nearest_codeword import NearestCodeword

__all__ = [
    "ABNORMAL",
    "Argmax",
    "Binary",
    "Codec",
    "Interval",
    "NearestCodeword",
    "gray_code",
    "hadamard_code",
    "plain_code",
    "random_code",
]
