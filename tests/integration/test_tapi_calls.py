"""What a switch tells of calls, forwards and Do Not Disturb is what is published, however it writes.

SPDX-License-Identifier: MIT
"""

import datetime
import time

import pytest

from presenced import NOBODY, Deadline, console_socket, until
from tapi_world import (ADMIN, DIALECTS, EXACT, PILOT, Lamps, asked, begin, details, hear_all, pbx, telephony, user_of,
                        wait_truth, watching)

__all__ = ["pbx"]  # fixtures
SOON = 5


# ---- flows ----------------------------------------------------------------------------------
# Each is a generator that rests where what is published has to be what is true.


def plain_call(switch):
    switch.call("201", "202")
    yield
    switch.answer("202")
    yield
    switch.hang_up("202")
    yield


def caller_ends_it(switch):
    switch.call("201", "202")
    switch.answer("202")
    switch.hang_up("201")
    yield


def dialled_by_hand(switch):
    call = switch.off_hook("201")
    yield
    switch.dial("201", "202", call)
    switch.inform("201")
    yield
    switch.hang_up("201")
    yield


def busy_callee(switch):
    switch.fail("201", "202")
    yield
    switch.hang_up("201")
    yield


def blocked_line(switch):
    switch.fail("201")
    yield
    switch.hang_up("201")
    yield


def no_answer(switch):
    switch.call("201", "202")
    yield
    switch.hang_up("201")
    yield


def declined(switch):
    switch.call("201", "202")
    switch.hang_up("202")
    yield


def from_outside(switch):
    switch.call("+442070846845", "202", name="A. Caller")
    yield
    switch.answer("202")
    yield
    switch.hang_up("202")
    yield
    switch.call(None, "202")
    yield
    switch.answer("202")
    yield
    switch.hang_up("202")
    yield


def to_outside(switch):
    switch.call("201", "+302118840101")
    yield
    switch.hang_up("201")
    yield


def hold(switch):
    switch.call("201", "202")
    switch.answer("202")
    switch.hold("201")
    yield
    switch.hold("202")
    yield
    switch.retrieve("201")
    yield
    switch.retrieve("202")
    yield
    switch.hang_up("201")
    yield


def second_call(switch):
    first = switch.call("201", "202")
    switch.answer("202")
    second = switch.call("203", "202")
    yield
    switch.answer("202", second)
    yield
    switch.alternate("202")
    yield
    switch.alternate("202")
    yield
    switch.hang_up("202", second)
    yield
    switch.retrieve("202", first)
    yield
    switch.hang_up("202")
    yield


def consultation(switch):
    first = switch.call("201", "202")
    switch.answer("202")
    second = switch.consult("201", "203")
    yield
    switch.answer("203")
    yield
    switch.hang_up("201", second)
    yield
    switch.retrieve("201", first)
    yield
    switch.hang_up("201")
    yield


def consultation_busy(switch):
    switch.call("201", "202")
    switch.answer("202")
    for caller in ("204", "205"):
        switch.call(caller, "203")
    second = switch.consult("201", "203")
    yield
    switch.hang_up("201", second)
    switch.retrieve("201")
    yield
    for number in ("201", "204", "205"):
        switch.hang_up(number)
    yield


def transfer(switch):
    switch.call("201", "202")
    switch.answer("202")
    switch.consult("201", "203")
    switch.answer("203")
    yield
    switch.transfer("201")
    yield
    switch.hang_up("203")
    yield


def transfer_while_it_rings(switch):
    switch.call("+442070846845", "202")
    switch.answer("202")
    switch.consult("202", "203")
    yield
    switch.transfer("202")
    yield
    switch.answer("203")
    yield
    switch.hang_up("203")
    yield


def transfer_of_a_call_received(switch):
    switch.call("201", "202")
    switch.answer("202")
    switch.consult("202", "203")
    switch.answer("203")
    switch.transfer("202")
    yield
    switch.hang_up("201")
    yield


def blind_transfer(switch):
    switch.call("201", "202")
    switch.answer("202")
    switch.transfer("202", "203")
    yield
    switch.answer("203")
    yield
    switch.transfer("201", "204")
    yield
    switch.hang_up("204")
    yield


def conference(switch):
    switch.call("201", "202")
    switch.answer("202")
    switch.consult("201", "203")
    switch.answer("203")
    yield
    switch.conference("201")
    yield
    switch.hang_up("202")
    yield
    switch.hang_up("201")
    yield


