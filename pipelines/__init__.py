"""The stages of the method as functions, shared by nodes and the command line."""
