"""Carry sessions many times faster than the library does, by the same rules: an engine for load.

The ordinary case is read by hand from a bare transport: an accepted handshake, whole text frames, answers as
the contract wants them. From the first byte that is anything else, websockets' own protocol reads on.
"""

from runbook_lib.agent.fast.engine import FastEngine

__all__ = ["FastEngine"]