def pickup(switch):
    call = switch.call("201", "202")
    yield
    switch.pickup("203", call)
    yield
    switch.hang_up("203")
    yield


def group_ring(switch):
    for caller in ("201", "+442070846845"):
        switch.group_call(caller, ["202", "203", "204"])
        yield
        switch.answer("203")
        yield
        switch.hang_up("203")
        yield
    switch.group_call("201", ["202", "203", "204"])
    switch.hang_up("201")
    yield


def queue(switch):
    call = switch.queue("201", "700")
    yield
    switch.distribute(call, "202")
    yield
    switch.answer("202")
    yield
    switch.hang_up("202")
    yield


def camp_on(switch):
    """A call that waits at a device does not make it busy."""
    call = switch.queue("201", "202")
    yield
    switch.distribute(call, "202")
    yield
    switch.hang_up("201")
    yield


def park(switch):
    call = switch.call("201", "202")
    switch.answer("202")
    switch.park("202")
    yield
    switch.pickup("203", call)
    yield
    switch.park("203", "204")
    yield
    switch.hang_up("201")
    yield


def diverted(switch):
    switch.call("201", "202")
    switch.divert("202", "203")
    yield
    switch.answer("203")
    yield
    switch.hang_up("201")
    yield


def forwarded(switch):
    switch.set_forward("202", "forwardImmediate", True, "203")
    yield
    switch.call("201", "202")
    yield
    switch.answer("203")
    yield
    switch.hang_up("201")
    switch.set_forward("202", "forwardImmediate", False)
    yield


def nobody_comes(switch):
    switch.set_forward("202", "forwardNoAns", True, PILOT, 4)
    switch.call("201", "202")
    yield
    switch.no_answer("202")
    yield
    switch.hang_up("201")
    switch.set_forward("202", "forwardNoAns", False)
    yield


def do_not_disturb(switch):
    switch.set_dnd("202", True)
    yield
    switch.call("201", "202")
    yield
    switch.hang_up("201")
    switch.set_dnd("202", False)
    yield


def unplugged(switch):
    switch.call("201", "202")
    switch.answer("202")
    switch.out_of_service("202")
    yield
    switch.set_dnd("202", True)
    switch.back_in_service("202")
    yield
    switch.set_dnd("202", False)
    yield


FLOWS = [plain_call, caller_ends_it, dialled_by_hand, busy_callee, blocked_line, no_answer, declined, from_outside,
         to_outside, hold, second_call, consultation, consultation_busy, transfer, transfer_while_it_rings,
         transfer_of_a_call_received, blind_transfer, conference, pickup, group_ring, queue, camp_on, park, diverted,
         forwarded, nobody_comes, do_not_disturb, unplugged]
HABITS = [{"clearing": "own"}, {"clearing": "only_own"}, {"clearing": "call", "offered": True},
          {"group": "diverted", "transfer_id": "primary"}, {"transfer_id": "secondary", "tells_diverted": False}]


def follow(flow, console, switch):
    """Nothing is published on the way that was never true."""
    lamps = Lamps(switch, console)
    for step, _ in enumerate(flow(switch), 1):
        try:
            hear_all(console, switch, SOON)
            wait_truth(console, switch, SOON, how=EXACT)
        except Deadline as error:
            raise AssertionError(f"{flow.__name__}, step {step}: {error}") from error
    assert switch.calls() == [], "the flow ends as it began"
    lamps.check()
    switch.listeners.clear()


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
def test_flow(pbx, start, flow):
    switch = pbx({str(n): f"Person {n}" for n in range(201, 207)})
    _, console = watching(start, switch)
    follow(flow, console, switch)
    found = details(console)
    assert found["events_of_nobody"] == found["strays"] == found["bad_documents"] == 0


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect(pbx, start, name):
    switch = pbx({str(n): f"Person {n}" for n in range(201, 207)}, **DIALECTS[name])
    _, console = watching(start, switch)
    for flow in FLOWS:
        follow(flow, console, switch)


@pytest.mark.parametrize("habits", HABITS, ids=str)
@pytest.mark.parametrize("local_info", [True, False])
def test_habits(pbx, start, habits, local_info):
    switch = pbx(habits=habits, dialect={"local_info": local_info})
    _, console = watching(start, switch)
    for flow in FLOWS:
        follow(flow, console, switch)


# ---- what is told of a call -----------------------------------------------------------------


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def calls_of(console, number):
    """Without the time, which is another one each time."""
    return [{key: value for key, value in call.items() if key != "since"}
            for call in telephony(console, number)["calls"]]


