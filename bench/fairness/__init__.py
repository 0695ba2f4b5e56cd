"""Queue waiting times at a full model by plan and account, compared with first come, first served.

Six crowds run concurrently, each with its own engine double of fixed speed; the gateway reports
how long each request waited. Then Premium competes with a flood at two gateways that share an
engine and its queue in Valkey, and finally at a real llama.cpp engine.
"""

from bench.fairness.run import main

__all__ = ["main"]
