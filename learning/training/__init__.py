"""Training of both stages. Never imported by the nodes."""
