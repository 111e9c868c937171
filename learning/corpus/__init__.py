"""The procedural talking-portrait corpus: heads, speech, motion and renderer, all drawn by this package."""
