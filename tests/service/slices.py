"""Slices of a DICOM series, with what names a patient in them."""

from __future__ import annotations

import io

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR = "1.2.840.10008.5.1.4.1.1.4"
PLANTED = {
    "PatientName": "Zebrowski^Quentin",
    "PatientID": "QZ-90210",
    "PatientBirthDate": "19510203",
    "AccessionNumber": "ACC55512",
    "StudyDescription": "Quentin's head",
    "StudyDate": "20190807",
}


def image(pixels: np.ndarray | None, index: int, study: str, series: str, thickness: float = 5.0) -> Dataset:
    """A slice of shares (0 to 1), or of 12 bits; None has no pixels."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MR
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for name, value in PLANTED.items():
        setattr(data, name, value)
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = study, series, "MR"
    data.SeriesNumber, data.SeriesDescription, data.InstanceNumber = 3, "t2_tse_tra", index + 1
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    data.ImagePositionPatient = [-80, -80, thickness * index]
    data.ImageOrientationPatient, data.PixelSpacing = [1, 0, 0, 0, 1, 0], [5, 5]
    data.SliceThickness = thickness
    if pixels is not None:
        data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        grey = pixels if pixels.dtype == np.uint16 else np.uint16(4000 * pixels)
        data.PixelData = np.ascontiguousarray(grey).tobytes()
    return data


def encoded(data: Dataset) -> bytes:
    """The bytes of a DICOM file."""
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()
