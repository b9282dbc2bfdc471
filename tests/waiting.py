"""Waiting for a condition, never for a time.

SPDX-License-Identifier: MIT
"""

import select
import time

DEADLINE = 30.0  # generous: only what never happens takes so long


class Deadline(AssertionError):
    """What was waited for did not happen in time."""


def until(condition, what, deadline=DEADLINE):
    """Ask again and again until `condition()` gives something true, and return that."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Deadline(f"not within {deadline} s: {what}")
        select.select([], [], [], 0.01)
