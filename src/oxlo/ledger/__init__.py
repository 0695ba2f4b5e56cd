"""Exact limits: reserve, renew, settle and refund, and the journal that makes them durable."""