def test_details_of_calls(pbx, start):
    switch = pbx({"201": "Ann Lee", "202": "Bob & Sons", "203": "Cid"}, dialect={"devices": "name"})
    _, console = watching(start, switch)
    switch.call("201", "202")
    wait_truth(console, switch, SOON, how=EXACT)
    assert calls_of(console, "201") == [{"state": "dialing", "direction": "out", "peer": "202", "name": "Bob & Sons"}]
    assert calls_of(console, "202") == [{"state": "ringing", "direction": "in", "peer": "201", "name": "Ann Lee"}]

    switch.answer("202")
    switch.hold("202")
    switch.call("+442070846845", "202", name="A. Caller")
    wait_truth(console, switch, SOON, how=EXACT)
    assert calls_of(console, "202") == [
        {"state": "held", "direction": "in", "peer": "201", "name": "Ann Lee"},
        {"state": "ringing", "direction": "in", "peer": "+442070846845", "name": "A. Caller"}]
    assert calls_of(console, "201") == [{"state": "connected", "direction": "out", "peer": "202", "name": "Bob & Sons"}]

    switch.call(None, "203")
    wait_truth(console, switch, SOON, how=EXACT)
    assert calls_of(console, "203") == [{"state": "ringing", "direction": "in"}], "it is withheld"


@pytest.mark.parametrize("devices, peer", [("plain", "+442070846845"), ("tel", "tel:+442070846845"),
                                           ("sip", "sip:+442070846845@pbx")])
def test_number_of_a_caller_is_told_as_the_switch_writes_it(pbx, start, devices, peer):
    switch = pbx(dialect={"devices": devices})
    _, console = watching(start, switch)
    switch.call("+442070846845", "201")
    wait_truth(console, switch, SOON, how=EXACT)
    assert calls_of(console, "201") == [{"state": "ringing", "direction": "in", "peer": peer}]


def test_since_is_when_the_call_took_its_state(pbx, start):
    switch = pbx()
    _, console = watching(start, switch)

    def since_after(*operations):
        """When the state of the call of 202 began, which is between these operations and now."""
        before = time.time()
        for name, *arguments in operations:
            getattr(switch, name)(*arguments)
        hear_all(console, switch)
        wait_truth(console, switch, SOON, how=EXACT)
        found = moment(telephony(console, "202")["calls"][0]["since"])
        assert before - 0.002 <= found <= time.time(), "it is told in milliseconds"
        return found

    ringing = since_after(("call", "201", "202"))
    connected = since_after(("answer", "202"))
    held = since_after(("hold", "202"))
    again = since_after(("retrieve", "202"))
    assert ringing < connected < held < again
    for change in (("inform", "202"), ("hold", "201"), ("retrieve", "201"), ("set_dnd", "202"), ("call", "203", "202")):
        getattr(switch, change[0])(*change[1:])
        hear_all(console, switch)
        wait_truth(console, switch, SOON, how=EXACT)
        assert moment(telephony(console, "202")["calls"][0]["since"]) == again, f"{change} is no change of this call"


def test_calls_and_targets_are_shown_to_those_who_may_see_them(pbx, start, as_root):
    switch = pbx()
    sockets = ADMIN + [console_socket("desk", ["read"])]
    daemon, console = watching(start, switch, {"console": sockets})
    desk = daemon.console("desk", uid=NOBODY)
    assert desk.permissions == ["read"]
    desk.subscribe(users=[user_of("201"), user_of("202")])

    switch.set_forward("202", "forwardImmediate", True, "203")
    switch.set_forward("202", "forwardImmediate", False, "203")
    switch.call("201", "202")
    switch.set_forward("202", "forwardImmediate", True, "203")

    wait_truth(console, switch, SOON, how=EXACT)
    shown = telephony(console, "202")
    assert len(shown["calls"]) == 1 and shown["forward"] == {"kind": "phone", "target": "203"}
    hidden = {key: value for key, value in shown.items() if key != "calls"} | {"forward": {"kind": "phone"}}
    desk.wait(lambda: desk.table["u202"]["telephony"] == hidden, "the same without calls and target", SOON)
    assert telephony(desk, "201").get("line") == "busy" and "calls" not in telephony(desk, "201")


