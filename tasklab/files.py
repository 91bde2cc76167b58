"""Every text file is written here, in UTF-8, and whole or not at all; names of files are checked here, too."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import unicodedata
from pathlib import Path

MAX_NAME = 150
"""Bytes of a name in UTF-8: with a suffix and a temporary file's additions it stays below the 255 of most disks."""

RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
"""Names that Windows keeps for devices, whatever the suffix."""


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, as `write_bytes` writes; its lines end in a single line feed everywhere."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all; an older one is replaced in one step, once the new one is safely on the disk.

    Args:
        path: the file; its folder is made if it is not there. Until the file is complete, its content lies beside it
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
    """Add a line in UTF-8 to the end of a file, which is made if it is not there; it is then safely on the disk."""
    with open(path, "a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def check_folder(path: str | Path) -> Path:
    """Make a folder if it is not there, and prove that files can be written to it, before any long work begins.

    Raises:
        ValueError: it cannot be made, is a file, or cannot be written to.
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
    """The file of that name with the first suffix, once it is sure that files with all of them can be written.

    Raises:
        ValueError: a name or a folder that is refused, or a folder that bears the file's name.
    """
    for suffix in suffixes:
        if (Path(folder) / (check_name(name) + suffix)).is_dir():
            raise ValueError(f"expected to write {name + suffix} in {str(folder)!r}, got a folder of that name; "
                             "try another name")
    return check_folder(folder) / (name + suffixes[0])


def check_name(name: str) -> str:
    """The name, if it can be the name of a file on every system, alone and with a suffix.

    Raises:
        ValueError: empty, too long, reserved, with characters that are not allowed, or leading out of its folder.

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
    """Have the new name survive a power cut, where the system lets one ask for that."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
