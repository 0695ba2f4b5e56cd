"""Idempotent calls: repeating one with the same `Idempotency-Key` returns the first response."""
