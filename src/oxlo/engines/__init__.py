"""Engines: how each kind is launched and probed, and the dialect it speaks."""
