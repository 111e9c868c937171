"""Face finders, one a file. Each has `missing() -> str` (empty when it can run, else what it needs) and
`find(image)`."""
