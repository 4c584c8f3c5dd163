"""What the notebooks import: a run, the front page, runs compared; all of it shows itself."""

from runbook_lib.notebook.entry import begin, resume
from runbook_lib.notebook.shown import PLOTLY_MIME, Shown

__all__ = ["PLOTLY_MIME", "Shown", "begin", "diff", "front_page", "history", "resume"]


def front_page(plan: str = "") -> object:
    """Return the front page; see `front.FrontPage`."""
    from runbook_lib.notebook.front import FrontPage
    from runbook_lib.notebook.presence import somebody_is_there

    return FrontPage(plan, present=somebody_is_there())


def diff(before: str, after: str) -> Shown:
    """Show what changed from one run to another, then what is not equal within what chance explains.

    Args:
        before: A run folder here, or `gs://BUCKET/FOLDER/RUN`.
        after: The run to hold against it.
    """
    from runbook_lib.notebook.compared import diff as compare

    return compare(before, after)


def history(service: str = "", *folders: str) -> Shown:
    """Show all runs of a service, or of all services, as a table and a trend.

    Args:
        service: Its name.
        folders: Folders of run folders, here or `gs://…`; `outputs` where none is given.
    """
    from runbook_lib.notebook.compared import history as gather

    return gather(service, folders)
