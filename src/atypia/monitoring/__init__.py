"""Watching the p-values of scored scans: whether they still behave as calibration promised."""
