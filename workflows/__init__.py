"""Example graphs, and the description they are written from."""
