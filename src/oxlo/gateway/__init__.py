"""The hot path: authentication, limits, queue, routing and relay of inference calls."""
