"""Decide: criteria and measurements in, outcomes and an action out. No I/O, no clock, no randomness."""

from runbook_lib.judge.judgement import Judgement, judge
from runbook_lib.judge.paired import PairedFinding, PairedSpec, judge_pairs

__all__ = ["Judgement", "PairedFinding", "PairedSpec", "judge", "judge_pairs"]
