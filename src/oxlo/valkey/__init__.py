"""A client for Valkey (or Redis 6 and later): one connection, one write per loop iteration."""
