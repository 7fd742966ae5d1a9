"""Generated DICOM series: classic and enhanced, with whatever is to be wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.fixture(scope="session", autouse=True)
def own_key(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keep the tests from the user's key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATYPIA_KEY", str(tmp_path_factory.mktemp("key") / "group.key"))
        yield


@pytest.fixture
def slices() -> np.ndarray:
    """Stored pixels, uint16 (8, 20, 24), no two slices alike."""
    return np.random.default_rng(3).integers(0, 4000, (8, 20, 24)).astype(np.uint16)


def header(kind: str, shape: tuple[int, int], dtype: Any) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = kind
    data.Modality, data.PatientID, data.PatientName = "MR", "id-4711", "Planted^Name"
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.1"
    data.SeriesNumber, data.SeriesDescription = 3, "t2_tse_tra"
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    data.Rows, data.Columns = shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = np.dtype(dtype).itemsize * 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(np.dtype(dtype).kind == "i")
    return data


def save(data: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data.SOPInstanceUID = data.get("SOPInstanceUID") or generate_uid()
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


@pytest.fixture
def write_series() -> Callable[..., list[Path]]:
    """`write_series(folder, pixels, edit=..., step=..., spacing=...)` writes a file for each slice.

    `edit(data, index)` changes a header before it is written. The files' order says nothing of the slices'.
    """

    def write(
        folder: Path,
        pixels: np.ndarray,
        edit: Callable[[Dataset, int], None] = lambda _data, _index: None,
        *,
        first: tuple[float, float, float] = (-10.0, -20.0, 30.0),
        step: tuple[float, float, float] = (0.0, 0.0, 5.0),
        orientation: tuple[float, ...] = AXIAL,
        spacing: tuple[float, float] = (1.5, 0.75),
        uid: str = "1.2.3.4.1",
    ) -> list[Path]:
        order = np.random.default_rng(7).permutation(len(pixels))
        written = []
        for index, image in enumerate(pixels):
            data = header(MR, image.shape, image.dtype)
            data.SeriesInstanceUID = uid
            data.ImagePositionPatient = [round(a + index * b, 6) for a, b in zip(first, step, strict=True)]
            data.ImageOrientationPatient = list(orientation)
            data.PixelSpacing, data.SliceThickness = list(spacing), 5
            data.InstanceNumber = int(order[index]) + 1
            data.PixelData = image.tobytes()
            edit(data, index)
            written.append(save(data, folder / f"{uid.rpartition('.')[2]}-{order[index]:04d}"))
        return written

    return write


@pytest.fixture
def write_enhanced() -> Callable[..., Path]:
    """`write_enhanced(path, pixels, places, edit=...)` writes an enhanced file, a frame for each place."""

    def write(
        path: Path,
        pixels: np.ndarray,
        places: list[float],
        edit: Callable[[Dataset], None] = lambda _data: None,
    ) -> Path:
        data = header(ENHANCED_MR, pixels.shape[1:], pixels.dtype)
        data.NumberOfFrames = len(pixels)
        orientation, measures, value = Dataset(), Dataset(), Dataset()
        orientation.ImageOrientationPatient = list(AXIAL)
        measures.PixelSpacing, measures.SliceThickness = [1.5, 0.75], 5
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = 2, -1, "US"
        shared = Dataset()
        shared.PlaneOrientationSequence = [orientation]
        shared.PixelMeasuresSequence = [measures]
        shared.PixelValueTransformationSequence = [value]
        data.SharedFunctionalGroupsSequence = [shared]
        data.PerFrameFunctionalGroupsSequence = []
        for place in places:
            position, own = Dataset(), Dataset()
            position.ImagePositionPatient = [-10, -20, place]
            own.PlanePositionSequence = [position]
            data.PerFrameFunctionalGroupsSequence.append(own)
        data.PixelData = pixels.tobytes()
        edit(data)
        return save(data, path)

    return write
