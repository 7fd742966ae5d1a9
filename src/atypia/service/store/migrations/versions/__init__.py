"""One module for each step; the first makes the tables."""
