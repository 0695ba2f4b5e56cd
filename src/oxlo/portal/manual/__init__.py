"""The documentation, as it is in the repository's `docs/`, served as pages."""
