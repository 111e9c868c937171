"""Stage 2 of the implicit motion method (ICME 2026): a voice becomes motion. One module of the paper a file."""
