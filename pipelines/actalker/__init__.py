"""ACTalker's stages, one function each."""
