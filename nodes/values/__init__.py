"""Socket types, and checks of the host's values."""
