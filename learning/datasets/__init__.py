"""Readers of training data: drawn stills in shards, and talking clips in folders."""
