"""What the notebooks import: `begin` or `resume` a run, and the front page; all of it shows itself."""

from runbook_lib.notebook.entry import begin, resume
from runbook_lib.notebook.shown import PLOTLY_MIME, Shown

__all__ = ["PLOTLY_MIME", "Shown", "begin", "front_page", "resume"]


def front_page(plan: str = "") -> object:
    """Return the front page; see `front.FrontPage`."""
    from runbook_lib.notebook.front import FrontPage
    from runbook_lib.notebook.presence import somebody_is_there

    return FrontPage(plan, present=somebody_is_there())
