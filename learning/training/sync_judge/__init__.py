"""Training the judge of sync."""
