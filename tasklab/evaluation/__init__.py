"""Evaluation: outcomes with intervals, under attack and in transfer, each beside its health."""

from __future__ import annotations

from tasklab.evaluation.distances import Distances, distance_table, smallest
from tasklab.evaluation.ensemble import Stage, WorstCase, stream_worst_case, worst_case
from tasklab.evaluation.honesty import Check, HonestyReport, assess, stream_report
from tasklab.evaluation.known_examples import AttackTest, check_attack, stream_check_attack
from tasklab.evaluation.outcomes import Outcomes, outcomes
from tasklab.evaluation.robustness import Progress, Row, combined, curve, evaluate, stream_rows
from tasklab.evaluation.statistics import Share, mcnemar, wilson
from tasklab.evaluation.summary import Comparison, compare, full_frame, full_table
from tasklab.evaluation.tables import frame, table, to_csv, to_json, to_markdown
from tasklab.evaluation.transfer_matrix import find_threat, transfer, transfer_row
from tasklab.evaluation.transfer_result import Threat, TransferResult
from tasklab.evaluation.worst_table import WorstRow, stream_worst_rows, worst_frame, worst_markdown

__all__ = [
    "AttackTest",
    "Check",
    "Comparison",
    "Distances",
    "HonestyReport",
    "Outcomes",
    "Progress",
    "Row",
    "Share",
    "Stage",
    "Threat",
    "TransferResult",
    "WorstCase",
    "WorstRow",
    "assess",
    "check_attack",
    "combined",
    "compare",
    "curve",
    "distance_table",
    "evaluate",
    "find_threat",
    "frame",
    "full_frame",
    "full_table",
    "mcnemar",
    "outcomes",
    "smallest",
    "stream_check_attack",
    "stream_report",
    "stream_rows",
    "stream_worst_case",
    "stream_worst_rows",
    "table",
    "to_csv",
    "to_json",
    "to_markdown",
    "transfer",
    "transfer_row",
    "wilson",
    "worst_case",
    "worst_frame",
    "worst_markdown",
]
