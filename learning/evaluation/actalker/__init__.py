"""Memory and arithmetic of ACTalker's full-size networks, counted without running them."""
