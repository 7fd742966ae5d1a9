from __future__ import annotations

import gzip
import io
import math
import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import PIL.Image
import pytest
from sqlalchemy import func, select

from atypia.screener import Screener
from atypia.service.store import queue
from atypia.service.store.models import Event, Finding, Instance, Job, Study
from atypia.service.work.drawing import fetched
from atypia.service.work.picture_files import unpacked

OF_PICTURES = {
    *("thumbnail.webp", "scan.png", "map.bin.gz", "p.bin.gz", "mask.png", "prepared.png"),
    *("overlay.png", "report.html"),
}
OF_VOLUMES = {
    "thumbnail.webp",
    "scan.nii.gz",
    "map.nii.gz",
    "mask.nii.gz",
    "report.html",
    "view/scan.nii.gz",
    "view/heat.nii.gz",
}


def drawn(desk, finding: Finding, name: str) -> Path | bytes:
    return fetched(desk.home, finding, name, desk.screener.sha256)


def zipped(**entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_picture_is_judged_as_score_judges_it(desk, head_png, tmp_path):
    (finding,) = desk.judged(desk.send(head_png(7, lesion=0.5)))
    (tmp_path / "a.png").write_bytes(head_png(7, lesion=0.5))
    from atypia.reading.collection import read_collections

    held = Screener.load(desk.home.screener(desk.screener.sha256))
    (expected,) = held.score(read_collections([tmp_path / "a.png"]), p_maps=True)
    assert (finding.score, finding.p_value, finding.flagged, finding.threshold, finding.verdict) == (
        expected.score,
        expected.p_value,
        expected.flagged,
        expected.threshold,
        expected.verdict,
    )
    assert finding.verdict == "abnormal"
    assert finding.label == "upload 1234, file 1"
    folder = desk.home.findings(finding.id)
    assert [path.name for path in folder.iterdir()] == ["picture.arrow"]
    assert {entry["name"] for entry in finding.files} == OF_PICTURES
    heat = unpacked(drawn(desk, finding, "map.bin.gz"), (32, 32))
    np.testing.assert_array_equal(heat, expected.heatmap)
    p_map = unpacked(drawn(desk, finding, "p.bin.gz"), (32, 32))
    assert (p_map >= expected.p_map).all()
    np.testing.assert_allclose(p_map, expected.p_map, rtol=0.005)
    assert p_map.max() == 1
    assert 0 < p_map.min() < 0.1
    assert len(finding.values["regions"]) == finding.regions == len(expected.regions)


def test_what_shows_a_picture_is_made_when_asked_for(desk, head_png):
    (finding,) = desk.judged(desk.send(head_png(7, lesion=0.5)))
    page = drawn(desk, finding, "report.html").decode()
    assert "Research use only" in page
    assert "Abnormal" in page
    assert "<script" not in page
    with PIL.Image.open(io.BytesIO(drawn(desk, finding, "overlay.png"))) as overlay:
        assert overlay.size == (32, 32)
        assert "Research use only" in overlay.info["Disclaimer"]
    for name in ("../../key", "nothing.png"):
        with pytest.raises(FileNotFoundError):
            drawn(desk, finding, name)
    with PIL.Image.open(io.BytesIO(head_png(7, lesion=0.5))) as sent:
        low, high = np.percentile(np.asarray(sent), [0.5, 99.5])
        expected = np.clip((np.asarray(sent, float) - low) / (high - low), 0, 1)
    for name, size in (("scan.png", (32, 32)), ("thumbnail.webp", (32, 32)), ("mask.png", (32, 32))):
        with PIL.Image.open(io.BytesIO(drawn(desk, finding, name))) as made:
            assert made.size == size
            if name == "scan.png":
                np.testing.assert_allclose(np.asarray(made) / 255, expected, atol=0.003)
            if name == "mask.png":
                assert np.asarray(made).max() == finding.regions
    (desk.home.findings(finding.id) / "picture.arrow").write_bytes(b"ARROW1 and nothing of it")
    with pytest.raises(FileNotFoundError):
        drawn(desk, finding, "scan.png")


def test_many_small_jobs_are_judged_together_and_each_has_its_own(desk, head_png):
    jobs = [desk.send(head_png(seed)) for seed in range(5)]
    assert desk.worker().once() == 5
    scores = [desk.findings(job)[0].score for job in jobs]
    assert len(set(scores)) == 5
    assert [desk.job(job).counts["normal"] + desk.job(job).counts["abnormal"] for job in jobs] == [1] * 5


def test_jobs_that_are_alike_are_taken_while_others_are_judged(desk, head_png):
    few = [desk.send(head_png(seed)) for seed in range(3 * queue.TOGETHER)]
    broken, other = desk.send(head_png(1, size=64)[:300]), desk.send(head_png(1), judge_all=True)
    last = desk.send(head_png(2))
    worker = desk.worker()
    assert worker.once() == len(few) + 2
    assert {desk.job(job).state for job in (*few, broken, last)} == {"done"}
    assert desk.findings(broken)[0].verdict == "unreadable"
    assert desk.job(other).state == "queued"
    assert worker.drain() == 1
    assert worker.idle.is_set()


def test_large_pictures_are_judged_in_several_calls(desk, head_png, monkeypatch):
    from atypia.service.work import sitting

    monkeypatch.setattr(sitting, "AT_ONCE", 2500)
    calls, whole = [], Screener.judge

    def counted(self, rows, **how):
        calls.append(0)
        for row in rows_of(rows):
            yield from whole(self, [row], **how)

    def rows_of(rows):
        for row in rows:
            calls[-1] += 1
            yield row

    monkeypatch.setattr(Screener, "judge", counted)
    findings = desk.judged(desk.send(*(head_png(seed) for seed in range(5))))
    assert calls == [2, 2, 1]
    assert len({finding.score for finding in findings}) == 5


def test_one_bad_picture_costs_one_finding(desk, head_png):
    truncated = head_png(1, size=64)[:300]
    findings = desk.judged(desk.send(head_png(), truncated, head_png(2)))
    assert [finding.verdict for finding in findings] == ["normal", "unreadable", "normal"]
    assert findings[1].error.startswith("upload 1234, file 2: expected")
    assert str(desk.home.path) not in findings[1].error
    assert findings[1].files == []
    assert findings[1].score is None
    assert desk.folders() == {findings[0].id, findings[2].id}


def test_a_picture_that_is_too_large_is_not_decoded(desk, head_png):
    limits = replace(desk.settings.limits, picture_pixels=1000)
    (finding,) = desk.judged(desk.send(head_png()), limits=limits)
    assert finding.verdict == "unreadable"
    assert "1024" in finding.error


def test_a_volume_has_its_map_and_slices(desk, nifti, volume):
    (finding,) = desk.judged(desk.send(nifti))
    assert finding.kind == "volume"
    assert finding.plane == "axial"
    assert finding.slices == len(finding.values["slice_findings"]) > 6
    assert finding.verdict in ("normal", "abnormal")
    assert finding.p_kind == "lowest slice"
    assert finding.p_value == min(one["p_value"] for one in finding.values["slice_findings"])
    assert finding.values["map"]["shape"] == [32, 32, 12]
    assert finding.values["spacing"] == [5, 5, 8]
    folder = desk.home.findings(finding.id)
    names = {entry["name"] for entry in finding.files}
    assert names - {"view/regions.nii.gz"} == OF_VOLUMES | {"slice-1.png", "slice-2.png", "slice-3.png"}
    assert all((folder / name).stat().st_size for name in names)
    scan = nibabel.load(folder / "scan.nii.gz")
    assert scan.get_data_dtype() == np.int16
    np.testing.assert_array_equal(np.asarray(scan.dataobj), volume)
    assert nibabel.load(folder / "map.nii.gz").shape == (32, 32, 12)


def text_of(folder: Path) -> str:
    """All that lies below a folder, names and contents, as text."""
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(str(path))
        if path.is_file():
            parts.append(path.read_bytes().decode("latin-1"))
    return "\n".join(parts)


def test_a_dicom_series_is_one_volume_and_names_nobody(desk, dicom, nifti, planted):
    by_files, by_zip = desk.send(*dicom), desk.send(zipped(**{f"Doe/{i}": d for i, d in enumerate(dicom)}))
    of_nifti = desk.send(nifti)
    desk.worker().drain()
    (first,), (second,), (third,) = map(desk.findings, (by_files, by_zip, of_nifti))
    assert first.score == pytest.approx(third.score)
    assert second.score == pytest.approx(first.score)
    assert first.label == "upload 1234, series-003"
    assert second.label == "upload 1234, file 1, series-003"
    told = text_of(desk.home.all_findings) + desk.home.database.read_bytes().decode("latin-1")
    wal = desk.home.database.with_name("atypia.sqlite-wal")
    told += wal.read_bytes().decode("latin-1") if wal.exists() else ""
    for text in planted:
        assert text not in told


def test_dicom_results_are_written_where_they_are_asked_for(desk, dicom):
    pytest.importorskip("highdicom")
    (finding,) = desk.judged(desk.send(*dicom, results=["seg", "sr", "sc"], judge_all=True))
    names = {entry["name"] for entry in finding.files if entry["name"].startswith("dicom/")}
    assert {name.split("-", 2)[2].split("-")[0].removesuffix(".dcm") for name in names} >= {"sc"}
    assert all((desk.home.findings(finding.id) / name).is_file() for name in names)


def test_dicom_without_pixels_is_told(desk, without_pixels):
    (finding,) = desk.judged(desk.send(without_pixels))
    assert finding.verdict == "unreadable"
    assert finding.error.startswith("upload 1234, volume 1: expected a whole DICOM image")


def test_an_archive_of_all_kinds_gives_a_finding_each(desk, head_png, nifti):
    content = zipped(**{"a/DOE.png": head_png(1), "b/x.nii.gz": nifti, "c/readme.txt": b"no scan"})
    findings = desk.judged(desk.send(content))
    assert [finding.kind for finding in findings] == ["picture", "volume"]
    assert [finding.label for finding in findings] == [
        "upload 1234, file 1, image 1",
        "upload 1234, file 1, volume 2",
    ]
    assert "DOE" not in str([finding.values for finding in findings])


def test_an_archive_without_a_scan_is_told(desk):
    (finding,) = desk.judged(desk.send(zipped(**{"readme.txt": b"no scan"})))
    assert finding.verdict == "unreadable"
    assert "received none" in finding.error


def test_thousands_of_tiny_files_are_passed_over(desk, head_png):
    content = zipped(**{f"{number}.txt": b"x" for number in range(3000)}, **{"z.png": head_png()})
    (finding,) = desk.judged(desk.send(content))
    assert finding.verdict == "normal"


def test_names_are_kept_where_that_is_asked_for(desk, head_png):
    (finding,) = desk.judged(desk.send(head_png(), name="mine.png"), keep_names=True)
    assert finding.label == "mine.png"
    archive = desk.send(zipped(**{"sub/other.png": head_png(3)}), name="all.zip")
    (finding,) = desk.judged(archive, keep_names=True)
    assert finding.label == "sub/other.png"


def test_a_path_below_a_root_is_judged_and_its_names_stay_out(desk, head_png, tmp_path):
    root = tmp_path / "scans"
    (root / "Doe").mkdir(parents=True)
    for number in range(3):
        (root / "Doe" / f"john{number}.png").write_bytes(head_png(number) if number else b"broken")
    job = desk.enqueue(kind="path", path="Doe")
    findings = desk.judged(job, roots=(root,))
    assert [finding.verdict for finding in findings] == ["unreadable", "normal", "normal"]
    assert [finding.label for finding in findings] == [f"upload 1234, file {n}" for n in (1, 2, 3)]
    assert "john" not in (findings[0].error or "")
    assert findings[1].values["source"] == {"root": str(root.resolve()), "path": "Doe/john1.png"}


def test_a_table_below_a_root_does_not_lead_out_of_it(desk, head_png, tmp_path):
    root, outside = tmp_path / "scans", tmp_path / "outside.png"
    root.mkdir()
    outside.write_bytes(head_png())
    (root / "in.png").write_bytes(head_png(1))
    (root / "table.csv").write_text("path\nin.png\n../outside.png\ns3://bucket/x.png\n")
    job = desk.enqueue(kind="path", path="table.csv")
    findings = desk.judged(job, roots=(root,))
    assert [finding.verdict for finding in findings] == ["normal", "unreadable", "unreadable"]
    assert "outside the allowed folders" in findings[1].error


def test_a_path_that_is_gone_or_not_allowed_fails_with_a_reason(desk, tmp_path):
    for roots in ((), (tmp_path,)):
        job = desk.enqueue(kind="path", path="../secret")
        desk.worker(roots=roots).drain()
        assert desk.job(job).state == "failed"
        assert str(tmp_path) not in desk.job(job).error


def test_a_study_is_judged_from_its_instances(desk, dicom):
    with desk.store.write() as session:
        study = Study(key="k" * 64)
        session.add(study)
        session.flush()
        folder = desk.home.study(study.id)
        folder.mkdir()
        for number, content in enumerate(dicom):
            (folder / f"{number}.dcm").write_bytes(content)
            told = {"key": f"{number}", "file": f"{number}.dcm", "sha256": "0" * 64}
            session.add(Instance(study=study.id, **told))
    (finding,) = desk.judged(desk.enqueue(kind="study", study=study.id))
    assert finding.study == study.id
    assert finding.kind == "volume"


def test_a_screener_that_was_deleted_fails_its_jobs_with_a_reason(desk, head_png):
    job = desk.send(head_png())
    desk.home.screener(desk.screener.sha256).unlink()
    desk.worker().drain()
    assert desk.job(job).state == "failed"
    assert "deleted" in desk.job(job).error


def test_a_screener_that_is_deleted_while_in_use_goes_on(desk, head_png):
    worker = desk.worker()
    desk.send(head_png())
    worker.drain()
    desk.home.screener(desk.screener.sha256).unlink()
    job = desk.send(head_png(1))
    worker.drain()
    assert desk.job(job).state == "done"


def test_another_file_in_the_place_of_a_screener_is_not_used(desk, head_png):
    job = desk.send(head_png())
    with desk.home.screener(desk.screener.sha256).open("ab") as file:
        file.write(b"more")
    desk.worker().drain()
    assert desk.job(job).state == "failed"


def test_on_a_full_disk_a_job_waits_and_leaves_nothing(desk, head_png, monkeypatch):
    from atypia.service.work import sitting

    good = desk.send(head_png(1))
    desk.worker().drain()

    def full(*_args: object, **_how: object) -> None:
        raise OSError(28, "No space left on device")

    job = desk.send(head_png(2))
    with monkeypatch.context() as patch:
        patch.setattr(sitting, "write_picture", full)
        desk.worker().drain()
    assert desk.job(job).state == "queued"
    assert "full" in desk.job(job).error
    assert desk.folders() == {desk.findings(good)[0].id}
    assert list(desk.home.tmp.iterdir()) == []


def test_a_detector_that_fails_costs_one_job_where_others_were_judged_with_it(desk, head_png, monkeypatch):
    from atypia.detectors import Atlas

    jobs = [desk.send(head_png(seed)) for seed in range(3)]
    whole, calls = Atlas.score, []

    def fails(self, batch):
        calls.append(len(batch.pixels))
        if len(calls) in (1, 3):
            raise RuntimeError("no")
        return whole(self, batch)

    monkeypatch.setattr(Atlas, "score", fails)
    desk.worker().drain()
    assert [desk.job(job).state for job in jobs] == ["done", "failed", "done"]
    assert "RuntimeError" in desk.job(jobs[1]).error


def test_a_job_that_is_cancelled_meanwhile_keeps_nothing(desk, head_png, monkeypatch):
    from atypia.service.work import worker as module

    job, whole = desk.send(head_png()), module.Worker._end

    def cancelled(self, *args):
        with desk.store.write() as session:
            queue.cancel(session, job)
        whole(self, *args)

    monkeypatch.setattr(module.Worker, "_end", cancelled)
    desk.worker().drain()
    assert desk.job(job).state == "cancelled"
    assert desk.findings(job) == []
    assert desk.folders() == set()


def test_a_worker_that_is_told_to_stop_gives_back_what_it_began(desk, head_png):
    job, worker = desk.send(*(head_png(seed) for seed in range(4))), desk.worker()
    worker.stop.set()
    worker.once()
    given_back = desk.job(job)
    assert (given_back.state, given_back.attempts, given_back.owner) == ("queued", 0, None)
    assert desk.folders() == set()


def test_what_is_not_finite_does_not_reach_the_database(desk):
    blank = io.BytesIO()
    PIL.Image.new("L", (40, 40)).save(blank, "PNG")
    (finding,) = desk.judged(desk.send(blank.getvalue()))
    assert finding.score is None or math.isfinite(finding.score)


def test_pages_are_told_of_a_job_from_its_start_to_its_end(desk, head_png):
    job = desk.send(head_png())
    desk.worker().drain()
    with desk.store.session() as session:
        told = session.execute(select(Event.kind, Event.subject).where(Event.job == job)).all()
    finding = desk.findings(job)[0].id
    assert [tuple(one) for one in told] == [
        ("job", job),
        ("job", job),
        ("finding", finding),
        ("job", job),
    ] or [tuple(one) for one in told] == [("job", job), ("job", job), ("job", job), ("finding", finding)]


def test_nothing_waits_nothing_is_done(desk):
    assert desk.worker().once() == 0
    with desk.store.session() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0
        assert session.scalar(select(func.count()).select_from(Finding)) == 0


def test_a_gzip_bomb_of_a_volume_is_told_by_its_header(desk):
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    content = bytearray(image.to_bytes())
    content[40:56] = np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], "<i2").tobytes()
    (finding,) = desk.judged(desk.send(gzip.compress(bytes(content))))
    assert finding.verdict == "unreadable"
