"""The face finder learns from drawn heads in made-up scenes."""
