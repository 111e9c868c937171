"""Loading of networks from files."""
