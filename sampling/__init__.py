"""Noise schedules, solvers, guidance and windows: how motion is sampled from the motion model."""
