"""Running engines: placement, processes, health, routing."""
