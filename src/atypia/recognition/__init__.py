"""Telling how a slice was taken from what it shows, where no header says so."""

from atypia.recognition.recognition import Recognised, recognise

__all__ = ["Recognised", "recognise"]
