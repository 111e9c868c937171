"""Localised names and tooltips of the nodes, and the help pages."""
