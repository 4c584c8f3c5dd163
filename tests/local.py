"""httpx's functions for addresses on this machine; its own read all certificates again for each request."""

from __future__ import annotations

from functools import partial

import httpx

_TRUSTED = httpx.create_ssl_context()  # takes 25 ms, and a request 2

get = partial(httpx.get, verify=_TRUSTED)
post = partial(httpx.post, verify=_TRUSTED)
delete = partial(httpx.delete, verify=_TRUSTED)
request = partial(httpx.request, verify=_TRUSTED)
