"""Lets `python -m atypia` do what `atypia` does."""

from atypia.cli import main

main()
