"""Names and explanations of the nodes in the user's language, and the help pages."""
