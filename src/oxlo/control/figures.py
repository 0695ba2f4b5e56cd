"""Metrics of the control process itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector


class Figures:
    """Counters and gauges, in a separate registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="oxlo_control", registry=self.registry)
        self.drained = Counter(
            "oxlo_control_journal_records",
            "Journal records written to SQL.",
            registry=self.registry,
        )
        self.garbage = Counter(
            "oxlo_control_journal_garbage_lines",
            "Journal lines that could not be read and were skipped.",
            registry=self.registry,
        )
        self.lag = Gauge(
            "oxlo_control_journal_lag_bytes",
            "Bytes of the journals that are not in SQL yet.",
            registry=self.registry,
        )
        self.database_up = Gauge(
            "oxlo_control_database_up",
            "Whether control's latest transaction found the database.",
            registry=self.registry,
        )
        self.disk_free = Gauge(
            "oxlo_disk_free_bytes",
            "Room on the disk of OXLO_HOME.",
            registry=self.registry,
        )
        self.job_errors = Counter(
            "oxlo_control_job_errors",
            "Runs of a background job that failed.",
            ["job"],
            registry=self.registry,
        )
        self.scrape_errors = Counter(
            "oxlo_control_gateway_scrape_errors",
            "Gateway sockets that did not answer a request for their metrics.",
            registry=self.registry,
        )
