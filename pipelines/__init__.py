"""Stages put together: what nodes and the command line share."""
