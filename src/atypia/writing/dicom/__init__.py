"""Results as DICOM objects of the study that they are about: segmentation, report and pictures."""

from atypia.writing.dicom.capture import write_capture
from atypia.writing.dicom.report import write_report
from atypia.writing.dicom.saving import demand_highdicom
from atypia.writing.dicom.segmentation import write_segmentation

__all__ = ["demand_highdicom", "write_capture", "write_report", "write_segmentation"]
