"""The reading room: a server that takes scans, judges them in workers, and shows what was found."""
