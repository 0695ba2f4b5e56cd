"""Test doubles of external systems, for our tests and for those of operators."""
