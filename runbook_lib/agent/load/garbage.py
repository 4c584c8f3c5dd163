"""Look for garbage rarely while thousands of records are made that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_EVERY = 500_000  # objects: those of more than 20,000 sessions, which leave no cycles behind
_OLDER_EVERY = 20


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Leave what there is alone, and collect every so many objects; what was set comes back at the end.

    What was made meanwhile is taken for old then, and is not looked through as if it were new.
    """
    before, ours = gc.get_threshold(), gc.get_freeze_count() == 0
    if ours:  # what a forked process has in common with others stays frozen: a look would copy it
        gc.freeze()
    gc.set_threshold(_EVERY, _OLDER_EVERY, _OLDER_EVERY)
    try:
        yield
    finally:
        if ours:
            gc.freeze()
            gc.unfreeze()  # into the oldest generation
        gc.set_threshold(*before)
