"""OpenAPI 3.1 description of the API, generated from the types that decode requests."""
