"""What can go wrong with data, each as one sentence that says what to do."""

from __future__ import annotations


class DataMissing(FileNotFoundError):
    """A data set is not on this machine; the message names the command that brings it."""


class DataDamaged(DataMissing):
    """A data set is there, but its files are not the official ones; the message names the command that replaces it."""


class DownloadError(RuntimeError):
    """A download did not arrive whole; nothing is left under its final name, and it can be tried again."""


class PictureError(ValueError):
    """A file or array cannot be read as one picture."""
