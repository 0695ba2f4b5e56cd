"""Requests and responses of the public API: one module per endpoint."""
