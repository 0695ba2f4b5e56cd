"""Pages of whoever is signed in: limits, keys, usage, settings."""
