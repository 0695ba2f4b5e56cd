"""The API described for programs: OpenAPI 3.1, made from the types that decode requests."""
