"""Switches that cannot be reached, hang, hesitate, hang up, or have too much to do.

SPDX-License-Identifier: MIT
"""

import time

import pytest

from presenced import until
from tapi_world import (LOST, asked, begin, details, pause, pbx, shown_bad, statuses_seen, telephony, user_of,
                        wait_source, wait_status, wait_truth, watching)

__all__ = ["pbx"]  # fixtures
SOON = 5
HOLD = {"hold": "60s"}


# ---- connections ----------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
def test_connection_that_is_closed_is_made_again_at_once(pbx, start, reset):
    switch = pbx()
    _, console = watching(start, switch)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    console.notifications.clear()

    switch.close_connections(reset=reset)

    console.wait(lambda: telephony(console, "201")["status"] == "stale", "stale", SOON)
    wait_truth(console, switch, SOON, how=LOST)
    assert not shown_bad(console)
    assert details(console)["connections"] == 2


def test_switch_that_cannot_be_reached_is_stale_then_an_error_and_heals(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, {"hold": "1s"})
    switch.stop_listening()
    switch.close_connections()
    assert wait_status(console, "201", "stale", SOON)["line"] == "idle"
    wait_source(console, "connection_error", "nothing listens there", SOON)
    wait_status(console, "201", "error", SOON)
    switch.listen_again()
    switch.call("201", "202")
    console.call("sources.restart", name="switch")
    wait_truth(console, switch, SOON)


def test_switch_that_was_away_for_a_while(pbx, start):
    switch = pbx("2001-2100")
    daemon, console = watching(start, switch, HOLD)
    switch.stop()
    wait_source(console, "connection_error", "nothing listens there", SOON)
    for number in range(2001, 2051):
        switch.call(number, number + 50)
    console.notifications.clear()
    switch.start()
    wait_truth(console, switch, 20, how=LOST)
    assert not shown_bad(console)
    assert daemon.log_text().count("connection_error") == 1


def test_switch_that_hesitates_is_not_given_up(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, keepalive="5s")
    console.notifications.clear()
    switch.freeze()
    pause(7)
    assert console.source()["status"] == "up"
    switch.thaw()
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    assert details(console)["connections"] == 1 and set(statuses_seen(console, "201")) <= {"ok"}


def test_switch_that_hangs_is_noticed_and_the_second_one_asked_and_the_first_again(pbx, start):
    """Two switches that know the same lines, and see other calls."""
    first, second = pbx(), pbx()
    second.call("203", "204")
    daemon, console = begin(start, first, None, HOLD, keepalive="5s", failback="1s",
                            server=[f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"])
    wait_truth(console, first)
    frozen = time.monotonic()
    first.freeze()

    wait_status(console, "201", "stale", 18)
    assert 9 < time.monotonic() - frozen < 18, "5 s of silence, 10 s for the answer"
    wait_truth(console, second, SOON)
    assert str(second.port) in details(console)["peer"]
    assert "RequestSystemStatus" in daemon.log_text()

    first.call("201", "202")
    first.thaw()
    wait_truth(console, first, 25)  # a server that failed is left alone for 15 s
    assert str(first.port) in details(console)["peer"]
    until(lambda: second.connections() == 0, "the second is let go", SOON)
    assert second.monitors() == set()


def test_switch_that_goes_on_talking_is_not_asked_whether_it_is_there(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, keepalive="5s")
    before = asked(switch, "RequestSystemStatus")
    begun = time.monotonic()
    for second in range(7):
        switch.set_dnd("201", second % 2 == 0)
        wait_truth(console, switch, SOON)
        until(lambda: time.monotonic() > begun + second + 1, "the next second")
    assert asked(switch, "RequestSystemStatus") == before
    switch.wait(lambda: asked(switch, "RequestSystemStatus") > before, "silence is noticed", 7)


@pytest.mark.parametrize("session", ["required", "absent"])
def test_switch_that_hangs_up_at_once_is_not_connected_to_in_a_circle(pbx, start, session):
    switch = pbx(session=session)
    switch.misbehave("hang_up", times=None)
    _, console = begin(start, switch)
    wait_source(console, "connection_error", "", SOON)
    pause(2)
    assert switch.counters["accepted"] <= 5
    switch.behave()
    console.call("sources.restart", name="switch")
    wait_truth(console, switch, SOON)


# ---- a switch with too much to do -----------------------------------------------------------


@pytest.mark.parametrize("status", ["overloadImminent", "overloadReached"])
def test_overload_halves_the_rate_until_it_is_over(pbx, start, status):
    switch = pbx("2001-2100")
    ids = [user_of(number) for number in switch.model.devices]
    _, console = begin(start, switch, None, {"monitoring": {"mode": "on-demand"}}, ["2001", "2002"], rate="40/s",
                       in_flight=8)
    wait_truth(console, switch, numbers=["2001", "2002"])
    switch.misbehave("overload", status=status)
    switch.wait(lambda: switch.unanswered() == 0, "its answer", SOON)
    switch.max_in_flight, switch.max_starts = 4, 20 + 5  # the machine may hesitate
    begun = time.monotonic()

    console.subscribe(users=ids[:50])
    switch.wait(lambda: len(switch.monitors()) == 50, "48 more", 10)
    assert time.monotonic() - begun > (48 - 3) / 20, "a tenth of a second's worth, and one, are saved up"
    assert switch.violations == []

    switch.misbehave("overload", status="overloadRelieved")
    switch.wait(lambda: switch.unanswered() == 0, "its answer", SOON)
    switch.max_in_flight, switch.max_starts = 8, 40 + 10
    begun = time.monotonic()
    console.subscribe(users=ids)
    switch.wait(lambda: len(switch.monitors()) == 100, "the rest", 10)
    assert time.monotonic() - begun < 48 / 20
    switch.max_in_flight = None
    assert switch.violations == []
