"""From what was found to plain words: what would invalidate an evaluation, what to mend, what is sound."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from atypia.audit.audit import Audit
from atypia.audit.leaks import HELD_OUT, Leaks, Touched
from atypia.audit.shortcut import Shortcut
from atypia.audit.shortcuts import BLIND, Comparison
from atypia.audit.strangers import Stranger
from atypia.audit.verdict import Severity, Verdict
from atypia.evaluation.intervals import Interval

TOUCHED = 0.01
CONFLICTS = 0.01
TELLS = 0.8
HINTS = 0.65
STRANGE = 0.02
"""From which share of a test split, or of all scans, and from which sure AUROC a finding is grave."""

_TOO_GOOD = "Figures measured there are too good. Split anew by group, or use the cleaned table."
_TOO_LOW = "Their scores come out too low, and so does a threshold learned from them: more false alarms."


def judge(audit: Audit) -> tuple[Verdict, ...]:
    """Return the verdicts on an audit, the gravest first."""
    found = [*_leaks(audit), *_conflicts(audit), *_copies(audit)]
    for comparison in audit.comparisons:
        found += list(_classes(comparison) if comparison.title == "Classes" else _splits(comparison))
    found += [*_strangers(audit), *_unreadable(audit)]
    found += [Verdict(Severity.NOTE, "limits", note) for note in audit.notes]
    return tuple(sorted(found, key=lambda verdict: verdict.severity.rank))


def percent(share: float) -> str:
    """Return a share for reading, one digit more where it is small.

    >>> percent(0.0), percent(0.004), percent(0.034), percent(0.58), percent(1.0)
    ('0 %', '0.4 %', '3.4 %', '58 %', '100 %')
    """
    digits = 1 if 0 < share < 0.0995 else 0
    shown = f"{100 * share:.{digits}f} %"
    return (
        "< 0.1 %" if share > 0 and shown == "0.0 %" else "> 99 %" if share < 1 and shown == "100 %" else shown
    )


def plain_name(name: str) -> str:
    """Return the name of a shortcut as one says it.

    >>> plain_name("bytes_per_pixel"), plain_name("jpeg_quality"), plain_name("outside")
    ('bytes per pixel', 'JPEG quality', 'what lies around the head')
    """
    said = {
        "file": "all that is known of the file",
        "outside": "what lies around the head",
        "intensity": "statistics of the greys",
        "together": "all numbers together",
        "head_std": "contrast of the head",
        "interior_p98": "brightness of the smoothed interior",
        "jpeg_quality": "JPEG quality",
    }
    return said.get(name, name.replace("_p0", "_p").replace("_", " "))


def figure(area: float, interval: Interval) -> str:
    """Return an AUROC with its interval for reading."""
    digits = 3 if area >= 0.985 else 2
    if any(math.isnan(end) for end in interval):
        return f"{area:.{digits}f}"
    return f"{area:.{digits}f} ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"


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
        f"{_fellow(touched.by_copies, touched.by_group)} in {_listed(touched.where)}. {consequence}",
    )


def _listed(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


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
            f"{scans:,} scans in {_count(len(leaks.conflicts), 'cluster')} of copies carry both labels.",
            "One image cannot be normal and abnormal. The cleaned table leaves them out.",
        )
    if leaks.mixed_groups:
        yield Verdict(
            Severity.NOTE,
            "leaks",
            f"{_count(leaks.mixed_groups, 'group')} holds scans of both labels."
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


def _classes(comparison: Comparison) -> Iterator[Verdict]:
    blind, seeing = comparison.best(blind=True), comparison.best(blind=False)
    if comparison.refused or blind is None:
        refused = comparison.refused or "No number differs between any two scans."
        title = "Whether the classes differ by their source could not be measured."
        yield Verdict(Severity.NOTE, "shortcuts", title, refused)
        return
    single = max((s for s in comparison.scalars if s.group in BLIND), key=lambda s: s.auroc, default=blind)
    if blind.sure >= HINTS:
        yield Verdict(
            Severity.INVALID if blind.sure >= TELLS else Severity.WARNING,
            "shortcuts",
            f"The classes can be told apart without looking at the brain: AUROC {_both(single, blind)}.",
            "A detector may reach as much by telling sources apart. Take both classes from one source, made "
            "and saved alike, or report these figures beside the detector's.",
        )
    else:
        yield Verdict(
            Severity.GOOD,
            "shortcuts",
            "The classes can hardly be told apart without looking at the brain: the best is "
            f"AUROC {_of(blind)}.",
        )
    if seeing is not None and seeing.sure >= HINTS:
        yield Verdict(
            Severity.WARNING if seeing.sure >= TELLS else Severity.NOTE,
            "shortcuts",
            f"Brightness alone tells the classes apart with AUROC {_of(seeing)}.",
            "It may be the disease, or the contrast agent, or the scanner. A detector has to beat it.",
        )


def _splits(comparison: Comparison) -> Iterator[Verdict]:
    best = max(
        (*comparison.scalars, *comparison.models), key=lambda found: (found.sure, found.auroc), default=None
    )
    if comparison.refused or best is None:
        return
    if best.sure >= HINTS:
        yield Verdict(
            Severity.WARNING,
            "shortcuts",
            f"Normal scans of test differ from those of train: AUROC {_of(best)}.",
            "They should be alike, or false alarms will not come as often as the threshold promises.",
        )
    else:
        title = f"Normal scans of train and test are alike: the best is AUROC {_of(best)}."
        yield Verdict(Severity.GOOD, "shortcuts", title)


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
        f"{_count(count, 'image')} to look at: {_kinds(audit.strangers)}.",
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
            f"{_count(len(audit.errors), 'file')} of {len(audit.rows):,} could not be read.",
            f"They are {percent(share)} of the set, and in no figure here.",
        )


def _both(single: Shortcut, best: Shortcut) -> str:
    if best is single or best.auroc <= single.auroc:
        return _of(single)
    return f"{_of(single)} alone, {_of(best)}"


def _of(found: Shortcut) -> str:
    return f"{figure(found.auroc, found.interval)} from {plain_name(found.name)}"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
