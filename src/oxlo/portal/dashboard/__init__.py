"""Pages of who is signed in: limits, keys, usage, settings."""
