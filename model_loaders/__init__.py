"""From files on disk to ready modules."""
