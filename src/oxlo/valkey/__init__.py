"""A client for Valkey (or Redis 6 and later): one connection, one write for each loop tick."""
