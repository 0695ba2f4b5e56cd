"""Sign-up, log-in and everything else before a session."""
