"""Weights are data: fetched by sha256, never executed."""

from oxlo.weights.errors import (
    Corrupt,
    DiskFull,
    NoSource,
    SourceFailed,
    Stopped,
    UnsafeFormat,
    WeightsError,
    WrongHash,
)
from oxlo.weights.fetching import fetch, fetch_all, present
from oxlo.weights.hub import Hub
from oxlo.weights.progress import Progress, Silent
from oxlo.weights.stock import Missing, Stock, repositories
from oxlo.weights.tree import ready

__all__ = [
    "Corrupt",
    "DiskFull",
    "Hub",
    "Missing",
    "NoSource",
    "Progress",
    "Silent",
    "SourceFailed",
    "Stock",
    "Stopped",
    "UnsafeFormat",
    "WeightsError",
    "WrongHash",
    "fetch",
    "fetch_all",
    "present",
    "ready",
    "repositories",
]
