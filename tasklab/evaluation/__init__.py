"""Evaluation: outcomes with intervals, under attack and in transfer, each beside its health."""

from __future__ import annotations

from tasklab.evaluation.ensemble import Stage, WorstCase, stream_worst_case, worst_case
from tasklab.evaluation.honesty import Check, HonestyReport, assess, stream_report
from tasklab.evaluation.outcomes import Outcomes, outcomes
from tasklab.evaluation.robustness import Progress, Row, combined, curve, evaluate, stream_rows
from tasklab.evaluation.statistics import Share, mcnemar, wilson
from tasklab.evaluation.tables import frame, table, to_csv, to_json, to_markdown
from tasklab.evaluation.transferred import Threat, TransferResult
from tasklab.evaluation.transferring import find_threat, transfer

__all__ = [
    "Check",
    "HonestyReport",
    "Outcomes",
    "Progress",
    "Row",
    "Share",
    "Stage",
    "Threat",
    "TransferResult",
    "WorstCase",
    "assess",
    "combined",
    "curve",
    "evaluate",
    "find_threat",
    "frame",
    "mcnemar",
    "outcomes",
    "stream_report",
    "stream_rows",
    "stream_worst_case",
    "table",
    "to_csv",
    "to_json",
    "to_markdown",
    "transfer",
    "wilson",
    "worst_case",
]
