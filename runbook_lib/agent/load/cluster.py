"""Have the shares of a load made by the workers of a Dask cluster, on any number of machines."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import asdict
from typing import Any

from runbook_lib.agent.load.share import Share, ShareOut, make_alone
from runbook_lib.errors import PlanError, RunbookError
from runbook_lib.evidence import Session
from runbook_lib.evidence.load_figures import LoadWatch, Tallies, Tally, merged
from runbook_lib.ports import LoadJob

_FIELD = "probes.load.scheduler"
_CONNECT_LIMIT_S = 10


async def made_by_cluster(
    out: ShareOut, job: LoadJob, scheduler: str, watch: LoadWatch
) -> tuple[Session, ...]:
    """Return what all shares made, one for each worker.

    Dask itself gives the share of a worker that dies to another one. One that cannot be made is missing.

    Raises:
        PlanError: If there is no scheduler, it has no worker, or a worker lacks what the plan needs.

    Source: https://distributed.dask.org/en/stable/api.html#client
    """
    async with _client(scheduler, min(_CONNECT_LIMIT_S, out.probes.connect_timeout_s)) as client:
        workers = await client.nthreads()
        if not workers:
            raise PlanError(f"{scheduler} has no workers: start some with `dask worker`", field=_FIELD)
        name, seen = f"runbook-{secrets.token_hex(4)}", dict[int, Tallies]()

        def tell(event: tuple[Any, dict[str, Any]]) -> None:
            told = event[1]
            seen[told["place"]] = {role: Tally(**tally) for role, tally in told["tallies"].items()}
            watch(merged(seen.values()))

        client.subscribe_topic(name, tell)
        shares = out.shares(job, len(workers))
        futures = [
            client.submit(_work, share, name, place, key=f"{name}-{place}", pure=False)
            for place, share in enumerate(shares)
        ]
        made = await asyncio.gather(*map(_result, shares, futures))
        client.unsubscribe_topic(name)
    return tuple(session for sessions in made for session in sessions)


def _client(scheduler: str, limit_s: float) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise PlanError("needs the package distributed: install the extra `dask`", field=_FIELD) from error
    return _Connected(Client, scheduler, limit_s)


class _Connected:
    """A client while it is connected."""

    def __init__(self, kind: Any, scheduler: str, limit_s: float) -> None:
        self._kind, self._scheduler, self._limit_s = kind, scheduler, limit_s

    async def __aenter__(self) -> Any:
        try:
            self._client = await self._kind(self._scheduler, asynchronous=True, timeout=self._limit_s)
        except OSError as error:
            raise PlanError(f"no scheduler answers at {self._scheduler}", field=_FIELD) from error
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


async def _result(share: Share, future: Any) -> tuple[Session, ...]:
    """Wait for one share; nothing comes of it where it was lost."""
    from distributed import KilledWorker

    try:
        async with asyncio.timeout(2 * share.limit_s):
            made: tuple[Session, ...] | str = await future.result()
    except (TimeoutError, KilledWorker):
        return ()
    if isinstance(made, str):
        raise PlanError(f"a worker cannot make its share: {made}", field=_FIELD)
    return made


def _work(share: Share, topic: str, place: int) -> tuple[Session, ...] | str:
    """Make a share on a worker; secrets come from the worker's own environment."""
    from distributed import get_worker

    worker = get_worker()

    def tell(tallies: Tallies) -> None:
        told = {role: asdict(tally) for role, tally in tallies.items()}
        worker.log_event(topic, {"place": place, "tallies": told})

    try:
        return make_alone(share, os.environ, tell)
    except RunbookError as error:
        return str(error)
