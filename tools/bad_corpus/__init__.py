"""Bad input of every kind, made from the phantom: which files, which faults, and what is to come of each."""
