"""Implicit motion (ICME 2026): stage 1 turns motion into pixels, stage 2 turns a voice into motion. One module of the
paper a file."""
