"""Mamba layers in plain PyTorch: the scans of Mamba-1 and Mamba-2 and the blocks on them."""
