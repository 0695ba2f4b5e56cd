"""Who waits how long when a model is full: by plan and account, beside first come, first served.

Six crowds at the same time, each before an engine of its own whose speeds are stated; the gateway
tells how long each call waited. Then Premium beside a flood at two gateways that share the engine
and the line for it in Valkey; then plans before a real llama.cpp engine.
"""

from bench.fairness.run import main

__all__ = ["main"]
