"""A switch that loses messages, restarts, stops monitors, hangs, or is not there: no lamp stays wrong.

SPDX-License-Identifier: MIT
"""

import time

import pytest

from presenced import until
from tapi_world import (LOST, Lamps, asked, begin, details, hear_all, pause, pbx, shown_bad, statuses_seen,
                        wait_source, wait_status, wait_truth, wait_why, watching)

__all__ = ["pbx"]  # fixtures
SOON = 5
HOLD = {"hold": "60s"}


# ---- events that are lost -------------------------------------------------------------------

# The switch              presenced               the console
#   |--- busy x 100 --------->|------ busy x 100 ---->|
#   |  (50 ends, unsaid)      |                       |
#   |<-- SnapshotDevice x 50 -|  after verify.busy    |
#   |--- no calls x 50 ------>|--- available x 50 --->|


def test_lamps_go_out_when_the_end_of_50_calls_was_lost(pbx, start):
    """The ends of the called; those of the callers are told."""
    switch = pbx("2001-2100")
    _, console = watching(start, switch, {"verify": {"busy": "5s"}})
    callers, called = list(switch.model.devices)[:50], list(switch.model.devices)[50:]
    for one, other in zip(callers, called):
        switch.call(one, other)
        switch.answer(other)
    wait_truth(console, switch, SOON)
    for number in called:
        switch.misbehave("drop_events", times=None, device=number)
    pause(1.5)  # people talk

    lost = time.monotonic()
    for number in called:
        switch.hang_up(number)

    wait_truth(console, switch, 10)
    took = time.monotonic() - lost
    print(f"all lamps were right {took:.1f} s after the loss")
    assert took < 10, "due after 5 s; 50 at 10/s are 5 s"
    source = console.source()
    assert source["corrections"] == 50 and source["unanswered"] == 0
    assert [asked(switch, "SnapshotDevice", number) for number in callers + called] == [1] * 50 + [2] * 50


def test_loss_that_the_switch_admits_is_repaired_at_once(pbx, start):
    switch = pbx("2001-2050")
    _, console = watching(start, switch)
    numbers = list(switch.model.devices)
    for one, other in zip(numbers[:20], numbers[20:40]):
        switch.call(one, other)
    wait_truth(console, switch, SOON)
    switch.misbehave("drop_events", times=None)
    for number in numbers[20:30]:
        switch.answer(number)
    for number in numbers[10:20]:
        switch.hang_up(number)
    switch.set_dnd(numbers[40])
    switch.set_forward(numbers[41], "forwardImmediate", True, "8000")
    switch.call(numbers[42], numbers[43])
    switch.behave()
    console.notifications.clear()

    switch.misbehave("messages_lost")

    wait_truth(console, switch, SOON)
    assert asked(switch, "MonitorStart") == 50 and details(console)["connections"] == 1
    assert not shown_bad(console)


def test_line_is_proved_whole(pbx, start):
    """Calls, Do Not Disturb and forwarding."""
    switch = pbx()
    _, console = watching(start, switch, {"verify": {"any": "2s", "busy": "2s", "ringing": "2s"}})
    switch.misbehave("drop_events", times=None)
    switch.call("201", "202")
    switch.set_dnd("203")
    switch.set_forward("204", "forwardImmediate", True, "8000")
    switch.out_of_service("205")
    wait_truth(console, switch, 6)
    switch.hang_up("201")
    switch.set_dnd("203", False)
    switch.set_forward("204", "forwardImmediate", False)
    switch.back_in_service("205")
    wait_truth(console, switch, 6)
    assert console.source()["corrections"] == 2 * 5


@pytest.mark.parametrize("event", ["Held", "Retrieved", "Established", "Delivered", "ConnectionCleared", None])
def test_late_event_does_not_wake_a_call_that_has_ended(pbx, start, event):
    switch = pbx()
    _, console = watching(start, switch)
    switch.call("201", "202")
    switch.answer("202")
    switch.hang_up("202")
    hear_all(console, switch)
    wait_truth(console, switch, SOON)
    lamps = Lamps(switch, console)

    for _ in range(3):
        switch.misbehave("late_event", event=event)
        hear_all(console, switch)

    switch.call("203", "204")
    wait_truth(console, switch, SOON)
    lamps.check()


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize("local_info", [True, False])
def test_callid_that_is_used_again(pbx, start, local_info, times):
    """By one call, or by every call of the line: each is seen, and its end."""
    switch = pbx(dialect={"local_info": local_info})
    _, console = watching(start, switch)
    switch.call("201", "202")
    switch.hang_up("201")
    hear_all(console, switch)
    wait_truth(console, switch, SOON)
    switch.misbehave("reuse_call_id", times=times)
    lamps = Lamps(switch, console)
    for _ in range(4):
        switch.call("201", "202")
        wait_truth(console, switch, SOON)
        switch.answer("202")
        wait_truth(console, switch, SOON)
        switch.hang_up("202")
        wait_truth(console, switch, SOON)
    lamps.check()


