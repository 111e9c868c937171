"""ACTalker's nodes."""
