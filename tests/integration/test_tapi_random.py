"""Random life at a switch of 100 lines: when it is at rest, what is published is what is true.

SEED   repeats a random test; it is printed
STEPS  how many operations (default 900)

SPDX-License-Identifier: MIT
"""

import os

import pytest

from presenced import Deadline
from tapi_world import DIALECTS, KNOWN, LOST, details, hear_all, pbx, rng, wait_truth, watching

__all__ = ["pbx", "rng"]  # fixtures
SOON = 10
STEPS = int(os.environ.get("STEPS", "900"))
EXTENSIONS = {str(n): f"Person {n}" for n in range(2001, 2101)}
HABITS = {"clearing": ("far", "own", "only_own", "call"), "group": ("cleared", "diverted"),
          "transfer_id": ("new", "primary", "secondary"), "tells_diverted": (True, False), "offered": (True, False)}


def some_habits(rng):
    return {name: rng.choice(values) for name, values in HABITS.items()}


def live(switch, rng, steps, devices=None):
    """So many operations; the last of them are in the message if what comes of it is wrong."""
    return [switch.random_step(rng, devices) for _ in range(steps)]


def check(console, switch, steps, deadline=SOON, how=KNOWN):
    try:
        wait_truth(console, switch, deadline, how=how)
    except Deadline as error:
        raise AssertionError(f"{error}\nafter {steps[-60:]}") from error


@pytest.mark.parametrize("name", ["plain", "no-local-info", "simple", "segmented", "name", "avaya", "transferred",
                                  "bytes", "pieces"])
def test_random_life(pbx, start, rng, name):
    """Without a fault nothing has to be proved: events alone, and questions that they raise."""
    habits = some_habits(rng)
    print(habits)
    switch = pbx(EXTENSIONS, habits=habits, **DIALECTS[name])
    _, console = watching(start, switch)
    done = []
    for size in (1, 10, 100, STEPS // 5 if name == "bytes" else STEPS):
        done += live(switch, rng, size)
        hear_all(console, switch)
        check(console, switch, done)
    assert console.source()["verifications"] == console.source()["corrections"] == 0


OFTEN = {"verify": {"requesting": "2s", "ringing": "1s", "busy": "1s", "any": "2s", "rate": "1000/s"}}


def sometimes(rng, often):
    return lambda event: rng.random() < often


@pytest.mark.parametrize("name", ["plain", "no-local-info", "segmented", "split", "pieces"])
def test_random_life_of_which_events_are_lost_doubled_late_and_out_of_order(pbx, start, rng, name):
    """Everything is proved again, and so right after a while."""
    habits = some_habits(rng)
    print(habits)
    switch = pbx(EXTENSIONS, habits=habits, **DIALECTS[name])
    _, console = watching(start, switch, OFTEN)
    done = []
    for _ in range(3):
        for kind, often in (("drop_events", 0.05), ("duplicate", 0.05), ("delay", 0.05), ("reorder", 0.05)):
            switch.misbehave(kind, times=None, events=sometimes(rng, often))
        done += live(switch, rng, STEPS // 3)
        switch.behave()
        check(console, switch, done, how=LOST)
    source = console.source()
    assert switch.counters["dropped"] > 0 and source["corrections"] > 0 and source["unanswered"] == 0
    found = details(console)
    assert found["connections"] == 1 and found["bad_documents"] == 0


@pytest.mark.parametrize("name", ["plain", "no-local-info"])
def test_random_life_with_callids_that_are_used_again(pbx, start, rng, name):
    switch = pbx(EXTENSIONS, habits=some_habits(rng), **DIALECTS[name])
    _, console = watching(start, switch, OFTEN)
    switch.misbehave("reuse_call_id", times=None)
    check(console, switch, live(switch, rng, STEPS), how=LOST)


def test_random_life_while_the_line_is_lost_and_found(pbx, start, rng):
    """Connections close, monitors are stopped, messages lost, at any time."""
    switch = pbx(EXTENSIONS)
    _, console = watching(start, switch, {"hold": "60s"})
    done = []
    for trouble in (switch.close_connections, lambda: switch.misbehave("messages_lost"),
                    lambda: switch.misbehave("restart_announced"), lambda: switch.misbehave("session_terminated"),
                    lambda: switch.misbehave("monitor_stop", device=str(rng.randrange(2001, 2101)), times=1)):
        done += live(switch, rng, STEPS // 10)
        trouble()
        done += live(switch, rng, STEPS // 10)
        check(console, switch, done, 30, LOST)


@pytest.mark.parametrize("moments", [1, 4])
def test_lines_watched_and_forgotten_in_the_middle_of_life(pbx, start, rng, moments):
    """Demand comes and goes at any moment; nothing wrong is left of it."""
    switch = pbx(EXTENSIONS)
    _, console = watching(start, switch, {"monitoring": {"mode": "on-demand", "linger": "1s"}}, in_flight=4)
    ids = list(console.table)
    done = []
    for _ in range(12):
        wanted = rng.sample(ids, rng.randint(1, len(ids)))
        console.start_subscribe(users=wanted)
        for gone in set(console.table) - set(wanted):
            del console.table[gone]
        done += live(switch, rng, STEPS // 100 * moments)
    wait = [user.removeprefix("u") for user in wanted]
    console.wait(lambda: console.synced and set(console.table) == set(wanted), "everybody wanted")
    wait_truth(console, switch, SOON, wait, LOST)
    assert details(console)["connections"] == 1
