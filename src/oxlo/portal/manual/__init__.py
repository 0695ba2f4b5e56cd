"""The documentation: the repository's `docs/`, served as pages."""
