"""Make sessions that arrive by themselves, as users do: an open model, which a slow service cannot slow down.

A share of a load is made by `shard.make_sessions`, wherever that runs.
"""

from runbook_lib.agent.load.shard import make_sessions

__all__ = ["make_sessions"]
