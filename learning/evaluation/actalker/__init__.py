"""What ACTalker costs: memory and arithmetic of the full-size networks, counted without running them."""