@pytest.mark.parametrize("kind, options", [("duplicate", {"count": 3}), ("delay", {"seconds": 0.3}), ("reorder", {})])
def test_events_that_come_twice_late_or_in_another_order(pbx, start, kind, options):
    switch = pbx()
    _, console = watching(start, switch, {"verify": {"busy": "3s", "ringing": "3s"}})
    switch.misbehave(kind, times=None, device="202", **options)
    for _ in range(3):
        switch.call("201", "202")
        switch.answer("202")
        switch.hold("202")
        switch.retrieve("202")
        switch.hang_up("201")
    switch.set_dnd("202")
    switch.behave()
    switch.set_agent("202")  # lets go what is held back
    wait_truth(console, switch, 8)


def test_event_of_another_monitor_is_nobodys(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, {"verify": {"ringing": "1s", "busy": "1s", "any": "2s"}})
    switch.misbehave("unknown_cross_ref", times=None, device="202")
    switch.call("201", "202")
    until(lambda: details(console)["events_of_nobody"] == 1, "an event of nobody", SOON)
    wait_truth(console, switch, SOON)
    assert console.source()["corrections"] == 1


# ---- monitors -------------------------------------------------------------------------------


def test_monitor_that_the_switch_stops_is_stale_and_started_again(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, HOLD)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    stopped = time.monotonic()

    switch.misbehave("monitor_stop", device="202")

    assert wait_status(console, "202", "stale", SOON)["line"] == "ringing"
    wait_why(console, "202", "stale", "stopped")
    switch.answer("202")
    wait_truth(console, switch, SOON)
    assert 0.9 < time.monotonic() - stopped < 2
    assert set(statuses_seen(console, "203")) <= {"ok"}
    assert details(console)["stopped_monitors"] == 1 and switch.counters["MonitorStopResponse"] == 1
    assert switch.unanswered() == 0 and switch.monitors() == set(switch.model.devices)


def test_monitor_that_is_stopped_again_and_again_is_started_less_and_less_often(pbx, start):
    switch = pbx(["201", "202"])
    _, console = watching(start, switch, HOLD)
    fault = switch.misbehave("error", times=2, request="MonitorStart", device="201",
                             category="systemResourceAvailability", error="resourceBusy")
    switch.misbehave("monitor_stop", device="201")

    until(lambda: fault.used == 2 and "201" in switch.monitors(), "it is started at last", 20)

    times = [request.time for request in switch.requests if request[:2] == ("MonitorStart", "201")]
    waits = [b - a for a, b in zip(times[1:], times[2:])]
    assert [round(wait) for wait in waits] == [2, 4], waits
    wait_truth(console, switch, SOON)


def test_all_monitors_stopped_at_once(pbx, start):
    switch = pbx("2001-2100")
    _, console = watching(start, switch, HOLD)
    switch.misbehave("monitor_stop")
    switch.call("2001", "2002")
    wait_status(console, "2100", "stale", SOON)
    wait_truth(console, switch, 10)
    assert switch.counters["MonitorStopResponse"] == 100


def test_device_that_is_deleted_is_not_found(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, HOLD)
    switch.remove_device("202")
    wait_status(console, "202", "not_found", SOON)
    wait_why(console, "202", "not_found", "invalidDeviceID")
    pause(2)
    assert asked(switch, "MonitorStart", "202") == 2, "it is not asked for again and again"


def test_monitor_that_the_switch_has_forgotten_is_started_again(pbx, start):
    """The next question finds it out."""
    switch = pbx()
    _, console = watching(start, switch, HOLD | {"verify": {"any": "2s"}})
    switch.misbehave("error", request="SnapshotDevice", device="202", error="invalidMonitorCrossRefID")
    switch.wait(lambda: asked(switch, "MonitorStart", "202") == 2, "a new monitor", 10)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    assert asked(switch, "MonitorStop", "202") == 0 and asked(switch, "MonitorStart", "201") == 1


def test_two_lines_with_one_reference_get_another(pbx, start):
    """Nobody could tell whose events they are."""
    switch = pbx()
    switch.misbehave("same_cross_ref", times=2, request="MonitorStart")
    pbx.forgive(switch, "is monitored already", "there is no monitor")  # one of them cannot be named, and so not ended
    _, console = begin(start, switch)
    wait_truth(console, switch, 10)
    lamps = Lamps(switch, console)
    for number in list(switch.model.devices)[1:]:
        switch.call("201", number)
        wait_truth(console, switch, SOON)
        switch.hang_up("201")
        wait_truth(console, switch, SOON)
    lamps.check()


# ---- restarts -------------------------------------------------------------------------------


def two_hundred_calls(switch):
    numbers = list(switch.model.devices)
    for one, other in zip(numbers[:200], numbers[200:]):
        switch.call(one, other)
        if int(other) % 3:
            switch.answer(other)
    return numbers


