"""Sixty kinds of log line as services write them, and lines of each with its variables filled in."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

_NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")
_AGENTS = ("triage", "data", "reporting", "billing", "support", "research")
_TOPICS = ("orders", "invoices", "sessions", "metrics", "audit", "mail")


def _time(rng: random.Random) -> str:
    moment = datetime(2026, 5, 5, tzinfo=UTC) + timedelta(seconds=rng.random() * 86400)
    return rng.choice((moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S,%f}"[:-3], f"{moment:%H:%M:%S}"))


def _json(rng: random.Random) -> str:
    return json.dumps({"user": rng.choice(_NAMES), "tokens": rng.randrange(9999), "nested": {"ok": True}})


def _python(rng: random.Random) -> str:
    line, value = rng.randrange(999), rng.randrange(9999)
    return (
        "Traceback (most recent call last):\n"
        f'  File "/app/agents/run.py", line {line}, in run\n    raise ValueError(value)\n'
        f"ValueError: no context {value} for agent"
    )


def _wrapped(rng: random.Random) -> str:
    return f"could not answer session {rng.getrandbits(32):08x}\n{_python(rng)}"


def _java(rng: random.Random) -> str:
    frames = "\n".join(
        f"\tat com.example.Pool.borrow(Pool.java:{rng.randrange(999)})" for _ in range(rng.randrange(2, 9))
    )
    return f"java.lang.IllegalStateException: pool {rng.randrange(99)} is exhausted\n{frames}"


def _node(rng: random.Random) -> str:
    at = rng.randrange(999)
    return (
        f"TypeError: Cannot read properties of undefined (reading 'id')\n    at handle (/srv/app.js:{at}:7)"
    )


def _go(rng: random.Random) -> str:
    return (
        f"panic: runtime error: index out of range [{rng.randrange(99)}] with length {rng.randrange(9)}\n\n"
        f"goroutine {rng.randrange(9999)} [running]:\nmain.main()"
    )


VARIABLES: dict[str, Callable[[random.Random], str]] = {
    "n": lambda rng: str(rng.randrange(100_000)),
    "f": lambda rng: f"{rng.random() * 1000:.{rng.randrange(1, 5)}f}",
    "ms": lambda rng: f"{rng.randrange(9999)}{rng.choice(('ms', ' ms', 'us', 's'))}".replace(" ", ""),
    "size": lambda rng: f"{rng.randrange(1, 999)}{rng.choice(('KB', 'MiB', 'B'))}",
    "uuid": lambda rng: str(UUID(int=rng.getrandbits(128))),
    "hex": lambda rng: f"{rng.getrandbits(64):016x}",
    "addr": lambda rng: f"0x{rng.getrandbits(40):010x}",
    "ip": lambda rng: ".".join(str(rng.randrange(256)) for _ in range(4)),
    "port": lambda rng: str(rng.randrange(1024, 65536)),
    "ip6": lambda rng: f"2001:db8:{rng.getrandbits(16):x}:{rng.getrandbits(16):x}::{rng.getrandbits(16):x}",
    "time": _time,
    "path": lambda rng: f"/var/lib/{rng.choice(_TOPICS)}/{rng.choice(_NAMES)}/{rng.randrange(99)}.json",
    "url": lambda rng: f"https://{rng.choice(_TOPICS)}.example.test/v1/{rng.choice(_NAMES)}?page={rng.randrange(9)}",
    "mail": lambda rng: f"{rng.choice(_NAMES)}.{rng.choice(_NAMES)}@example.test",
    "name": lambda rng: rng.choice(_NAMES),
    "agent": lambda rng: rng.choice(_AGENTS),
    "topic": lambda rng: rng.choice(_TOPICS),
    "quoted": lambda rng: f'"{rng.choice(_NAMES)} wants {rng.choice(_TOPICS)}"',
    "json": _json,
    "pod": lambda rng: f"worker-{rng.getrandbits(20):05x}-{rng.getrandbits(12):03x}",
    "list": lambda rng: str([rng.randrange(9) for _ in range(rng.randrange(1, 6))]),
    "percent": lambda rng: f"{rng.randrange(100)}%",
    "python": _python, "wrapped": _wrapped, "java": _java, "node": _node, "go": _go,
}  # fmt: skip

KINDS = (
    "starting", "listening on port {port}", "listening on {ip}:{port}", "shutting down", "ready after {ms}",
    "session {hex} opened", "session {hex} closed", "session {uuid} of {mail} resumed after {f} s",
    "user {name} logged in", "user {name} logged out", "user {mail} was refused",
    "agent {agent} started for {name}", "agent {agent} finished in {ms}",
    "agent {agent} failed: no context {hex}",
    "tool call {n} of {agent} took {f} ms", "tool call {n} of {agent} timed out after {ms}",
    "GET {path} answered {n} in {ms}", "POST {path} answered {n} in {ms}",
    "fetching {url}", "fetched {url} in {ms}, {size}", "cannot fetch {url}: timeout",
    "connection from {ip}:{port} accepted", "connection from {ip}:{port} lost", "peer {ip6} joined",
    "cache hit ratio {percent}", "cache miss for key {hex}", "evicted {n} entries, {size} freed",
    "wrote {size} to {path}", "cannot write {path}: no space left on device", "reading {path}",
    "payload {json}", "rejected payload {json}: too large", "message {quoted} queued",
    "message {quoted} dropped after {n} attempts", "consumer of topic {topic} is {n} behind",
    "consumer of topic {topic} caught up", "heartbeat at {time}", "next run at {time} on {pod}",
    "job {uuid} scheduled for {time}", "job {uuid} done", "job {uuid} failed with exit code {n}",
    "retry {n} of {n} in {f} s", "circuit to {topic} is open", "circuit to {topic} is closed",
    "memory {size} of {size} in use", "garbage collection took {ms}", "object at {addr} was never awaited",
    "deadlock of {pod} and {pod} on lock {addr}", "rows {list} skipped",
    "batch of {n} rows committed in {ms}",
    "schema version {n} applied", "token of {mail} expires at {time}", "token signature is invalid",
    "rate limit of {name} reached: {n} requests a minute", "feature flag {quoted} is on",
    "{python}", "{wrapped}", "{java}", "{node}", "{go}",
)  # fmt: skip


def line(kind: str, rng: random.Random) -> str:
    """Return a line of this kind."""
    text = kind
    for name, make in VARIABLES.items():
        while f"{{{name}}}" in text:
            text = text.replace(f"{{{name}}}", make(rng), 1)
    return text


def lines(count: int, seed: int) -> list[tuple[str, str]]:
    """Return `count` lines, each with its kind; kinds are as unequally frequent as in real logs."""
    rng = random.Random(seed)  # noqa: S311 - the same lines each time
    weights = [1 / (place % 20 + 1) for place in range(len(KINDS))]
    return [(kind, line(kind, rng)) for kind in rng.choices(KINDS, weights, k=count)]
