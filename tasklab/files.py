"""Writing files completely or not at all, text in UTF-8; and checking names and folders before long work."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import unicodedata
from pathlib import Path

MAX_NAME = 150
"""Largest length of a name in bytes of UTF-8; with a suffix and a temporary addition it stays below the usual 255."""

RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
"""Names that Windows keeps for devices, whatever the suffix."""


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, as `write_bytes` does; lines end with a line feed on every system."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file completely or not at all; an existing file is replaced only when the new one is on the disk.

    Args:
        path: the file; its folder is created if needed. Until the file is complete, its content is kept beside it
            under a name that begins with ``.NAME.``.
        content: all of it.

    Raises:
        OSError: the folder cannot be written to, or the disk is full. The older file is then left as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(part, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def append_line(path: str | Path, line: str) -> None:
    """Append a line in UTF-8 to a file, which is made if needed; on return, the line is on the disk."""
    with open(path, "a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def check_folder(path: str | Path) -> Path:
    """Make a folder if needed, and check that files can be written to it, before any long work begins.

    Raises:
        ValueError: the folder cannot be made or written to, or is a file.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (OSError, ValueError) as error:  # a ValueError is a null byte in the path
        why = "a file stands in its way" if isinstance(error, FileExistsError | NotADirectoryError) else _reason(error)
        raise ValueError(f"expected a folder that can be written to, got {str(path)!r} ({why}); try another") from None
    return path


def check_file(folder: str | Path, name: str, *suffixes: str) -> Path:
    """Check that files with this name and each of the suffixes can be written.

    Returns:
        The path with the first suffix.

    Raises:
        ValueError: the name or the folder is not valid, or there is a folder of the file's name.
    """
    for suffix in suffixes:
        if (Path(folder) / (check_name(name) + suffix)).is_dir():
            raise ValueError(f"expected to write {name + suffix} in {str(folder)!r}, got a folder of that name; "
                             "try another name")
    return check_folder(folder) / (name + suffixes[0])


def check_name(name: str) -> str:
    """Check that a name can be used for a file on every operating system, alone and with a suffix.

    Returns:
        The name.

    Raises:
        ValueError: it is empty, too long or reserved, has characters that are not allowed, or leads out of its folder.

    >>> check_name("digits-rbc")
    'digits-rbc'
    """
    why = ""
    if not name.strip():
        why = "which is empty"
    elif any(sign in '/\\:*?"<>|' or unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in name):
        why = "with a separator or another character that names of files cannot have"
    elif name[0] in ".-" or name != name.strip() or name.endswith("."):
        why = "which begins with a dot or a hyphen, ends with a dot, or has a space at an end"
    elif name.split(".")[0].strip().lower() in RESERVED:
        why = "which Windows keeps for a device"
    elif len(name.encode()) > MAX_NAME:
        why = f"of {len(name.encode())} bytes, where {MAX_NAME} are the most"
    if why:
        shown = name if len(name) <= 40 else name[:40] + "…"
        raise ValueError(f"expected a name for a file, got {shown!r}, {why}; try letters, digits and hyphens")
    return name


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _sync_folder(folder: Path) -> None:
    """Make sure that a new name in a folder survives a power cut, on systems where that can be requested."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
