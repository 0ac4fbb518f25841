"""Files: each format alone."""
