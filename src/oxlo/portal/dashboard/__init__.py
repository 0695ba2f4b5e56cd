"""Pages of the signed-in account: overview, keys, usage, requests, settings."""
