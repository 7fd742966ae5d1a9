"""`score`: a verdict on every scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from atypia.cli import options
from atypia.cli import pretrained as shipped
from atypia.cli.aside import tell_aside
from atypia.cli.command import Taught
from atypia.cli.engine import engine, workers_of
from atypia.cli.score_many import (
    Cost,
    check_outputs,
    check_processes,
    demand_scans_reachable,
    tell_parts,
    tell_plan,
)
from atypia.errors import BadOption
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.screener import Screener
    from atypia.screening import Tally, WatchedFile

FORMATS = ("csv", "jsonl", "parquet")


@click.command(
    cls=Taught,
    short_help="Judge scans with a fitted Screener.",
    examples=(
        "atypia score brain.atypia scans/ -o out",
        "atypia score --pretrained synthetic scans/ -o out",
        "atypia score brain.atypia a.png b.png -o out --heatmaps",
        "atypia score brain.atypia sub-01_FLAIR.nii.gz -o out --heatmaps",
        "atypia score brain.atypia STUDY/ -o out --results html,seg,sr,sc",
        "atypia score brain.atypia table.csv --root images/ -o out --format parquet",
        "atypia score brain.atypia scans/ -o out --dry-run",
        "atypia score brain.atypia s3://archive/manifest.parquet -o s3://archive/out --engine ray",
    ),
    glossary={
        "Columns of the findings": [
            ("name", "the scan, as its folder or table names it; of a volume one slice, as x.nii.gz:ax085"),
            ("verdict", "normal, abnormal, unfit to be judged, or unreadable"),
            (
                "score",
                "how abnormal; higher is more abnormal. In the detector's own units, or, where slices are "
                "compared by position, in standard deviations of healthy slices",
            ),
            ("p_value", "share of healthy calibration scans that score as high; small is unusual"),
            ("threshold", "the score above which a scan is flagged"),
            ("flagged", "true, false, or empty for a scan that could not be judged"),
            ("error", "why a scan could not be judged: what was expected, what came, what to do"),
            ("stratum", "the calibration scans it was compared with; empty where that was all of them"),
            ("unfit", "why a scan that was read may not be judged: it was not taken like those learned from"),
            ("regions", "how many places of the heat map are unlike healthy scans"),
        ],
        "Columns of the regions": [
            ("scan", "the scan, named as among the findings"),
            ("rank", "1 is the most striking region of that scan"),
            ("area, area_mm2", "in pixels of the scan; in square millimetres where their size is known"),
            ("peak, mean", "of the heat map inside the region, in the detector's own units"),
            ("p_value", "share of healthy calibration scans with a region as striking; at most 0.1"),
            ("centre_row, centre_column", "its middle, in pixels from the upper left one"),
            ("top, left, bottom, right", "the box around it, in pixels; the last two are beyond it"),
        ],
        "Columns of the volumes": [
            ("volume, plane", "the volume, as its folder or table names it; the plane in which it was cut"),
            (
                "slices, judged, flagged, unfit",
                "slices that show enough of the head; how many of them were judged, flagged, and unfit",
            ),
            ("highest, score", "the highest score of a slice; the mean of the three highest"),
            (
                "p_value",
                "share of healthy calibration volumes that score as high; empty unless the Screener "
                "was fitted with the patients known",
            ),
            ("look_at", "the three slices with the highest scores, the highest first"),
            ("map", "the heat map on the volume's own grid, with --heatmaps or --results nifti"),
            ("notes, error", "what was odd about the file; why it, or one of its slices, was not judged"),
            ("regions, files", "how many regions it has; all files that were written of it"),
            ("patient_id, study_uid, series_uid", "of a DICOM series, with --keep-identifiers alone"),
        ],
        "Columns of the regions of volumes": [
            ("volume, plane", "as among the volumes"),
            ("rank", "1 is the most striking region of that volume, and the value of its voxels in the mask"),
            ("voxels, volume_mm3", "its size: in voxels of the volume, in cubic millimetres"),
            ("peak, mean", "of the heat map inside the region, in the detector's own units"),
            ("p_value", "the smallest of the p-values of its regions in single slices; at most 0.1"),
            (
                "centre_right, centre_anterior, centre_superior",
                "its middle, in mm along the patient's axes; negative towards left, back and feet",
            ),
            ("extent_right, ...", "the sides of the box around it along the same axes, in mm"),
            (
                "i0, j0, k0, i1, j1, k1",
                "that box in voxels of the grid; the last three are beyond it",
            ),
            ("first_slice, last_slice", "the slices that it reaches from and to"),
        ],
        "Kinds of results": [
            (
                "nifti",
                "heatmaps/volume-0001.nii.gz, the heat map, and -mask.nii.gz, the regions' ranks",
            ),
            ("html", "pages/volume-0001.html, a page for reading, without the name of the volume"),
            ("seg", "dicom/volume-0001-seg.dcm, the regions as a DICOM Segmentation; of DICOM series alone"),
            ("sr", "dicom/volume-0001-sr.dcm, scores and regions as a DICOM report; writes seg as well"),
            ("sc", "dicom/volume-0001-sc-1.dcm, ..., the slices to look at as DICOM pictures"),
        ],
    },
)
@click.argument("model", required=False, type=options.PATH)
@click.argument("scans", nargs=-1, type=options.PATH, metavar="SCANS...")
@shipped.option
@options.out("FOLDER", "Folder for the findings, and for heatmaps/.")
@options.root
@click.option("--format", "kind", type=click.Choice(FORMATS), default="csv", help="Kind of table.")
@click.option(
    "--heatmaps",
    is_flag=True,
    help="Also write each scan with its heat map and regions, as PNG; of a volume map and mask as NIfTI, and "
    "three slices as PNG.",
)
@click.option(
    "--results",
    metavar="KINDS",
    help="What to write of each volume besides the tables, with commas between: nifti, html, seg, sr, sc.",
)
@click.option(
    "--keep-identifiers",
    is_flag=True,
    help="Name patient, study and series of DICOM in the table of volumes; else DICOM results alone do.",
)
@click.option(
    "--judge-all",
    is_flag=True,
    help="Also judge scans that were not taken like those learned from, such as CT, instead of calling them "
    "unfit.",
)
@options.volume
@click.option(
    "--shard",
    type=click.IntRange(1),
    metavar="N",
    help="Keep what is done after every N scans, whole volumes together. After an interruption the same "
    "command goes on from there. Default: 256 to 1024, by how many there are.",
)
@click.option(
    "--anew",
    is_flag=True,
    help="Give up what an interrupted job has done in the folder, and judge all scans again.",
)
@options.threads
@click.option(
    "--processes",
    type=click.IntRange(1),
    metavar="N",
    help="Processes of this machine that judge, and share --threads; each loads the Screener. Default: one "
    "for 1024 scans or fewer, or on a GPU; else one for two threads, but no more than one for 2 GiB of "
    "memory.",
)
@engine("holds the Screener and judges shards")
@click.option(
    "--require-signature",
    type=options.PATH,
    metavar="KEY.pub",
    help="Refuse MODEL unless MODEL.minisig is its signature by this key: see 'atypia sign'.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Judge a few of the scans, say what all of them would take, and write nothing.",
)
@click.option(
    "--price-per-core-hour",
    "price",
    type=click.FloatRange(0),
    metavar="X",
    help="With --dry-run, also say what the core-hours would cost, in the unit of the price.",
)
def score(
    model: Path | None,
    scans: tuple[Path, ...],
    pretrained: str | None,
    out: Path,
    root: Path | None,
    kind: str,
    heatmaps: bool,
    results: str | None,
    keep_identifiers: bool,
    judge_all: bool,
    volume: str | None,
    shard: int | None,
    anew: bool,
    threads: int | None,
    processes: int | None,
    require_signature: Path | None,
    dry_run: bool,
    price: float | None,
    **cluster: Any,
) -> None:
    """Judge scans: a row for each in OUT/findings.csv, also for those that could not be read.

    OUT/regions.csv has a row for each place of a heat map that is unlike healthy scans. Of a volume each
    slice is a scan; OUT/volumes.csv has a row for the whole, OUT/volume_regions.csv one for each of its
    regions in three dimensions.

    MODEL is what 'atypia fit' saved; --pretrained needs none. SCANS are pictures, volumes, folders or tables.
    Findings that an earlier run left in the folder are replaced, when the last scan is judged. What is
    interrupted goes on where it was, with the same command. The exit code is 1 where some scan could not be
    judged.

    Scans, and tables of them, may lie in an object store: s3://BUCKET/KEY, also as the path of a row. With
    --engine ray OUT may be one too; the tables are then partitioned, OUT/findings/part-000000.parquet and so
    on, a part for each shard, which appears when it is done.
    """
    from atypia.destination import claim_folder
    from atypia.reading.collection import read_collections
    from atypia.screening import Keeping, maker_of, score_to_folder

    workers = workers_of(threads=threads, **cluster)
    context = click.get_current_context()
    told = context.get_parameter_source("kind") is not ParameterSource.DEFAULT
    check_outputs(workers, out, kind if told else None, heatmaps=heatmaps, results=results)
    check_processes(workers, threads, processes)
    kinds = _kinds_of(results)
    file, scans = shipped.model_and_rest(pretrained, model, scans)
    if not scans:
        raise BadOption("Expected scans to judge: pictures, volumes, folders or tables; received none.")
    screener, watched = _loaded(file, require_signature)
    screener.use_threads(threads if workers is None else workers.threads_each)
    cutting = replace(screener.cutting, volume=volume or screener.volume_)
    collection = read_collections(scans, root=root, cutting=cutting).packed()
    tell_aside(collection)
    demand_scans_reachable(collection)
    if dry_run:
        tell_plan(screener, collection, workers, Cost(shard, file.stat().st_size, price, threads, processes))
        return
    maker, keeping = maker_of(screener, file, pretrained), Keeping(shard, anew, threads, watched, processes)
    if workers is not None:
        from atypia.cluster import score_to_parts

        parts = score_to_parts(
            file,
            maker,
            collection,
            out,
            workers,
            keeping,
            judge_all=judge_all,
            keep_identifiers=keep_identifiers,
        )
        if pretrained is not None:
            click.echo(shipped.UNCALIBRATED, err=True)
        context.exit(tell_parts(parts))
    claim_folder(out)
    tally = score_to_folder(
        screener,
        collection,
        out,
        kind,
        heatmaps,
        judge_all,
        kinds,
        maker,
        keep_identifiers,
        keeping,
    )
    if pretrained is not None:
        click.echo(shipped.UNCALIBRATED, err=True)
    _tell(tally, out / "heatmaps" if heatmaps else None)
    _tell_left_out(tally)
    context.exit(1 if tally.unreadable or tally.unfit else 0)


def _kinds_of(results: str | None) -> list[str]:
    """Return the kinds of results that are asked for; raise where one is not known or cannot be made here."""
    from atypia.screening.results import results_of

    kinds = [kind.strip() for kind in results.split(",")] if results is not None else []
    for result in results_of(kinds).values():
        result.check()
    return kinds


def _loaded(file: Path, key: Path | None) -> tuple[Screener, WatchedFile]:
    """Load a Screener, whose signature is demanded where a key is given."""
    from atypia.screener import Screener
    from atypia.screening import WatchedFile

    watched = WatchedFile(file)
    if key is None:
        return Screener.load(file), watched
    from atypia.signing import demand_signature, read_public

    demand_signature(file, read_public(key))
    screener = Screener.load(file)
    watched.demand_same(None)  # what was loaded is what was verified
    return screener, watched


def _tell(tally: Tally, heatmaps: Path | None) -> None:
    counts = f"{tally.judged} {'scan' if tally.judged == 1 else 'scans'} judged, {tally.flagged} abnormal"
    if tally.kept:
        click.echo(f"went on where it was interrupted: {tally.kept} scans were done before", err=True)
    if tally.lost:
        died = "1 process" if tally.lost == 1 else f"{tally.lost} processes"
        click.echo(f"{died} died on the way; the scans that were lost with it were judged again", err=True)
    click.echo(f"{counts}\nfindings: {tally.table}")
    if tally.volumes:
        click.echo(f"volumes: {tally.volumes} in {tally.volumes_table}")
    if tally.regions:
        click.echo(f"regions: {tally.regions} in {tally.regions_table}")
    if tally.volume_regions:
        click.echo(f"regions of volumes: {tally.volume_regions} in {tally.volume_regions_table}")
    if tally.folders:
        click.echo(f"results: {', '.join(map(str, tally.folders))}")
    if heatmaps is not None and heatmaps not in tally.folders and (tally.judged or tally.unfit):
        click.echo(f"heat maps: {heatmaps}")
    if tally.unfit:
        click.echo(
            f"{tally.unfit} unfit to be judged: see the column unfit of {tally.table}; "
            "--judge-all judges them too",
            err=True,
        )
    if tally.unreadable:
        click.echo(f"{tally.unreadable} could not be judged: see the column error of {tally.table}", err=True)
    click.echo(RESEARCH_USE_ONLY)


def _tell_left_out(tally: Tally) -> None:
    for left, why in tally.left_out.items():
        asked = left if left == "pictures" else f"--results {left}"
        click.echo(f"{asked}: nothing was written of some scans: {why}", err=True)
