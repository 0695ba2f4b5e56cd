"""Engines: how each kind is started, asked for its health, and spoken with."""
