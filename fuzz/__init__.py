"""Fuzzing: what reads the files of strangers is given files that no one would make.

A target is a module of this folder with a `TARGET`: small valid seeds made from the phantom, a way to change
them that keeps what surrounds a value right (lengths, checksums, packing), and what is done with the bytes.
`python -m fuzz NAME` runs one under atheris; `tests/test_fuzz.py` replays the seeds and a few changes of each
without it.
"""
