"""Decide: criteria and measurements in, outcomes and an action out. No I/O, no clock, no randomness."""

from runbook_lib.judge.judgement import Judgement, judge
from runbook_lib.judge.seen import Seen
from runbook_lib.judge.stopping import settled

__all__ = ["Judgement", "Seen", "judge", "settled"]
