"""Heads as MR series, classic and enhanced, with whole headers, and what was found of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from atypia.reading.dicom import read_dicom
from atypia.reading.volume import Volume
from atypia.volume_finding import Maker, SliceFinding, VolumeFinding, VolumeRegion

MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
STUDY = "1.2.826.0.1.3680043.8.498.1"
DEPTH, SIDE, STEP, SPACING = 6, 48, 5.0, (1.5, 1.0)
Edit = Callable[[Dataset, int], None]


@pytest.fixture(scope="session", autouse=True)
def own_key(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keep the tests from the user's key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATYPIA_KEY", str(tmp_path_factory.mktemp("key") / "group.key"))
        yield


@pytest.fixture(scope="session")
def heads(draw_heads: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Stored pixels, uint16 (DEPTH, SIDE, SIDE)."""
    drawn, _ = draw_heads(DEPTH, SIDE, seed=4, lesion=0.5)
    return np.rint(drawn * 1000).astype(np.uint16)


def header(kind: str, series: str) -> Dataset:
    """What a scanner says of a patient, a study and a series."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = kind
    data.SpecificCharacterSet = "ISO_IR 100"
    data.PatientName, data.PatientID = "Müller^Quentin", "QZ-90210"
    data.PatientBirthDate, data.PatientSex, data.PatientAge = "19510203", "M", "068Y"
    data.StudyInstanceUID, data.StudyID, data.AccessionNumber = STUDY, "S1", "ACC55512"
    data.StudyDate = data.SeriesDate = data.ContentDate = "20190807"
    data.StudyTime = data.SeriesTime = data.ContentTime = "101112"
    data.ReferringPhysicianName, data.StudyDescription = "Doctor^Whovian", "Head"
    data.Modality, data.SeriesInstanceUID, data.SeriesNumber = "MR", series, 4
    data.SeriesDescription = "t2_tse_tra"
    data.Manufacturer, data.ManufacturerModelName = "Maker", "Scanner 3"
    data.DeviceSerialNumber, data.SoftwareVersions = "SER4242", "v1"
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = f"{STUDY}.7", ""
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    data.Rows = data.Columns = SIDE
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    return data


def save(data: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


def place(index: int) -> list[float]:
    return [-24.0, -36.0, 10 + STEP * index]


@pytest.fixture
def write_classic(heads: np.ndarray) -> Callable[..., list[Path]]:
    """`write_classic(folder, edit=..., pixels=...)` writes a file for each slice, the last slice first."""

    def write(
        folder: Path, edit: Edit = lambda _data, _index: None, pixels: np.ndarray = heads
    ) -> list[Path]:
        written = []
        for index, image in reversed(list(enumerate(pixels))):
            data = header(MR, f"{STUDY}.1")
            data.SOPInstanceUID = f"{STUDY}.1.{index + 1}"
            data.Rows, data.Columns = image.shape
            data.ImagePositionPatient, data.ImageOrientationPatient = place(index), [1, 0, 0, 0, 1, 0]
            data.PixelSpacing, data.SliceThickness = list(SPACING), STEP
            data.InstanceNumber = len(pixels) - index
            data.PixelData = image.tobytes()
            edit(data, index)
            written.append(save(data, folder / f"im{len(written):03}"))
        return written

    return write


@pytest.fixture
def write_enhanced(heads: np.ndarray) -> Callable[..., Path]:
    """`write_enhanced(path, edit=...)` writes all slices into one file, the frames in order of `order`."""

    def write(
        path: Path, edit: Edit = lambda _data, _index: None, order: tuple[int, ...] = (3, 0, 1, 2, 5, 4)
    ) -> Path:
        data = header(ENHANCED_MR, f"{STUDY}.2")
        data.SOPInstanceUID, data.NumberOfFrames, data.InstanceNumber = f"{STUDY}.2.1", len(order), 1
        orientation, measures = Dataset(), Dataset()
        orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        measures.PixelSpacing, measures.SliceThickness = list(SPACING), STEP
        shared = Dataset()
        shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
        data.SharedFunctionalGroupsSequence = [shared]
        data.PerFrameFunctionalGroupsSequence = []
        for index in order:
            position, own = Dataset(), Dataset()
            position.ImagePositionPatient = place(index)
            own.PlanePositionSequence = [position]
            data.PerFrameFunctionalGroupsSequence.append(own)
        data.PixelData = heads[list(order)].tobytes()
        edit(data, 0)
        return save(data, path)

    return write


MAKER = Maker("brain", "nearest", "0.1.0", (1.0, 3.0), sha256="ab" * 32, rule="quantile")


@pytest.fixture
def maker() -> Maker:
    return MAKER


def found_in(path: Path, plane: str = "axial", number: int = 1) -> VolumeFinding:
    """What a Screener might have found of a series: two regions, the second of a single voxel."""
    volume = read_dicom(path)
    heat, labels = volume.empty(), np.zeros(volume.pixels.shape, np.uint16)
    heat[10:40, 12:40] = np.linspace(0, 3.5, 28)[:, None]
    labels[20:26, 30:40, 2:5], labels[12, 14, 1] = 1, 2
    regions = tuple(region_of(volume, labels, rank) for rank in (1, 2))
    names = {"axial": "ax", "coronal": "co", "sagittal": "sa"}
    slices = tuple(
        SliceFinding(index, f"{names[plane]}{index:03}", 2.0 + index, 0.2 / (1 + index), index > 2)
        for index in range(volume.slice_count(plane))
    )
    look_at = tuple(one.index for one in reversed(slices[-3:]))
    return VolumeFinding(
        name="study/series-004", path=path, number=number, plane=plane,
        slices=len(slices), judged=len(slices), flagged=len(slices) - 3, unfit=0,
        highest=slices[-1].score, score=slices[-2].score, p_value=0.0625,
        threshold=4.5, look_at=look_at, slice_findings=slices, heat=heat, labels=labels, regions=regions,
        affine=volume.affine,
    )  # fmt: skip


def region_of(volume: Volume, labels: np.ndarray, rank: int) -> VolumeRegion:
    voxels = np.argwhere(labels == rank)
    low, high = voxels.min(0), voxels.max(0) + 1
    centre = volume.affine[:3, :3] @ voxels.mean(0) + volume.affine[:3, 3]
    size = float(np.prod(volume.spacing))
    return VolumeRegion(
        rank, len(voxels), len(voxels) * size, 3.5 / rank, 2.5 / rank, 0.01 * rank, tuple(centre.tolist()),
        tuple(((high - low) * volume.spacing).tolist()), (*low.tolist(), *high.tolist()), ("ax001",),
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A series on disk with what was found of it."""

    files: tuple[Path, ...]
    finding: VolumeFinding

    def without_regions(self) -> VolumeFinding:
        assert self.finding.labels is not None
        return replace(self.finding, regions=(), labels=np.zeros_like(self.finding.labels))


@pytest.fixture
def classic(tmp_path: Path, write_classic: Callable[..., list[Path]]) -> Case:
    files = write_classic(tmp_path / "series")
    return Case(tuple(files), found_in(files[0]))


@pytest.fixture
def enhanced(tmp_path: Path, write_enhanced: Callable[..., Path]) -> Case:
    path = write_enhanced(tmp_path / "enhanced" / "e.dcm")
    return Case((path,), found_in(path))


@pytest.fixture(name="found_in")
def _found_in() -> Callable[..., VolumeFinding]:
    return found_in
