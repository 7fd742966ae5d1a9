"""Lets `python -m atypia.cli.apart` do what `atypia` does, and end with the process that holds its input."""

from __future__ import annotations

from atypia.cli import main
from atypia.parent import end_with_input

if __name__ == "__main__":
    end_with_input()
    main()