def other_calls(switch, numbers):
    """While nobody hears: half of them end, some go on otherwise, and there are new ones."""
    for number in numbers[:100]:
        switch.hang_up(number)
    for number in numbers[300:]:
        if switch.truth(number)["line"] == "ringing":
            switch.answer(number)
        else:
            switch.hold(number)
    for one, other in zip(numbers[:20], numbers[20:40]):
        switch.call(one, other)
    for number in numbers[40:60]:
        switch.set_dnd(number)
        switch.set_forward(number, "forwardImmediate", True, "8000")


def check_restart(console, switch, before):
    """Every line was stale, as it was before, until it was right."""
    truths = switch.truths()
    wait_truth(console, switch, 60, how=LOST)
    after = {number: Lamps.read(truth) for number, truth in truths.items()}
    seen = {number: [] for number in truths}
    for message in console.notifications:
        if message["method"] == "presence.changed":
            half = message["params"]["telephony"]
            seen[message["params"]["user"].removeprefix("u")].append((half["status"], Lamps.shown(half)))
    for number, shown in seen.items():
        assert {lamp for status, lamp in shown if status == "stale"} == {before[number]}, f"{number}: {shown}"
        assert {lamp for status, lamp in shown if status == "ok"} == {after[number]}, f"{number}: {shown}"
        assert {status for status, _ in shown} == {"stale", "ok"}


def test_restart_in_the_middle_of_200_calls(pbx, start):
    switch = pbx("2001-2400", session="required", user="presence", password="secret")
    _, console = watching(start, switch, HOLD)
    numbers = two_hundred_calls(switch)
    wait_truth(console, switch, 10)
    console.notifications.clear()
    before = {number: Lamps.read(truth) for number, truth in switch.truths().items()}
    begun = time.monotonic()

    switch.restart(lambda: other_calls(switch, numbers))

    check_restart(console, switch, before)
    took = time.monotonic() - begun
    print(f"every line was right {took:.1f} s after the restart")
    assert took < 60


def test_restart_that_is_announced_in_the_middle_of_200_calls(pbx, start):
    switch = pbx("2001-2400")
    _, console = watching(start, switch, HOLD)
    numbers = two_hundred_calls(switch)
    wait_truth(console, switch, 10)
    console.notifications.clear()
    before = {number: Lamps.read(truth) for number, truth in switch.truths().items()}

    switch.set_status("disabled")
    assert "disabled" in wait_source(console, "connecting", "disabled", SOON)["why"]
    other_calls(switch, numbers)
    assert asked(switch, "MonitorStart") == 400, "nothing is asked of it meanwhile"
    switch.set_status("initializing")
    switch.set_status("enabled")

    begun = time.monotonic()
    check_restart(console, switch, before)
    print(f"every line was right {time.monotonic() - begun:.1f} s after it was enabled")
    assert time.monotonic() - begun < 15
    assert console.source()["status"] == "up" and details(console)["connections"] == 1


@pytest.mark.parametrize("word", ["enabled", "normal"])
def test_switch_that_greets_again_has_not_restarted(pbx, start, word):
    switch = pbx(greeting=word)
    _, console = watching(start, switch)
    for _ in range(3):
        switch.misbehave("status", value=word)
    switch.wait(lambda: switch.unanswered() == 0, "its answers", SOON)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    assert asked(switch, "MonitorStart") == len(switch.model.devices) == asked(switch, "SnapshotDevice")


def test_normal_after_disabled_is_a_restart_too(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, HOLD)
    switch.set_status("disabled")
    wait_status(console, "201", "stale", SOON)
    switch.call("201", "202")
    switch.set_status("normal")
    wait_truth(console, switch, SOON)


def test_switch_that_is_disabled_at_first_is_waited_for(pbx, start):
    switch = pbx()
    switch.set_status("initializing")
    _, console = begin(start, switch)
    wait_source(console, "connecting", "initializing", SOON)
    assert asked(switch, "MonitorStart") == 0
    switch.set_status("enabled")
    wait_truth(console, switch, SOON)


def test_switch_that_wakes_without_a_word_is_asked(pbx, start):
    switch = pbx(unsupported={"SystemRegister"})
    switch.set_status("disabled")
    _, console = begin(start, switch)
    wait_source(console, "connecting", "disabled", SOON)
    switch.do(lambda: setattr(switch, "status", "normal"))
    wait_truth(console, switch, 20)


def test_switch_of_which_a_part_was_disabled(pbx, start):
    switch = pbx()
    _, console = watching(start, switch)
    switch.set_status("partiallyDisabled")
    switch.misbehave("drop_events", times=None)
    switch.call("201", "202")
    switch.behave()
    switch.set_status("normal")
    wait_truth(console, switch, SOON)
    assert asked(switch, "MonitorStart") == len(switch.model.devices)
