"""Data sets: the phantom that is drawn here, the public ones, and how a set is split."""
