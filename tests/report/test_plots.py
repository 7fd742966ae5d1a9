from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from sklearn.metrics import auc

from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.lesions import RATES, LesionMetrics, rate_name
from atypia.evaluation.metrics import Confusion
from atypia.evaluation.p_value_metrics import PValueMetrics
from atypia.evaluation.verdicts import Verdicts
from atypia.report import plots, promise_plots
from atypia.report.theme import DARK, LIGHT, Theme


class Golden(Protocol):
    def check(self, name: str, figure: Figure) -> None: ...
    def differs(self, name: str, figure: Figure) -> bool: ...


@pytest.fixture
def verdicts() -> Verdicts:
    rng = np.random.default_rng(5)
    labels = np.arange(80) >= 45
    scores = np.exp(rng.normal(size=80) * 0.5 + 1.2 * labels)
    names = tuple(map(str, range(80)))
    return Verdicts(names, (None,) * 80, scores, np.full(80, 0.5), labels, scores > 2)


@pytest.fixture
def image(verdicts: Verdicts) -> ImageMetrics:
    return ImageMetrics.of(verdicts, threshold=2.0, resamples=500)


def history(epochs: int) -> list[dict[str, float]]:
    return [{"epoch": n, "loss": 1 / n, "validation_loss": 1.4 / n} for n in range(1, epochs + 1)]


def texts(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize(("name", "theme"), [("light", LIGHT), ("dark", DARK)])
def test_the_training_curve_looks_as_it_did(golden: Golden, name: str, theme: Theme) -> None:
    golden.check(f"training_curve_{name}", plots.training_curve(history(12), theme))


def test_the_histograms_look_as_they_did(golden: Golden, verdicts: Verdicts) -> None:
    normal, abnormal = verdicts.scores[~verdicts.labels], verdicts.scores[verdicts.labels]
    golden.check("loss_histograms", plots.loss_histograms(normal * 0.9, normal, abnormal, 2.0))


def test_the_confusion_matrix_looks_as_it_did(golden: Golden) -> None:
    golden.check("confusion_matrix", plots.confusion_matrix(Confusion(94, 6, 15, 85)))


def test_the_roc_looks_as_it_did(golden: Golden, verdicts: Verdicts, image: ImageMetrics) -> None:
    golden.check("roc", plots.receiver_operating_characteristic(verdicts, image))


def test_precision_and_recall_look_as_they_did(
    golden: Golden, verdicts: Verdicts, image: ImageMetrics
) -> None:
    golden.check("precision_recall", plots.precision_recall(verdicts, image))


def test_a_moved_threshold_is_seen_by_the_comparison(golden: Golden, verdicts: Verdicts) -> None:
    normal, abnormal = verdicts.scores[~verdicts.labels], verdicts.scores[verdicts.labels]
    assert golden.differs("loss_histograms", plots.loss_histograms(normal * 0.9, normal, abnormal, 4.0))


def test_curves_keep_the_areas_that_are_written_on_them(verdicts: Verdicts, image: ImageMetrics) -> None:
    line = plots.receiver_operating_characteristic(verdicts, image).axes[0].lines[1]
    assert auc(line.get_xdata(), line.get_ydata()) == pytest.approx(image.auroc)
    recall, precision = plots.precision_recall(verdicts, image).axes[0].lines[1].get_data()
    assert np.sum(np.diff(recall) * precision[1:]) == pytest.approx(image.average_precision)


def test_the_histograms_say_how_many_are_above() -> None:
    told = texts(plots.loss_histograms(np.empty(0), np.array([1.0, 3.0]), np.array([4.0]), 2.0))
    assert "50 % of 2 above the threshold" in told
    assert "100 % of 1 above the threshold" in told
    assert "calibration" not in told


@pytest.mark.parametrize(
    "scores",
    [[1.0], [0.0, 0.0], [1e-9, 1e6], [-1e30, 1e30], [1e-300, 1e-290], [3.0, np.inf, np.nan], [-5.0, -4.0]],
)
@pytest.mark.parametrize("threshold", [1.0, np.nan])
def test_any_scores_can_be_drawn(scores: list[float], threshold: float) -> None:
    drawn = plots.loss_histograms(np.array(scores), np.array(scores), np.empty(0), threshold)
    drawn.draw_without_rendering()
    assert len(drawn.axes) == 2


@pytest.mark.parametrize("epochs", [1, 3, 200])
def test_a_training_without_validation_is_one_line(epochs: int) -> None:
    alone = [{"epoch": entry["epoch"], "loss": entry["loss"]} for entry in history(epochs)]
    figure = plots.training_curve(alone)
    figure.draw_without_rendering()
    assert len(figure.axes[0].lines) == 1
    assert "validation" not in texts(figure)
    assert figure.axes[0].get_yscale() == ("log" if epochs == 200 else "linear")


def test_a_matrix_without_cases_of_one_label_can_be_drawn() -> None:
    told = texts(plots.confusion_matrix(Confusion(0, 0, 2, 8)))
    assert "passed, 80 %" in told
    assert "caught |" in told + " |"


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of WCAG 2.2, from 1 to 21."""

    def luminance(colour: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_what_is_written_can_be_read(theme: Theme) -> None:
    for colour in (theme.ink, theme.muted, theme.normal, theme.abnormal, theme.calibration):
        assert contrast(colour, theme.page) >= 4.5


def healthy_p_values(lean: float) -> tuple[Verdicts, PValueMetrics]:
    p_values = np.random.default_rng(8).random(120) ** lean
    none = np.zeros(120, bool)
    drawn = Verdicts(tuple(map(str, range(120))), (None,) * 120, 1 - p_values, p_values, none, none)
    measured = PValueMetrics.of(drawn, 200)
    assert measured is not None
    return drawn, measured


def test_the_p_values_look_as_they_did(golden: Golden) -> None:
    drawn, measured = healthy_p_values(1.0)
    golden.check("p_values", promise_plots.p_value_calibration(drawn.p_values, measured))
    leaning, broken = healthy_p_values(1.7)
    assert golden.differs("p_values", promise_plots.p_value_calibration(leaning.p_values, broken))


@pytest.fixture
def lesions() -> LesionMetrics:
    found = (0.9, 0.85, 0.8, 0.7, 0.4, 0.1, 0.0)
    false = (2.6, 1.7, 0.9, 0.4, 0.1, 0.02, 0.0)
    at = {rate_name(rate): level for rate, level in zip(RATES, (0.4, 0.4, 0.7, 0.8, 0.85), strict=True)}
    ends = {name: (level - 0.08, level + 0.06) for name, level in at.items()}
    return LesionMetrics(60, 100, tuple(np.geomspace(1, 8, 7)), false, found, at, ends)


def test_the_lesions_look_as_they_did(golden: Golden, lesions: LesionMetrics) -> None:
    golden.check("lesions", promise_plots.lesion_curve(lesions))


def test_lesions_that_are_never_found_can_be_drawn(lesions: LesionMetrics) -> None:
    none = replace(lesions, found=(0.0,) * 7, at=dict.fromkeys(lesions.at, 0.0), intervals={})
    promise_plots.lesion_curve(none).draw_without_rendering()
    assert max(promise_plots.lesion_curve(none).axes[0].lines[0].get_ydata()) == 0
