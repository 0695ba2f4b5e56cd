"""Accounts, keys and usage in SQL."""
