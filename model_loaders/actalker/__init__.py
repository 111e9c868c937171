"""ACTalker's files: found, checked, converted and loaded."""
