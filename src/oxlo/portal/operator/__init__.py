"""The operator console: accounts, plans, promo codes, models, audit log, outbox."""
