"""Put promises about sessions and tokens to the test, each by users of its own, all at the same time."""

from runbook_lib.steps.clauses.trial import USERS_EACH, Ground
from runbook_lib.steps.clauses.trying import Tried, due_clauses, try_clauses

__all__ = ["USERS_EACH", "Ground", "Tried", "due_clauses", "try_clauses"]
