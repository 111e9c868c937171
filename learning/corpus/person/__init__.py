"""Drawn people: random traits, meshes of face, hair, body and hands, and the rig that poses them."""
