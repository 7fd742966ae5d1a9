from __future__ import annotations

from pathlib import Path

from atypia.evaluation.evaluation import Evaluation
from atypia.report.card import ReportCard
from atypia.report.report import write_report


def test_draft(evaluation: Evaluation, card: ReportCard) -> None:
    write_report(
        evaluation, Path("/tmp/fake"), title="Phantom brains, autoencoder on EfficientNet-Lite0", card=card
    )
