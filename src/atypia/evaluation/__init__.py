"""How good the scores, the verdicts and the heat maps are, beside labels and masks."""
