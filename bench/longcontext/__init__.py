"""Prefix-aware routing: conversations about shared documents on two engines with small caches.

Each engine's cache holds two documents. Every routing policy gets the same requests on freshly
started engines. The metrics are prompt tokens computed, as reported by the engines, and time to
first token. Two rows are references: `best possible` assumes that every prefix ever sent stays
cached, and `pinned` assigns two documents to each engine in advance.
"""

from bench.longcontext.run import main

__all__ = ["main"]
