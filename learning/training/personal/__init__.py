"""A person's own changes of the two networks, from a minute of film."""
