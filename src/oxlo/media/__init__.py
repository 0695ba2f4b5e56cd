"""The media process: whatever has to be parsed, decoded, fetched or looked into for a gateway."""
