"""Stage 1 of the implicit motion method (ICME 2026): motion becomes pixels. One module of the paper a file."""
