"""The operator's console: accounts, plans, promo codes, models, the audit log, the outbox."""
