"""From films as they were downloaded to clips that the networks learn from: `prepare`."""
