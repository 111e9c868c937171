"""A portrait that speaks while somebody does: sound in, pictures out, and a page for it."""
