"""Example graphs, and the code that writes them."""
