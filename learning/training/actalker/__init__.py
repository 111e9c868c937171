"""ACTalker's trainable layers, on Stable Video Diffusion."""
