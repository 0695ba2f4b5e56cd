"""The playground: try models from the browser through the public API."""
