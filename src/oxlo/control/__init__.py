"""Everything that is not inference: receipts, usage, metrics, jobs."""
