"""Make sessions that arrive by themselves, as users do: an open model, which a slow service cannot slow down.

It is shared out by its pairs: to this process, to several, or to a cluster. One function makes every share.
"""

from __future__ import annotations

from runbook_lib.agent.load.share import ShareOut, make_here, processes_for
from runbook_lib.evidence import Session
from runbook_lib.evidence.load_figures import LoadWatch
from runbook_lib.ports import LoadJob


async def make_load(out: ShareOut, job: LoadJob, watch: LoadWatch) -> tuple[Session, ...]:
    """Make all sessions of `job` and return one record each, in order of their intended start.

    A session that is missing was lost with whatever should have made it.
    """
    load = out.probes.load
    if load.scheduler:
        from runbook_lib.agent.load.cluster import made_by_cluster

        made = await made_by_cluster(out, job, load.scheduler, watch)
    elif (processes := processes_for(load, len(job.urls))) > 1:
        from runbook_lib.agent.load.processes import made_by_processes

        made = await made_by_processes(out.shares(job, processes), out.environment, watch)
    else:
        (share,) = out.shares(job, 1)
        made = await make_here(share, out.environment, watch)
    return tuple(sorted(made, key=lambda session: session.intended_s))
