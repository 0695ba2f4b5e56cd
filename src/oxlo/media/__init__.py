"""The media process: parses, decodes, fetches and inspects media for gateways."""
