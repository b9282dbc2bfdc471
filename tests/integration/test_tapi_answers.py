"""Requests about lines that a switch refuses, each error on its own, and answers that are late, lost, doubled or wrong.

SPDX-License-Identifier: MIT
"""

import pytest

from presenced import until
from tapi_world import (Lamps, asked, begin, details, hear_all, pause, pbx, shown_bad, state_of, statuses_seen,
                        telephony, wait_source, wait_status, wait_truth, wait_why, watching)

__all__ = ["pbx"]  # fixtures
SOON = 5
HOLD = {"hold": "60s"}

REQUESTS = ["MonitorStart", "SnapshotDevice", "GetDoNotDisturb", "GetForwarding"]

# ---- answers that are lost ------------------------------------------------------------------


def test_answers_that_are_lost(pbx, start):
    """Each request is lost for one line; the others are as they should be at once."""
    switch = pbx("201-210")
    lost = dict(zip(("202", "203", "204", "205"), REQUESTS))
    for number, request in lost.items():
        switch.misbehave("lose_answer", request=request, device=number)
    switch.misbehave("swallow", request="MonitorStart", device="206")
    switch.misbehave("wrong_id", request="SnapshotDevice", device="207")
    _, console = begin(start, switch, None, HOLD | {"verify": {"requesting": "60s"}})
    wait_truth(console, switch, SOON, ["201", "208", "209", "210"])
    for number in ("204", "205"):
        wait_status(console, number, "ok", 2)
    switch.call("201", "204")
    wait_why(console, "202", "stale", "does not answer MonitorStart", 12)
    wait_truth(console, switch, 5, ["201", "203", "207"])
    wait_truth(console, switch, 18, ["202", "206"])
    assert details(console)["connections"] == 1 and console.source()["status"] == "up"
    assert details(console)["strays"] >= 1
    assert "dnd" not in telephony(console, "204") and "forward" not in telephony(console, "205"), "unknown, not off"


def test_switch_that_answers_nothing_is_not_waited_for_forever(pbx, start):
    switch = pbx()
    switch.misbehave("swallow", times=None)
    _, console = begin(start, switch)
    wait_source(console, "connection_error", "no answer to RequestSystemStatus", 18)


# ---- errors ---------------------------------------------------------------------------------

NOT_FOUND, DENIED, ERROR = "not_found", "access_denied", "error"
REFUSALS = [
    ("operation", "invalidDeviceID", NOT_FOUND),
    ("operation", "objectNotKnown", NOT_FOUND),
    ("operation", "invalidMonitorObject", NOT_FOUND),
    ("operation", "privilegeViolationSpecifiedDevice", DENIED),
    ("operation", "securityViolation", DENIED),
    ("security", "macTimestampError", DENIED),
    ("security", "anything", DENIED),
    ("systemResourceAvailability", "overallMonitorLimitExceeded", ERROR),
    ("subscribedResourceAvailability", "objectMonitorLimitExceeded", ERROR),
    ("operation", "serviceNotSupported", ERROR),
    ("operation", "requestIncompatibleWithDevice", ERROR),
    ("operation", "invalidFeature", ERROR),
    ("operation", "generic", ERROR),
    ("operation", "invalidParameterValue", ERROR),
    ("stateIncompatibility", "invalidObjectState", ERROR),
    ("privateData", "private-4711", ERROR),
    ("unspecified", "unspecified", ERROR),
    ("operation", "&lt;b&gt;ünïcode&amp;", ERROR),
    ("operation", "x" * 900, ERROR),
]
BUSY = [("systemResourceAvailability", "resourceBusy"),
        ("subscribedResourceAvailability", "outstandingReqLimitExceeded"),
        ("performanceManagement", "performanceLimitExceeded")]


