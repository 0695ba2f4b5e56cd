"""Exact limits: reserve, renew, settle, refund, and the journal behind them."""
