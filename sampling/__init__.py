"""Noise schedules, solvers, guidance and windows: how motion is drawn from the motion model."""
