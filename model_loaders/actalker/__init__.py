"""Finding, checking, converting and loading ACTalker's files."""
