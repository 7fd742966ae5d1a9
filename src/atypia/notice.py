"""What every page, picture and report must say of itself."""

RESEARCH_USE_ONLY = "Research use only. Not a medical device."
SYNTHETIC = "Synthetic data: figures say that the machinery works, not how good it is."
