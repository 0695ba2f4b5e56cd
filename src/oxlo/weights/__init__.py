"""Weights are data: fetched by sha256, never executed."""
