"""Tests that others wrote, run against a running platform: `python -m scripts.suites`."""
