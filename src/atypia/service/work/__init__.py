"""The workers: they claim jobs, judge them with Screeners that they hold, and write what was found."""
