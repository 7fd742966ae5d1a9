"""Optimised Screeners against the original: how fast decode to verdict, and how alike.

    python benchmarks/optimise.py MODEL [MODEL ...] --healthy TABLE --root IMAGES [--evaluate TABLE]

Each MODEL is optimised in each way that is installed, on the rows of TABLE whose split is threshold. All
are then run in turn, round by round, in one process; told are the medians of the ratios of their times to
the original's: `whole` from decoding to verdict, `detector` the detector alone on prepared scans. `closeness`
is what 'atypia optimise' goes by; a way that it would refuse without --recalibrate is marked. With --evaluate
the change of the AUROC on the rows whose split is test, with its interval.
"""

from __future__ import annotations

import argparse
import statistics
import time
from importlib.util import find_spec
from pathlib import Path

from atypia.loading import in_batches, load
from atypia.optimising import Optimised, effect_of, healthy_for, optimise
from atypia.reading.collection import Collection, read_collection
from atypia.screener import Screener
from atypia.study import read_study

WAYS = (("onnxruntime", "int8"), ("openvino", "fp32"), ("openvino", "bf16"), ("openvino", "int8"))
HEAD = "way | whole, times as fast | detector | rank correlation | shift | refused | AUROC before | change"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--healthy", type=Path, required=True)
    parser.add_argument("--evaluate", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--images", type=int, default=48, help="scans of each round")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    scans = read_collection(asked.healthy, root=asked.root)
    labelled = None if asked.evaluate is None else read_study(asked.evaluate, root=asked.root).scans
    for model in asked.models:
        screener = Screener.load(model)
        made = {
            f"{runtime} {precision}": optimise(
                screener, healthy_for(screener, scans), runtime=runtime, precision=precision, recalibrate=True
            )
            for runtime, precision in WAYS
            if find_spec(runtime)
        }
        rows = Collection(healthy_for(screener, scans).rows[: asked.images], scans.source)
        print(f"\n{model} ({screener.detector.name}), {len(rows)} scans a round, {asked.rounds} rounds")
        print(f"| {HEAD} |\n|{'---|' * 8}")
        whole, alone = timed(screener, made, rows, asked.rounds)
        for way, one in made.items():
            told = [way, f"{whole[way]:.2f}", f"{alone[way]:.2f}", f"{one.agreement.spearman:.4f}"]
            told += [f"{one.agreement.shift:+.2f}", "no" if one.agreement.close else "yes"]
            if labelled is not None:
                effect = effect_of(screener, one.screener, labelled)
                low, high = effect.interval
                told += [f"{effect.before:.4f}", f"{effect.change:+.4f} ({low:+.4f} to {high:+.4f})"]
            print(f"| {' | '.join(told)} |", flush=True)


def timed(
    screener: Screener, made: dict[str, Optimised], rows: Collection, rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the medians of the ratios to the original: from decoding to verdict, and of the detector."""
    everyone = {"original": screener, **{way: one.screener for way, one in made.items()}}
    batches = [b for _, b in in_batches(load(rows, screener.preparation), 16) if b is not None]
    whole: dict[str, list[float]] = {way: [] for way in everyone}
    alone: dict[str, list[float]] = {way: [] for way in everyone}
    for number in range(rounds + 1):
        for way, one in everyone.items():
            started = time.perf_counter()
            sum(1 for _ in one.score(rows, heatmaps=False, judge_all=True))
            between = time.perf_counter()
            for batch in batches:
                one.detector.score(batch)
            if number:  # the first opens the sessions
                whole[way].append(between - started)
                alone[way].append(time.perf_counter() - between)
    print(f"original: {len(rows) / statistics.median(whole['original']):.1f} scans a second")
    return _ratios(whole), _ratios(alone)


def _ratios(seconds: dict[str, list[float]]) -> dict[str, float]:
    usual = seconds["original"]
    return {
        way: statistics.median(one / other for one, other in zip(usual, own, strict=True))
        for way, own in seconds.items()
    }


if __name__ == "__main__":
    main()
