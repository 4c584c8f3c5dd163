"""Finds one page of the entries that a filter matches, and lets other work have its turn meanwhile."""

import asyncio
import time
from dataclasses import dataclass

from .log_filter import compile_filter
from .log_plan import Matches, plan_search
from .log_segment import LogKey, Segment, StoredEntry, ranks
from .log_store import LogStore

MAX_EXAMINED = 10_000
"""Entries that a page looks at one by one; what its index answers does not count."""

# The router shares this loop: a long scan must not hold up its requests.
_TURN_S = 0.001
_HIGHEST = LogKey(1 << 63, "")
_LOWEST = LogKey(-1, "")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a list call asks for, checked.

    Attributes:
        prefixes: How the names of the logs begin that belong to the projects.
    """

    prefixes: tuple[str, ...]
    filter: str
    newest_first: bool
    page_size: int


@dataclass(frozen=True, kw_only=True)
class Page:
    """Entries found.

    Attributes:
        place: Where the search goes on; None when it is over.
    """

    entries: list[StoredEntry]
    place: LogKey | None


async def find_page(store: LogStore, listing: Listing, place: LogKey | None) -> Page:
    """Return the next page from a place on (None: the beginning).

    A page may be short, or even empty, and yet not the last: when too many entries had to be looked at. So it
    is with the real API, which then asks to go on with the token.
    """
    return await _Search(store, listing).run(place or (_HIGHEST if listing.newest_first else _LOWEST))


class _Search:
    def __init__(self, store: LogStore, listing: Listing) -> None:
        self._store = store
        self._listing = listing
        self._matches = compile_filter(listing.filter)
        self._plan = plan_search(listing.filter)
        self._found: list[StoredEntry] = []
        self._examined = 0
        self._turn_began_s = time.monotonic()

    async def run(self, place: LogKey) -> Page:
        """Go from segment to segment until the page is full, too much was examined, or there is no more."""
        newest_first = self._listing.newest_first
        while segment := self._store.ahead(place, newest_first):
            # While others have their turn the segment may change; the places of its ends stay true.
            end = segment.first if newest_first else segment.last
            if stopped := await self._search(segment, place):
                return Page(entries=self._found, place=stopped)
            place = end
            await self._give_way()
        return Page(entries=self._found, place=None)

    async def _search(self, segment: Segment, place: LogKey) -> LogKey | None:
        """Take what matches in a segment; return the place to stop at, if the page ends in it."""
        found = self._in_index(segment, place)
        entries = segment.entries if found.may else []
        for rank in ranks(found.may, self._listing.newest_first):
            entry = entries[rank]
            if found.must >> rank & 1 or await self._examine(entry):
                self._found.append(entry)
            if len(self._found) == self._listing.page_size or self._examined == MAX_EXAMINED:
                return entry.key
        return None

    def _in_index(self, segment: Segment, place: LogKey) -> Matches:
        within = segment.before(place) if self._listing.newest_first else segment.after(place)
        within &= segment.where(("log_name",), lambda name: name.startswith(self._listing.prefixes))
        return self._plan(segment, within)

    async def _examine(self, entry: StoredEntry) -> bool:
        self._examined += 1
        await self._give_way()
        return self._matches(entry.message)

    async def _give_way(self) -> None:
        if time.monotonic() - self._turn_began_s > _TURN_S:
            await asyncio.sleep(0)
            self._turn_began_s = time.monotonic()
