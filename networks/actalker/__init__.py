"""ACTalker (ICCV 2025): parallel-control Mamba over Stable Video Diffusion.

Only `svd_parts`, `transformer`, `unet` and what builds on them need diffusers; the rest is plain PyTorch.
"""
