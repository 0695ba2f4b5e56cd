"""Calls with an `Idempotency-Key`: who repeats one gets the answer that the first one got."""
