"""The threshold of a Screener: its healthy scores, what another one would do, and changing it."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
from fastapi import APIRouter, Request
from sqlalchemy.orm import Session

from atypia.errors import ArtefactError, BadOption, NotEnoughScans
from atypia.service import alike
from atypia.service.access.users import note
from atypia.service.api import schemas, shown
from atypia.service.api.problems import Problem
from atypia.service.api.roles import Admin, Viewer
from atypia.service.api.screeners import found
from atypia.service.api.serving import Here
from atypia.service.store import thresholds
from atypia.service.store.models import Screener
from atypia.threshold import RULES, Threshold
from atypia.threshold.guarantee import guarantee

router = APIRouter(tags=["screeners"])
QUANTILES = 2000
_STAYS = (
    "This server demands signatures, and has no key to sign with. Change the threshold with 'atypia "
    "threshold', sign the file, and send it as another Screener."
)
BY_HAND = "No guarantee: the threshold was set by hand. The rule named here promises about the same."


@router.get("/screeners/{screener}/healthy")
def get_healthy(here: Here, _user: Viewer, screener: schemas.InPath) -> schemas.Healthy:
    """Return the scores of the healthy scans that calibrated a Screener."""
    with here.store.session() as session:
        threshold = _threshold(found(session, screener))
    scores = threshold.healthy
    if len(scores) > QUANTILES:
        scores = np.quantile(scores, np.linspace(0, 1, QUANTILES))
    calibration = threshold.calibration
    return schemas.Healthy(
        scores=scores.tolist(),
        count=len(calibration),
        groups=calibration.group_count,
        grouped=calibration.grouped,
        threshold=threshold.value,
        rule=threshold.rule,
        parameter=threshold.parameter,
        strata={
            name: schemas.StratumHealthy(
                threshold=part.value, count=len(part.calibration), groups=part.calibration.group_count
            )
            for name, part in threshold.parts.items()
        },
    )


@router.post("/screeners/{screener}/threshold/preview")
def preview_threshold(
    here: Here, _user: Viewer, screener: schemas.InPath, asked: schemas.Asked
) -> schemas.Preview:
    """Tell what another threshold, by a rule or at a score, would do to the findings; nothing changes."""
    if (asked.rule is None) == (asked.value is None):
        raise Problem(422, "The request is not as it must be", "Expected either a rule or a value.")
    with here.store.session() as session:
        row = found(session, screener)
        if asked.value is not None:
            return _at_value(session, row, asked.value)
        threshold = _with_rule(row, asked.rule or "", asked.parameter)
        return schemas.Preview(
            threshold=threshold.value,
            p_value=thresholds.lowest_p(threshold, threshold.value),
            rule=threshold.rule,
            parameter=threshold.parameter,
            guarantee=guarantee(threshold),
            strata={name: part.value for name, part in threshold.parts.items()},
            findings=_effect(thresholds.effect_of(session, row.id, threshold)),
        )


@router.post(
    "/screeners/{screener}/threshold",
    responses={403: {"model": schemas.ProblemDetails}, 409: {"model": schemas.ProblemDetails}},
)
def change_threshold(
    request: Request, here: Here, _user: Admin, screener: schemas.InPath, change: schemas.RuleChange
) -> schemas.Changed:
    """Change the rule of the threshold: a new version, with which all findings are decided anew.

    The old version stays, retired. Reports that were written keep what was decided then. Where the server
    demands signatures this is refused, for it cannot sign what it would write.
    """
    if here.settings.require_signature is not None:
        raise Problem(403, "A signed Screener stays as it is", _STAYS)
    with here.store.session() as session:
        old = _in_use(found(session, screener))
        threshold = _with_rule(old, change.rule, change.parameter)
    try:
        sha256 = thresholds.changed_file(here.home, old, threshold)
    except ArtefactError as error:
        raise Problem(409, "The Screener is gone", "Its file is not there any more, or broken.") from error
    alike.inherit(here.home, sha256, old.sha256)
    with here.store.write() as session:
        row = _in_use(found(session, screener))
        effect = thresholds.effect_of(session, row.id, threshold)
        new = row if sha256 == row.sha256 else thresholds.change(session, here.home, row, threshold, sha256)
        told = schemas.Changed(
            screener=shown.screeners(session, [new], here.home)[0], findings=_effect(effect)
        )
    note(
        request,
        "threshold.change",
        screener,
        new=told.screener.id,
        rule=threshold.rule,
        parameter=threshold.parameter,
    )
    here.wake()
    return told


def _at_value(session: Session, row: Screener, value: float) -> schemas.Preview:
    threshold = _threshold(row)
    rule, parameter = thresholds.nearest_rule(threshold, value)
    return schemas.Preview(
        threshold=value,
        p_value=thresholds.lowest_p(threshold, value),
        rule=rule,
        parameter=parameter,
        guarantee=BY_HAND,
        strata={},
        findings=_effect(thresholds.effect_of(session, row.id, value)),
    )


def _threshold(row: Screener) -> Threshold:
    return thresholds.threshold_of(row)


def _with_rule(row: Screener, rule: str, parameter: float | None) -> Threshold:
    assert rule in RULES
    try:
        found = thresholds.with_rule(row, rule, parameter)
    except (BadOption, NotEnoughScans) as error:
        raise Problem(422, "This threshold cannot be", str(error)) from error
    if not all(math.isfinite(one.value) for one in (found, *found.parts.values())):
        raise Problem(422, "This threshold cannot be", "It is beyond all numbers. Take a smaller parameter.")
    return found


def _in_use(row: Screener) -> Screener:
    if row.retired:
        raise Problem(409, "The Screener is retired", "Change the version that is in use.")
    return row


def _effect(effect: thresholds.Effect) -> schemas.Effect:
    return schemas.Effect.model_validate(asdict(effect))
