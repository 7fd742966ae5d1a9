"""From what was found to plain words: what would invalidate an evaluation, what to mend, what is sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from atypia.audit.audit import Audit
from atypia.audit.judging_shortcuts import judge_comparison
from atypia.audit.leaks import HELD_OUT, Leaks, Touched
from atypia.audit.strangers import Stranger
from atypia.audit.verdict import Severity, Verdict
from atypia.audit.words import counted, listed, percent

TOUCHED = 0.01
CONFLICTS = 0.01
STRANGE = 0.02
"""From which share of a test split, or of all scans, a finding is grave."""

_TOO_GOOD = "Figures measured there are too good. Split anew by group, or use the cleaned table."
_TOO_LOW = "Their scores come out too low, and so does a threshold learned from them: more false alarms."


def judge(audit: Audit) -> tuple[Verdict, ...]:
    """Return the verdicts on an audit, the gravest first."""
    found = [*_leaks(audit), *_conflicts(audit), *_copies(audit)]
    for comparison in audit.comparisons:
        found += judge_comparison(comparison)
    found += [*_strangers(audit), *_unreadable(audit)]
    found += [Verdict(Severity.NOTE, "limits", note) for note in audit.notes]
    return tuple(sorted(found, key=lambda verdict: verdict.severity.rank))


def _leaks(audit: Audit) -> Iterator[Verdict]:
    leaks = audit.leaks
    if len({row.split for row in audit.rows} - {None}) < 2:
        return
    if not audit.knows_fellows:
        text = (
            "Neither groups nor copies are known. Slices of one patient, or copies, may stand in two splits."
        )
        yield Verdict(Severity.WARNING, "leaks", "Whether the splits leak could not be looked at.", text)
        return
    for touched in leaks.touched:
        if touched.either:
            yield _leak(touched)
    if not any(touched.either for touched in leaks.touched):
        words = ("copy",) * audit.clusters_known + ("group",) * any(row.group for row in audit.rows)
        title = f"No {' and no '.join(words)} stands in two splits that must differ."
        yield Verdict(Severity.GOOD, "leaks", title)


def _leak(touched: Touched) -> Verdict:
    held_out = touched.split in HELD_OUT
    grave = held_out and touched.fitted >= TOUCHED * touched.scans
    consequence = _TOO_GOOD if held_out else _TOO_LOW
    return Verdict(
        Severity.INVALID if grave else Severity.WARNING,
        "leaks",
        f"{percent(touched.share)} of the split {touched.split} leaks{_of_normal(touched)}.",
        f"{touched.either:,} of its {touched.scans:,} scans have a "
        f"{_fellow(touched.by_copies, touched.by_group)} in {listed(touched.where)}. {consequence}",
    )


def _of_normal(touched: Touched) -> str:
    share = touched.normal_share
    return "" if share is None else f", {percent(share)} of its normal scans"


def _fellow(by_copies: int, by_group: int) -> str:
    if by_copies and by_group:
        return "copy or a slice of the same group"
    return "copy" if by_copies else "slice of the same group"


def _conflicts(audit: Audit) -> Iterator[Verdict]:
    leaks: Leaks = audit.leaks
    scans = sum(len(places) for places in leaks.conflicts)
    if scans:
        grave = scans >= CONFLICTS * len(audit.rows)
        yield Verdict(
            Severity.INVALID if grave else Severity.WARNING,
            "leaks",
            f"{scans:,} scans in {counted(len(leaks.conflicts), 'cluster')} of copies carry both labels.",
            "One image cannot be normal and abnormal. The cleaned table leaves them out.",
        )
    if leaks.mixed_groups:
        yield Verdict(
            Severity.NOTE,
            "leaks",
            f"{counted(leaks.mixed_groups, 'group')} holds scans of both labels."
            if leaks.mixed_groups == 1
            else f"{leaks.mixed_groups:,} groups hold scans of both labels.",
            "Normal slices of a patient who has a lesion elsewhere may not be healthy.",
        )


def _copies(audit: Audit) -> Iterator[Verdict]:
    if audit.clusters_known:
        copies = audit.readable - audit.distinct
        if copies:
            share = copies / audit.readable
            text = f"The largest cluster has {len(audit.biggest[0])} images."
            if not any(row.split for row in audit.rows):
                text += (
                    " A random split by image, a fifth for the test, would have a copy or a group fellow of "
                    f"{percent(audit.leaks.random)} of its test scans in the rest. Split by cluster."
                )
            yield Verdict(
                Severity.WARNING if share >= TOUCHED else Severity.NOTE,
                "copies",
                f"{audit.readable:,} images are only {audit.distinct:,} distinct ones: "
                f"{percent(share)} are copies.",
                text,
            )
        else:
            yield Verdict(Severity.GOOD, "copies", "No image is a copy of another.")


def _strangers(audit: Audit) -> Iterator[Verdict]:
    if audit.strangers is None:
        return
    count = len(audit.strangers)
    if not count:
        yield Verdict(Severity.GOOD, "strangers", "No image stands out as something else than a brain scan.")
        return
    strange = sum(stranger.score > 1 for stranger in audit.strangers)
    yield Verdict(
        Severity.WARNING if strange >= STRANGE * len(audit.rows) else Severity.NOTE,
        "strangers",
        f"{counted(count, 'image')} to look at: {_kinds(audit.strangers)}.",
        "They are listed with their reasons, the strangest first. Judge by eye: --drop-strangers leaves "
        f"{strange:,} of them out of the cleaned table, all but what is only unusual for a healthy scan.",
    )


def _kinds(strangers: Sequence[Stranger]) -> str:
    counts = Counter(stranger.kind for stranger in strangers).most_common()
    return ", ".join(f"{count:,} {kind}" for kind, count in counts)


def _unreadable(audit: Audit) -> Iterator[Verdict]:
    if audit.errors:
        share = len(audit.errors) / len(audit.rows)
        yield Verdict(
            Severity.WARNING,
            "limits",
            f"{counted(len(audit.errors), 'file')} of {len(audit.rows):,} could not be read.",
            f"They are {percent(share)} of the set, and in no figure here.",
        )
