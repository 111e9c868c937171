"""Readers of what training eats: drawn stills in shards, and talking clips in one on-disk layout."""
