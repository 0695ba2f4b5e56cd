"""Third-party test suites against a running platform: `python -m scripts.suites`."""
