"""The figures and the page that tell a reader how good a Screener is."""
