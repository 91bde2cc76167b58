"""Evaluation: outcomes with intervals, under attack and in transfer, each beside its health."""

from __future__ import annotations

from tasklab.evaluation.counts import Outcomes, outcomes
from tasklab.evaluation.distances import smallest
from tasklab.evaluation.ensemble import stream_worst_case, worst_case
from tasklab.evaluation.honesty import stream_assessment
from tasklab.evaluation.known_examples import check_attack
from tasklab.evaluation.robustness import Row, combined, curve, evaluate
from tasklab.evaluation.statistics import Share, mcnemar, wilson
from tasklab.evaluation.summary import compare, full_table
from tasklab.evaluation.tables import frame, table, to_csv, to_markdown
from tasklab.evaluation.transfer_matrix import transfer
from tasklab.evaluation.transfer_result import TransferResult

__all__ = [
    "Outcomes",
    "Row",
    "Share",
    "TransferResult",
    "check_attack",
    "combined",
    "compare",
    "curve",
    "evaluate",
    "frame",
    "full_table",
    "mcnemar",
    "outcomes",
    "smallest",
    "stream_assessment",
    "stream_worst_case",
    "table",
    "to_csv",
    "to_markdown",
    "transfer",
    "wilson",
    "worst_case",
]