def test_transfer_of_a_withheld_caller_does_not_show_who_has_left(pbx, start):
    """203 must not believe that 202, who has transferred the call and gone, is calling."""
    switch = pbx()
    _, console = watching(start, switch)
    switch.call(None, "202")
    switch.answer("202")
    switch.consult("202", "203")
    wait_truth(console, switch, SOON, how=EXACT)
    assert calls_of(console, "203") == [{"state": "ringing", "direction": "in", "peer": "202"}]

    switch.transfer("202")

    hear_all(console, switch)
    wait_truth(console, switch, SOON)
    assert calls_of(console, "203") == [{"state": "ringing", "direction": "in"}]


def test_called_who_is_transferred_to_a_phone_that_rings_is_not_connected_yet(pbx, start):
    """202 was called, and hears now how it rings at 203."""
    switch = pbx()
    _, console = watching(start, switch)
    switch.call("201", "202")
    switch.answer("202")
    switch.consult("201", "203")
    switch.transfer("201")
    hear_all(console, switch)
    wait_truth(console, switch, SOON)
    assert telephony(console, "202")["calls"][0]["state"] == "dialing"
    switch.answer("203")
    wait_truth(console, switch, SOON)
    assert telephony(console, "202")["calls"][0]["state"] == "connected"


# ---- calls that were there before -----------------------------------------------------------


def all_kinds_of_calls(switch):
    """A call in each state that a device can be in, on 201 to 212."""
    switch.call("201", "202")
    switch.answer("202")
    switch.hold("201")
    switch.call("203", "202")
    switch.off_hook("204")
    switch.fail("205")
    switch.fail("206", "207")
    switch.queue("+442070846845", "208")
    switch.queue("209", "700")
    switch.group_call("210", ["211", "212"])


@pytest.mark.parametrize("snapshot", ["compound", "simple", "segmented"])
@pytest.mark.parametrize("local_info", [True, False])
def test_calls_that_were_there_before_are_found(pbx, start, snapshot, local_info):
    switch = pbx("201-213", dialect={"snapshot": snapshot, "local_info": local_info})
    all_kinds_of_calls(switch)
    _, console = begin(start, switch)

    wait_truth(console, switch, SOON)

    assert [telephony(console, number)["line"] for number in switch.model.devices] == [
        "held", "busy", "busy", "busy", "busy", "busy", "idle", "idle", "busy", "busy", "ringing", "ringing", "idle"]
    assert calls_of(console, "208") == [], "who waits in a queue is nobody's call"
    for number in switch.model.devices:
        assert not any("since" in call for call in telephony(console, number)["calls"]), "nobody saw when it was"
    lamps = Lamps(switch, console)
    for number in [party.number for call in switch.calls() for party in call.parties if party.device]:
        if switch.truth(number)["calls"] or switch.calls(number):
            switch.hang_up(number)
    hear_all(console, switch)
    wait_truth(console, switch, SOON)
    lamps.check()


def test_more_calls_than_a_line_can_have(pbx, start):
    """They are all counted, whatever part of them is shown."""
    switch = pbx(["201"])
    calls = [switch.queue(f"+4420708400{n:02}", "201") for n in range(40)]
    calls += [switch.queue(f"+4420708401{n:02}", "201") for n in range(40)]
    _, console = watching(start, switch)
    assert telephony(console, "201")["line"] == "idle" and calls_of(console, "201") == []

    switch.call("+442070846845", "201")
    wait_truth(console, switch, SOON)
    switch.answer("201")
    wait_truth(console, switch, SOON)
    assert telephony(console, "201")["line"] == "busy"
    for call in calls:
        switch.hang_up("201", call)
    switch.hang_up("201")
    hear_all(console, switch)
    wait_truth(console, switch, SOON)


@pytest.mark.parametrize("other", ["202", None], ids=["known", "withheld"])
def test_who_has_left_a_conference_is_not_shown(pbx, start, other):
    """However long it has lasted."""
    switch = pbx()
    _, console = watching(start, switch)
    switch.call(other, "201")
    switch.answer("201")
    switch.consult("201", "203")
    switch.answer("203")
    looked = asked(switch, "SnapshotDevice")
    switch.conference("201")
    wait_truth(console, switch, SOON, how=EXACT)
    until(lambda: asked(switch, "SnapshotDevice") >= looked + 2, "each is looked at again", SOON)

    gone, rest = ("203", ["201"]) if other is None else ("201", ["202", "203"])
    switch.hang_up(gone)
    hear_all(console, switch)
    wait_truth(console, switch, SOON)
    assert all(call.get("peer") != gone for number in rest for call in telephony(console, number)["calls"])
