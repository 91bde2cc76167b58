"""The reports on a folder's systems, in one file beside them, so that they are measured once and shown immediately."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasklab import files, strict_json, zoo
from tasklab.evaluation.report import Report
from tasklab.text import one_line

FILE = "reports.json"
"""The file of reports by the system's name, with a line for each."""

ANEW = "try tasklab report, which makes it again, after removing the file"


def kept_report(name: str, *, file: Path | None = None) -> Report | None:
    """The report on a system, or None if there is none on exactly this checkpoint.

    Args:
        name: of a system in the zoo.
        file: its checkpoint; by default the one that the zoo finds.

    Returns:
        The report; None also if the entry in the folder's file does not fit.

    Raises:
        ValueError: no such system.
    """
    file = zoo.path(name) if file is None else file
    path = file.parent / FILE
    if not path.is_file():
        return None
    report = _kept(path, path.stat().st_mtime_ns, name)
    return report if report is not None and report.file == digest(file) else None


def read_reports(folder: Path) -> dict[str, Report]:
    """The reports in a folder by the system's name; an empty dict if the folder has no such file.

    Raises:
        ValueError: the file does not fit; the message names it and says why.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    return {name: _report(path, name, values) for name, values in _reports_table(path, path.stat().st_mtime_ns).items()}


def keep_reports(reports: Mapping[str, Report], folder: Path) -> Path:
    """Add reports to a folder's file; they replace earlier ones on the same systems.

    Args:
        reports: by the system's name.
        folder: of the file.

    Returns:
        The file.

    Raises:
        ValueError: the folder holds a file that does not fit.
    """
    path = folder / FILE
    kept = read_reports(folder) | dict(reports)
    lines = [f"{json.dumps(name)}:{strict_json.dumps(kept[name].to_dict(), separators=(',', ':'), ensure_ascii=False)}"
             for name in sorted(kept)]
    files.write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


def read_report(path: Path) -> Report:
    """The report in a file of its own.

    Raises:
        OSError: the file cannot be read.
        ValueError: it does not fit; the message names it and says why.
    """
    return _report(path, "", _json(path))


def write_report(report: Report, path: Path) -> None:
    """Write a report to a file of its own."""
    files.write_text(path, strict_json.dumps(report.to_dict()) + "\n")


def digest(file: Path) -> str:
    """A key that identifies a checkpoint.

    Args:
        file: the checkpoint.

    Returns:
        The first half of its SHA-256, as 32 hexadecimal digits.
    """
    return _digest(str(file), file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _kept(path: Path, changed: int, name: str) -> Report | None:
    """One report of a folder's file, read again only when the file has changed; None where it does not fit."""
    try:
        table = _reports_table(path, changed)
        return _report(path, name, table[name]) if name in table else None
    except ValueError:
        return None


@lru_cache(maxsize=8)
def _reports_table(path: Path, changed: int) -> dict[str, Any]:
    values = _json(path)
    if not isinstance(values, dict):
        raise ValueError(f"expected reports by name in {path}, got {type(values).__name__}; {ANEW}")
    return values


def _report(path: Path, name: str, values: object) -> Report:
    try:
        return Report.from_dict(values)
    except ValueError as error:
        whose = f" of {one_line(name, 60)}" * bool(name)
        raise ValueError(f"{path} holds a report{whose} that does not fit: {one_line(error)}; {ANEW}") from None


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON in {path}, got something else ({one_line(error, 100)}); {ANEW}") from None


@lru_cache(maxsize=256)
def _digest(file: str, changed: int) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:32]
