"""Decide: criteria and measurements in, outcomes and an action out. No I/O, no clock, no randomness."""

from runbook_lib.judge.judgement import Judgement, judge

__all__ = ["Judgement", "judge"]
