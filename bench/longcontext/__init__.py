"""Conversations about shared documents, on two engines whose caches hold two documents each.

Each way of choosing an engine is given the same calls, before engines that were just started. What
counts is how many tokens of prompts the engines computed, as they say themselves, and how soon the
first word came. Two figures are no way of choosing: `best possible`, in which every beginning that
was ever sent is cached somewhere for good, and `pinned`, in which each engine is given two of the
documents beforehand.
"""

from bench.longcontext.run import main

__all__ = ["main"]
