"""Bytes and documents that no switch should send: what they cost, and what is said of them.

SPDX-License-Identifier: MIT
"""

import time

import pytest

from presenced import until
from tapi_world import (LOST, Lamps, begin, details, pause, pbx, shown_bad, statuses_seen, telephony,
                        wait_source, wait_status, wait_truth, watching)

from csta_faults import BER  # after tapi_world, which knows the way

__all__ = ["pbx"]  # fixtures
SOON = 5
HOLD = {"hold": "60s"}
UNREADABLE = ["not_xml", "unclosed", "doctype", "deep", "bad_utf8"]


# ---- frames ---------------------------------------------------------------------------------


def why_broken(daemon):
    """What the log says of the connection that ended last."""
    lines = [line for line in daemon.log_text().splitlines() if "connection_error" in line]
    return lines[-1] if lines else ""


@pytest.mark.parametrize("kind, options, words", [
    ("short_length", {"value": 0}, "length"), ("short_length", {"value": 4}, "length"),
    ("short_length", {"value": 7}, "length"), ("nonzero", {}, "does not speak CSTA in XML"),
    ("nonzero", {"value": b"\0\1"}, "does not speak CSTA in XML"), ("ber", {}, "ASN.1"),
    ("bytes", {"data": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, "does not speak CSTA in XML"),
    ("bytes", {"data": b"SIP/2.0 400 x\r\n\r\n"}, "does not speak CSTA in XML")], ids=str)
def test_what_is_no_frame_ends_the_connection_and_says_why(pbx, start, kind, options, words):
    switch = pbx()
    daemon, console = watching(start, switch, HOLD)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    console.notifications.clear()

    switch.misbehave(kind, **options)

    wait_status(console, "201", "stale", SOON)
    until(lambda: words in why_broken(daemon), f"{words} in {why_broken(daemon)}", SOON)
    assert f"127.0.0.1:{switch.port}" in why_broken(daemon)
    wait_truth(console, switch, 20, how=LOST)
    assert not shown_bad(console)


@pytest.mark.parametrize("by", [5, -5, 1])
def test_lie_about_the_length_is_noticed_by_what_follows(pbx, start, by):
    switch = pbx()
    _, console = watching(start, switch, HOLD, keepalive="5s")
    switch.misbehave("lie_length", by=by)
    switch.call("201", "202")
    wait_truth(console, switch, 25, how=LOST)
    assert not shown_bad(console)


@pytest.mark.parametrize("kind", ["cut", "cut_head"])
def test_connection_that_ends_in_the_middle_of_a_frame(pbx, start, kind):
    switch = pbx()
    _, console = watching(start, switch, HOLD)
    switch.misbehave(kind)
    switch.call("201", "202")
    wait_status(console, "203", "stale", SOON)
    wait_truth(console, switch, SOON, how=LOST)


def test_half_a_frame_is_not_waited_for_longer_than_30_seconds(pbx, start):
    """The switch says nothing more after it; it is not asked whether it is there meanwhile."""
    switch = pbx()
    daemon, console = watching(start, switch, HOLD, keepalive="600s")
    begun = time.monotonic()
    switch.misbehave("half")
    wait_status(console, "201", "stale", 35)
    assert 29 < time.monotonic() - begun < 34
    assert "did not end it" in why_broken(daemon)


def test_half_a_frame_before_what_goes_on(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, HOLD, keepalive="5s")
    switch.misbehave("half")
    for _ in range(3):
        switch.call("201", "202")
        switch.hang_up("201")
    switch.call("201", "202")
    wait_truth(console, switch, 30, how=LOST)
    assert not shown_bad(console)


@pytest.mark.parametrize("kind", ["binary_id", "empty_frame"])
def test_odd_frames_that_cost_nothing(pbx, start, kind):
    switch = pbx()
    _, console = watching(start, switch)
    console.notifications.clear()
    switch.misbehave(kind, times=5)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    found = details(console)
    assert found["connections"] == 1 and found["bad_documents"] == 0 and set(statuses_seen(console, "203")) <= {"ok"}


# ---- documents ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", UNREADABLE)
def test_document_that_cannot_be_read_costs_nothing_but_a_resync(pbx, start, kind):
    """What it would have said is asked for."""
    switch = pbx("201-212")
    daemon, console = watching(start, switch, HOLD)
    switch.misbehave("drop_events", device="202", events="Delivered")
    switch.call("201", "202")
    switch.wait(lambda: switch.counters["dropped"] == 1, "it is lost", SOON)
    console.notifications.clear()

    switch.misbehave(kind)

    wait_truth(console, switch, SOON)
    found = details(console)
    assert found["bad_documents"] == 1 and found["last_bad_document"] and found["connections"] == 1
    assert not shown_bad(console) and console.source()["status"] == "up"
    assert switch.counters["MonitorStart"] == 12
    assert daemon.log_text().count("csta unreadable") == 1


def test_three_documents_in_a_row_cost_the_connection(pbx, start):
    switch = pbx()
    daemon, console = watching(start, switch, HOLD)
    console.notifications.clear()
    switch.do(lambda: [switch._garbage("not_xml", None, {}) for _ in range(3)])
    wait_status(console, "201", "stale", SOON)
    until(lambda: "3 documents in a row" in why_broken(daemon), "a sentence", SOON)
    assert not shown_bad(console)
    switch.call("201", "202")
    console.call("sources.restart", name="switch")
    wait_truth(console, switch, SOON, how=LOST)


def test_documents_that_cannot_be_read_between_others_do_not(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, HOLD)
    for n in range(12):
        switch.misbehave(UNREADABLE[n % len(UNREADABLE)])
        switch.set_dnd("201", n % 2 == 0)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    assert details(console)["bad_documents"] == 12 and details(console)["connections"] == 1


def test_document_that_cannot_be_read_before_anything_is_known(pbx, start):
    switch = pbx()
    switch.misbehave("raw", request="RequestSystemStatus", document="<RequestSystemStatusResponse")
    _, console = begin(start, switch)
    wait_truth(console, switch, 25)
    assert details(console)["bad_documents"] == 1


@pytest.mark.parametrize("request_name", ["SnapshotDevice", "GetDoNotDisturb", "GetForwarding"])
def test_answer_that_cannot_be_read(pbx, start, request_name):
    """It is as one that was lost; the others are not touched."""
    switch = pbx()
    switch.misbehave("raw", request=request_name, device="202", document="<a><b></a>")
    _, console = begin(start, switch, None, HOLD | {"verify": {"requesting": "60s", "any": "4s"}})
    wait_truth(console, switch, SOON, ["201", "203", "204", "205", "206"])
    wait_truth(console, switch, 13, ["202"])
    assert details(console)["connections"] == 1


@pytest.mark.parametrize("size", [65527, 65526, 4096, 65527 // 2])
def test_largest_document(pbx, start, size):
    switch = pbx()
    _, console = watching(start, switch)
    switch.misbehave("big_document", times=5, size=size)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    found = details(console)
    assert found["bad_documents"] == 0 and found["connections"] == 1 and found["frames_in"] > 5


def test_document_of_many_forwards_and_calls(pbx, start):
    """As many as fit in a frame: the one that counts is found, whatever stands before it."""
    switch = pbx()
    item = ("<forwardListItem><forwardingType>{}</forwardingType><forwardStatus>true</forwardStatus>"
            "<forwardDN>8000</forwardDN></forwardListItem>")
    items = item.format("forwardBusy") * 450 + item.format("forwardImmediate")
    forwards = f"<GetForwardingResponse><forwardingList>{items}</forwardingList></GetForwardingResponse>"
    switch.misbehave("raw", times=None, request="GetForwarding", device="202", document=forwards)
    call = ("<snapshotDeviceResponseInfo><connectionIdentifier><callID>{}</callID></connectionIdentifier>"
            "<localCallState><compoundCallState><localConnectionState>{}</localConnectionState></compoundCallState>"
            "</localCallState></snapshotDeviceResponseInfo>")
    states = ["queued"] * 200 + ["hold"] * 20 + ["connected"]
    calls = "".join(call.format(n, state) for n, state in enumerate(states))
    snapshot = ("<SnapshotDeviceResponse><crossRefIDorSnapshotData><snapshotData>" + calls
                + "</snapshotData></crossRefIDorSnapshotData></SnapshotDeviceResponse>")
    assert len(snapshot) < 65527 and len(forwards) < 65527
    switch.misbehave("raw", times=None, request="SnapshotDevice", device="202", document=snapshot)
    _, console = begin(start, switch)
    console.wait(lambda: telephony(console, "202")["status"] == "ok", "an answer", SOON)
    half = telephony(console, "202")
    assert half["forward"] == {"kind": "voicemail", "target": "8000"}
    assert half["line"] == "busy", "one of them is connected"
    assert len(half["calls"]) == 16 and half["calls"][0]["state"] == "connected", "those that matter are shown"


@pytest.mark.parametrize("document", [
    "<DeliveredEvent><monitorCrossRefID>{ref}</monitorCrossRefID></DeliveredEvent>",
    "<DeliveredEvent><monitorCrossRefID>{ref}</monitorCrossRefID><connection/><localConnectionInfo>alerting"
    "</localConnectionInfo></DeliveredEvent>",
    "<TransferedEvent><monitorCrossRefID>{ref}</monitorCrossRefID></TransferedEvent>",
    "<ConferencedEvent><monitorCrossRefID>{ref}</monitorCrossRefID><conferenceConnections><connectionListItem/>"
    "</conferenceConnections></ConferencedEvent>",
    "<DoNotDisturbEvent><monitorCrossRefID>{ref}</monitorCrossRefID></DoNotDisturbEvent>",
    "<ForwardingEvent><monitorCrossRefID>{ref}</monitorCrossRefID></ForwardingEvent>",
    "<ForwardingEvent><monitorCrossRefID>{ref}</monitorCrossRefID><forwardingType>forwardMoon</forwardingType>"
    "<forwardStatus>true</forwardStatus><forwardTo>203</forwardTo></ForwardingEvent>",
    "<DeliveredEvent><monitorCrossRefID>{ref}</monitorCrossRefID><connection><callID>77</callID></connection>"
    "<localConnectionInfo>teleported</localConnectionInfo></DeliveredEvent>"], ids=lambda text: text[1:40])
def test_event_that_says_less_than_it_should_leaves_no_lamp(pbx, start, document):
    """A call that never was is gone after a question at the latest."""
    switch = pbx()
    _, console = watching(start, switch, {"verify": {"any": "2s", "busy": "2s", "ringing": "2s"}})
    switch.misbehave("raw_event", device="202", events="AgentReady", document=document)
    switch.set_agent("202", "Ready")
    switch.call("203", "204")
    wait_truth(console, switch, SOON)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    assert details(console)["connections"] == 1


# ---- who is no switch -----------------------------------------------------------------------


@pytest.mark.parametrize("hello", [BER, b"B\x00\x01\x02", b"SIP/2.0 200 OK\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"],
                         ids=["ber", "oxo", "sip", "ssh"])
def test_who_greets_in_another_language_is_no_switch(pbx, start, hello):
    switch = pbx()
    switch.misbehave("hello", times=None, data=hello)
    _, console = begin(start, switch)
    found = wait_source(console, "connection_error", "does not speak CSTA in XML", SOON)
    assert "port" in found["why"] and "ASN.1" in found["why"], "what to look at"
    pause(2)
    assert switch.counters["accepted"] <= 3, "not in a circle"
    switch.behave()
    console.call("sources.restart", name="switch")
    wait_truth(console, switch, SOON)


def test_sentence_about_another_language_is_whole(pbx, start):
    switch = pbx()
    switch.misbehave("hello", times=None, data=BER)
    _, console = begin(start, switch)
    found = wait_source(console, "connection_error", "does not speak CSTA in XML", SOON)
    assert found["why"].endswith("there"), found["why"]


def test_hundred_wrong_things_in_a_row(pbx, start):
    """Nothing of it makes a lamp that is not true, or ends the daemon."""
    switch = pbx("201-220")
    _, console = watching(start, switch, HOLD)
    lamps = Lamps(switch, console, ("ok", "stale"))
    kinds = ["unknown_event", "not_xml", "no_reference", "doctype", "unknown_reference", "empty_frame", "binary_id",
             "long_text", "bad_utf8", "big_document"]
    for n in range(100):
        switch.misbehave(kinds[n % len(kinds)])
        if n % 10 == 5:
            switch.call(201 + n // 10, 211 + n // 10)
    wait_truth(console, switch, SOON)
    lamps.check()
    assert details(console)["connections"] == 1
