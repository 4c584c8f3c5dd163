"""Put a comment on an issue of GitHub, by gidgethub; an earlier one of ours on the same run is replaced.

Source: https://docs.github.com/en/rest/issues/comments (list, create and update issue comments).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from runbook_lib.errors import (
    CloudError,
    CloudUnavailable,
    NotFound,
    PermissionDenied,
    PlanError,
    QuotaExceeded,
)

API = "https://api.github.com"
_TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TIMEOUT_S = 20.0
_INSTALL = "pip install 'staging-validation-runbook[github]'"


@dataclass(frozen=True, kw_only=True)
class Issue:
    """An issue, and how it is reached.

    Attributes:
        repository: `OWNER/NAME`.
        api: Address of the API; GitHub Enterprise has its own.
        token: Has the permission to write issues; never shown.
    """

    repository: str
    number: int
    api: str
    token: str

    def __str__(self) -> str:
        return f"{self.repository}#{self.number}"

    def __repr__(self) -> str:
        return f"Issue({self})"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A comment that is on GitHub. `url` is the page that shows it; `new` is False where one was replaced."""

    url: str
    new: bool


def issue_of(repository: str, number: int | None, environment: Mapping[str, str]) -> Issue:
    """Return the issue; the environment has the token and, in a workflow, repository and API.

    Raises:
        PlanError: If repository, number or token is missing, or the token would travel in the clear.
    """
    repository = repository or environment.get("GITHUB_REPOSITORY", "")
    if not _REPOSITORY.fullmatch(repository):
        raise PlanError(f"{repository!r} is no repository: give OWNER/NAME", field="--repo")
    if number is None or number < 1:
        raise PlanError("which issue? The plan names none: give its number", field="--issue")
    token = next((environment[name] for name in _TOKENS if environment.get(name)), "")
    if not token:
        raise PlanError("no token: export GITHUB_TOKEN with one that may write issues", field="GITHUB_TOKEN")
    api = environment.get("GITHUB_API_URL") or API
    address = urlsplit(api)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise PlanError(
            f"{api} is not encrypted: the token would be seen; give https://…", field="GITHUB_API_URL"
        )
    return Issue(repository=repository, number=number, api=api.rstrip("/"), token=token)


def put_comment(issue: Issue, body: str, marker: str) -> Sent:
    """Create the comment, or replace the one that we made before and that begins with `marker`.

    Raises:
        CloudError: If GitHub does not answer, or refuses; a subclass says which.
    """
    try:
        return asyncio.run(_put(issue, body, marker))
    except ImportError as error:
        raise CloudError(
            "issues.comment", str(issue), "nothing", f"a package is missing: {_INSTALL}"
        ) from error


async def _put(issue: Issue, body: str, marker: str) -> Sent:
    import gidgethub
    import httpx
    from gidgethub.httpx import GitHubAPI

    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=True) as client:
            github = GitHubAPI(
                client, "staging-validation-runbook", oauth_token=issue.token, base_url=issue.api
            )
            return await _create_or_replace(github, issue, body, marker)
    except gidgethub.HTTPException as error:
        raise _refused(issue, error) from None  # its traceback would hold the headers
    except (httpx.HTTPError, gidgethub.GitHubException, ValueError) as error:
        said = f"nothing usable ({type(error).__name__})"
        hint = f"check the network and {issue.api}, then send it again"
        raise CloudUnavailable("issues.comment", str(issue), said, hint) from None


async def _create_or_replace(github: Any, issue: Issue, body: str, marker: str) -> Sent:
    comments = f"/repos/{issue.repository}/issues/{issue.number}/comments"
    found = [each async for each in github.getiter(f"{comments}?per_page=100") if _begins(each, marker)]
    earlier = await _first_of_ours(github, found)
    if earlier is None:
        made = await github.post(comments, data={"body": body})
        return Sent(url=str(made["html_url"]), new=True)
    path = f"/repos/{issue.repository}/issues/comments/{int(earlier['id'])}"
    made = await github.patch(path, data={"body": body})
    return Sent(url=str(made["html_url"]), new=False)


def _begins(comment: dict[str, Any], marker: str) -> bool:
    return str(comment.get("body") or "").startswith(marker)


async def _first_of_ours(github: Any, found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the comment that this token's owner made: a marker can be copied by anybody."""
    import gidgethub

    if not found:
        return None
    try:
        me = (await github.getitem("/user"))["login"]
        ours = [each for each in found if each["user"]["login"] == me]
    except gidgethub.BadRequest:  # the token of a workflow is an app's, which is no user
        ours = [each for each in found if each["user"]["type"] == "Bot"]
    return ours[0] if ours else None


def _refused(issue: Issue, error: Any) -> CloudError:
    import gidgethub

    status = int(error.status_code)
    said = f"{status} {str(error)[:300]}"
    if isinstance(error, gidgethub.RateLimitExceeded) or status == 429:
        return QuotaExceeded("issues.comment", str(issue), said, "wait until GitHub's rate limit is reset")
    kinds: dict[int, tuple[type[CloudError], str]] = {
        401: (PermissionDenied, "export a GITHUB_TOKEN that is valid"),
        403: (PermissionDenied, "give the token the permission to write issues (`issues: write`)"),
        404: (NotFound, "check --repo and --issue; what a token may not see looks the same"),
        410: (NotFound, "issues are switched off in this repository"),
        422: (CloudError, "GitHub does not take this comment; the issue may be locked"),
    }
    kind, hint = kinds.get(status, (CloudUnavailable if status >= 500 else CloudError, "send it again later"))
    return kind("issues.comment", str(issue), said, hint)
