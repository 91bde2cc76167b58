"""Errors about data sets and images; the message of each is one sentence that says what to do."""

from __future__ import annotations


class DataMissing(FileNotFoundError):
    """A data set is not on this machine; the message names the command that downloads it."""


class DataDamaged(DataMissing):
    """The files of a data set are not the official ones; the message names the command that replaces them."""


class DownloadError(RuntimeError):
    """A download was not completed; no file was written under its final name, and it can be tried again."""


class PictureError(ValueError):
    """A file or array cannot be read as one image."""
