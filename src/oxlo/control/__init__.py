"""The control process, for everything but inference: receipts, usage, metrics, jobs."""
