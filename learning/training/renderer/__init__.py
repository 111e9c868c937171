"""Stage 1: the renderer and its motion encoder learn from drawn people."""
