"""Running engines: what is where, and whether it answers."""
