"""Stage 2: the motion model learns to move a face from a voice."""