def test_each_refusal_of_a_monitor_is_a_status_of_its_line_alone(pbx, start):
    numbers = [str(2001 + n) for n in range(len(REFUSALS) + 2)]
    switch = pbx(numbers)
    for number, (category, error, _) in zip(numbers, REFUSALS):
        if "&" in error:
            document = f"<CSTAErrorCode><{category}>{error}</{category}></CSTAErrorCode>"
            switch.misbehave("raw", times=None, request="MonitorStart", device=number, document=document)
        else:
            switch.misbehave("error", times=None, request="MonitorStart", device=number, category=category, error=error)
    _, console = begin(start, switch)
    wait_truth(console, switch, SOON, numbers[len(REFUSALS):])

    for number, (category, error, status) in zip(numbers, REFUSALS):
        wait_status(console, number, status, SOON)
        why = state_of(console, number)["why"]
        assert category in why and (error[:70] in why or "&" in error), why
        assert "overallMonitorLimit" not in error or "licence" in why
    assert console.source()["status"] == "up"
    found = details(console)
    assert found["monitored"] == 2 and found["refused_lines"] == len(REFUSALS) and found["last_refusal"]
    pause(2)
    assert all(asked(switch, "MonitorStart", number) == 1 for number in numbers), "all have a longer time to wait"
    switch.call(*numbers[-2:])
    wait_truth(console, switch, SOON, numbers[len(REFUSALS):])


def test_line_that_is_not_known_is_asked_for_after_the_next_restart(pbx, start):
    switch = pbx()
    switch.misbehave("error", request="MonitorStart", device="202", error="invalidDeviceID")
    switch.misbehave("error", request="MonitorStart", device="203", error="securityViolation")
    _, console = begin(start, switch, None, HOLD)
    wait_status(console, "202", NOT_FOUND, SOON)
    wait_status(console, "203", DENIED, SOON)
    switch.misbehave("restart_announced")
    wait_truth(console, switch, SOON)


@pytest.mark.parametrize("category, error", BUSY)
def test_switch_that_is_busy_is_asked_again_and_that_is_no_error(pbx, start, category, error):
    switch = pbx()
    switch.misbehave("error", times=2, request="MonitorStart", device="202", category=category, error=error)
    switch.misbehave("error", times=2, request="SnapshotDevice", device="203", category=category, error=error)
    switch.misbehave("error", times=1, request="GetDoNotDisturb", device="204", category=category, error=error)
    _, console = begin(start, switch, None, {"verify": {"any": "2s"}})
    wait_truth(console, switch, SOON)
    assert not [user for user in shown_bad(console) if user in ("u202", "u203", "u204")
                and "error" in statuses_seen(console, user[1:])]


def test_more_lines_than_the_licence_allows(pbx, start):
    switch = pbx("2001-2010", monitor_limit=7)
    _, console = begin(start, switch)
    until(lambda: details(console)["monitored"] + details(console)["refused_lines"] == 10, "all were tried", SOON)
    console.barrier()
    found = [telephony(console, number)["status"] for number in switch.model.devices]
    assert sorted(found) == [ERROR] * 3 + ["ok"] * 7
    number = list(switch.model.devices)[found.index(ERROR)]
    assert "licence" in state_of(console, number)["why"]


def test_device_out_of_service_is_offline_though_it_cannot_be_monitored(pbx, start):
    switch = pbx()
    switch.out_of_service("202")
    switch.misbehave("error", request="MonitorStart", device="202", category="systemResourceAvailability",
                     error="deviceOutOfService")
    _, console = begin(start, switch)
    wait_status(console, "202", "ok", SOON)
    assert telephony(console, "202")["line"] == telephony(console, "202")["mode"] == "offline"


@pytest.mark.parametrize("error, known", [("privilegeViolationSpecifiedDevice", False), ("invalidFeature", False),
                                          ("requestIncompatibleWithDevice", False), ("generic", False)])
def test_feature_of_one_line_that_cannot_be_asked_is_unknown(pbx, start, error, known):
    switch = pbx()
    for request, device in (("GetDoNotDisturb", "202"), ("GetForwarding", "203")):
        switch.misbehave("error", times=None, request=request, device=device, error=error)
    for number in ("202", "203"):
        switch.set_dnd(number)
        switch.set_forward(number, "forwardImmediate", True, "8000")
    _, console = begin(start, switch)
    wait_truth(console, switch, SOON, ["201", "204", "205", "206"])
    wait_status(console, "202", "ok", SOON)
    wait_status(console, "203", "ok", SOON)
    assert ("dnd" in telephony(console, "202")) is known and telephony(console, "202")["mode"].startswith("forwarded")
    assert ("forward" in telephony(console, "203")) is known and telephony(console, "203")["mode"] == "dnd"


