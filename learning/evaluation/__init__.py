"""Measures of quality and speed, their tables and plots."""
