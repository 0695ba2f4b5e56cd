"""Accounts, keys and calls in SQL: SQLite by default, PostgreSQL beyond one machine."""
