"""OpenAI's shapes at the edge: one file per endpoint."""