def test_refused_snapshot_leaves_the_line_unknown(pbx, start):
    switch = pbx()
    switch.misbehave("error", times=None, request="SnapshotDevice", device="202",
                     error="privilegeViolationSpecifiedDevice")
    _, console = begin(start, switch)
    console.wait(lambda: "dnd" in telephony(console, "202"), "what can be known", SOON)
    assert "line" not in telephony(console, "202")
    switch.call("201", "202")
    wait_truth(console, switch, SOON)


def test_error_that_is_wrapped_is_found(pbx, start):
    document = ("<Fault><faultcode>x</faultcode><detail><CSTAErrorCode><operation>invalidDeviceID</operation>"
                "</CSTAErrorCode></detail></Fault>")
    switch = pbx()
    switch.misbehave("raw", request="MonitorStart", device="202", document=document)
    _, console = begin(start, switch)
    wait_status(console, "202", NOT_FOUND, SOON)
    wait_truth(console, switch, SOON, ["201", "203"])


@pytest.mark.parametrize("document", ["<MonitorStartResponse/>", "<CSTAErrorCode/>", "<MonitorStartNegResponse/>",
                                      "<MonitorStartResponse><monitorCrossRefID/></MonitorStartResponse>",
                                      "<CSTAErrorCode><operation/></CSTAErrorCode>", "<SnapshotDeviceResponse/>"])
def test_answer_that_says_nothing_is_an_error_of_its_line(pbx, start, document):
    switch = pbx()
    switch.misbehave("raw", request="MonitorStart", device="202", document=document)
    _, console = begin(start, switch)
    wait_status(console, "202", ERROR, SOON)
    assert state_of(console, "202")["why"]
    wait_truth(console, switch, SOON, ["201", "203"])
    assert console.source()["status"] == "up"
    pbx.forgive(switch, "202 is monitored already")  # the switch has begun one of which it did not tell the reference


# ---- answers that are late, doubled or wrong ------------------------------------------------

@pytest.mark.parametrize("kind, options", [("late", {"seconds": 0.5}), ("late_answer", {"seconds": 0.5}),
                                           ("out_of_order", {"count": 3}), ("twice", {})])
@pytest.mark.parametrize("request_name", REQUESTS)
def test_answers_late_out_of_order_and_twice(pbx, start, kind, options, request_name):
    switch = pbx("2001-2040")
    switch.set_dnd("2003")
    switch.set_forward("2004", "forwardImmediate", True, "8000")
    for one, other in zip(range(2011, 2021), range(2021, 2031)):
        switch.call(one, other)
    switch.misbehave(kind, times=10, request=request_name, **options)
    _, console = begin(start, switch)
    wait_truth(console, switch, SOON)
    lamps = Lamps(switch, console)
    switch.answer("2021")
    switch.hang_up("2012")
    hear_all(console, switch)
    wait_truth(console, switch, SOON)
    lamps.check()
    assert (details(console)["strays"] > 0) == (kind == "twice")


def test_events_between_question_and_answer_are_newer(pbx, start):
    """The snapshot was composed before, and is answered after them."""
    switch = pbx()
    switch.call("203", "204")
    _, console = watching(start, switch, {"verify": {"any": "1s", "busy": "1s", "ringing": "1s"}})
    lamps = Lamps(switch, console)
    for request in ("SnapshotDevice", "GetDoNotDisturb", "GetForwarding"):
        switch.misbehave("late_answer", times=None, request=request, seconds=0.4)
    for step in range(6):
        count = asked(switch, "SnapshotDevice", "202")
        switch.wait(lambda: asked(switch, "SnapshotDevice", "202") > count, "the next proof", 3)
        if step % 2 == 0:
            switch.call("201", "202")
            switch.set_dnd("202")
            switch.set_forward("202", "forwardImmediate", True, "8000")
        else:
            switch.hang_up("201")
            switch.set_dnd("202", False)
            switch.set_forward("202", "forwardImmediate", False)
        hear_all(console, switch)
        wait_truth(console, switch, SOON)
    lamps.check()


def test_answers_to_nothing_are_counted_only(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, {"verify": {"any": "1s"}})
    switch.misbehave("wrong_id", times=3, request="GetForwarding")
    until(lambda: details(console)["strays"] == 3, "three answers to nothing", 8)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    assert details(console)["connections"] == 1
