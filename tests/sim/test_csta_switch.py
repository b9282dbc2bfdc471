"""The simulated telephone switch itself: a small client of its own, right and wrong in every way the switch watches.

SPDX-License-Identifier: MIT
"""

import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import csta_faults  # noqa: E402
from csta_client import ED3, SESSION, Client, Closed, digits, error_of, find, name_of, text  # noqa: E402
from csta_switch import CstaSwitch, Illegal, extensions_of  # noqa: E402

SWITCH = pathlib.Path(__file__).resolve().parent / "csta_switch.py"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    names = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=example.test", "-out", names[0], "-keyout", names[1]],
                   check=True, capture_output=True)
    return names


@pytest.fixture
def switch():
    with CstaSwitch(extensions={"201": "Ann", "202": "Bob", "203": "Cid", "204": "Dee"}) as it:
        yield it


@pytest.fixture
def client(switch):
    with Client(switch) as it:
        yield it


def watch(client, *devices):
    for device in devices:
        assert client.monitor(device).startswith("m-")


def seen(client, device):
    """["Name [state]"] of the events of a device since the last time."""
    client.sync()
    mine = [e for e in client.events if client.refs.get(text(e, "monitorCrossRefID")) == device]
    client.events = [e for e in client.events if e not in mine]
    found = []
    for event in mine:
        name, state = name_of(event).removesuffix("Event"), text(event, "localConnectionInfo")
        if name == "ConnectionCleared":
            name += f"({digits(text(event, 'releasingDevice'))})"
        found.append(name + (f" [{state}]" if state else ""))
    return found


STARTED = ["ServiceInitiated [initiated]", "Originated [connected]"]


# ---- the flows, event by event

def test_a_plain_call(switch, client):
    watch(client, "201", "202")
    switch.call("201", "202")
    switch.answer("202")
    switch.hang_up("202")
    assert seen(client, "201") == [*STARTED, "Delivered [connected]", "Established [connected]",
                                   "ConnectionCleared(202) [connected]", "ConnectionCleared(201) [null]"]
    assert seen(client, "202") == ["Delivered [alerting]", "Established [connected]", "ConnectionCleared(202) [null]"]


def test_a_busy_callee(switch, client):
    watch(client, "201", "202")
    switch.fail("201", "202")
    client.sync()
    assert text(client.events[-1], "cause") == "busy"
    assert switch.truth("201")["calls"] == [{"state": "dialing", "direction": "out", "peer": "202", "peers": ["202"]}]
    switch.hang_up("201")
    assert seen(client, "201") == [*STARTED, "Failed [connected]", "ConnectionCleared(201) [null]"]
    assert seen(client, "202") == []


def test_somebody_outside_answers(switch, client):
    watch(client, "201")
    call = switch.call("201", "+4420")
    assert switch.truth("201")["calls"][0]["state"] == "dialing"
    switch.answer("+4420", call)
    assert seen(client, "201") == [*STARTED, "NetworkReached [connected]", "Delivered [connected]",
                                   "Established [connected]"]
    assert switch.truth("201")["calls"][0]["state"] == "connected"
    switch.hang_up("+4420", call)
    assert switch.truth("201")["line"] == "idle"


def test_nobody_answers(switch, client):
    watch(client, "201", "202")
    switch.call("201", "202")
    switch.hang_up("201")
    assert seen(client, "201") == [*STARTED, "Delivered [connected]", "ConnectionCleared(201) [null]"]
    assert seen(client, "202") == ["Delivered [alerting]", "ConnectionCleared(201) [alerting]",
                                   "ConnectionCleared(202) [null]"]


def test_a_forwarded_call(switch, client):
    watch(client, "201", "202", "203")
    switch.set_forward("202", "forwardImmediate", True, "203")
    switch.call("201", "202")
    assert seen(client, "201") == [*STARTED, "Diverted [connected]", "Delivered [connected]"]
    assert seen(client, "202") == ["Forwarding", "Diverted [null]"]
    assert seen(client, "203") == ["Delivered [alerting]"]
    assert switch.truth("202")["forward"] == {"target": "203"} and switch.truth("202")["line"] == "idle"
    switch.habits.tells_diverted = False
    switch.hang_up("201")
    switch.call("201", "202")
    assert seen(client, "202") == []


def test_hold_and_retrieve(switch, client):
    watch(client, "201", "202")
    switch.call("201", "202")
    switch.answer("202")
    seen(client, "201"), seen(client, "202")
    switch.hold("201")
    assert switch.truth("201")["line"] == "held" and switch.truth("202")["line"] == "busy"
    switch.retrieve("201")
    assert seen(client, "201") == ["Held [hold]", "Retrieved [connected]"]
    assert seen(client, "202") == ["Held [connected]", "Retrieved [connected]"]


def test_a_transfer_with_consultation(switch, client):
    watch(client, "201", "202", "203")
    first = switch.call("201", "202")
    switch.answer("202")
    seen(client, "201"), seen(client, "202")
    switch.consult("201", "203")
    switch.answer("203")
    assert switch.truth("201")["line"] == "busy" and len(switch.truth("201")["calls"]) == 2
    third = switch.transfer("201")
    assert third.id != first.id
    assert seen(client, "201") == ["Held [hold]", *STARTED, "Delivered [connected]", "Established [connected]",
                                   "Transfered [null]"]
    assert seen(client, "202") == ["Held [connected]", "Transfered [connected]"]
    assert seen(client, "203") == ["Delivered [alerting]", "Established [connected]", "Transfered [connected]"]
    assert client.devices["203"].calls == {third.id: "connected"} and switch.truth("202")["calls"][0]["peer"] == "203"


def test_a_transfer_while_it_rings_and_at_once(switch, client):
    watch(client, "201", "202", "203", "204")
    switch.call("201", "202")
    switch.answer("202")
    switch.consult("201", "203")
    switch.transfer("201")
    assert switch.truth("203")["line"] == "ringing" and seen(client, "203")[-1] == "Transfered [alerting]"
    switch.answer("203")
    call = switch.transfer("203", to="204")
    assert seen(client, "202")[-3:] == ["Established [connected]", "Transfered [connected]", "Delivered [connected]"]
    assert seen(client, "204") == ["Delivered [alerting]"] and call.party("204").state == "alerting"


def test_a_ring_group(switch, client):
    for group, end in (("cleared", "ConnectionCleared(202) [null]"), ("diverted", "Diverted [null]")):
        switch.habits.group = group
        if not client.refs:
            watch(client, "201", "202", "204")
        call = switch.group_call("201", ["202", "204"])
        assert switch.truth("202")["line"] == switch.truth("204")["line"] == "ringing"
        switch.answer("204")
        assert seen(client, "201")[-1] == "Established [connected]"
        assert seen(client, "202") == ["Delivered [alerting]", end]
        switch.hang_up("201", call)
        client.sync()
        client.events.clear()


def test_a_second_call_while_talking(switch, client):
    watch(client, "202")
    switch.call("201", "202")
    switch.answer("202")
    switch.call("+442070846845", "202", name="Eve")
    assert seen(client, "202")[-1] == "Delivered [alerting]"
    truth = switch.truth("202")
    assert truth["line"] == "busy" and [c["state"] for c in truth["calls"]] == ["connected", "ringing"]
    assert truth["calls"][1]["peer"] == "+442070846845"
    switch.call("203", "202")
    assert switch.truth("203")["calls"][0]["state"] == "dialing", "a third one hears the busy tone"


def test_dnd_and_forwards(switch, client):
    watch(client, "202")
    switch.set_dnd("202", True)
    switch.set_forward("202", "forwardImmInt", True, "203")
    assert switch.truth("202")["forward"] is None, "internal callers only"
    switch.set_forward("202", "forwardImmExt", True, "8000")
    switch.set_forward("202", "forwardBusy", True, "8001", rings=3)
    assert seen(client, "202") == ["DoNotDisturb", "Forwarding", "Forwarding", "Forwarding"]
    assert switch.truth("202") == {"line": "idle", "dnd": True, "forward": {"target": "8000"}, "calls": []}
    assert client.poll("202") == client.devices["202"].facts()
    switch.set_forward("202", "forwardImmExt", False, "8000")
    assert "forwardImmExt" not in client.poll("202")["forwards"]
    switch.set_forward("202", "forwardImmInt", False)
    switch.call("+442070846845", "202")
    assert switch.truth("202")["line"] == "idle", "it does not ring"


def test_pickup_park_queue_conference_and_the_rest(switch, client):
    watch(client, "201", "202", "203", "204")
    call = switch.call("201", "202")
    switch.pickup("203", call)
    assert seen(client, "202") == ["Delivered [alerting]", "Diverted [null]"]
    assert seen(client, "203") == ["Established [connected]"]
    switch.park("201", "204")
    assert seen(client, "204") == ["Queued [queued]"] and switch.truth("204") == {
        "line": "idle", "dnd": False, "forward": None, "calls": []}
    switch.pickup("202", call)
    switch.consult("202", "201")
    switch.answer("201")
    whole = switch.conference("202")
    assert switch.truth("202")["calls"][0]["peers"] == ["201", "203"] and len(whole.parties) == 3
    switch.hang_up("203")
    assert switch.truth("203")["line"] == "idle" and switch.truth("201")["line"] == "busy"
    switch.hang_up("201")
    call = switch.queue("+49301234", "700")
    switch.distribute(call, "204")
    switch.answer("204")
    switch.out_of_service("204")
    assert seen(client, "204")[-3:] == ["Established [connected]", "ConnectionCleared(204) [null]", "OutOfService"]
    assert switch.truth("204")["line"] == "offline" and client.poll("204")["line"] == "offline"
    switch.back_in_service("204")
    switch.set_agent("204", "Ready")
    assert seen(client, "204") == ["BackInService", "AgentReady"] and not switch.calls()
    assert text(client.request("GetAgentState", "<device>204</device>"), "agentState") == "agentReady"
    with pytest.raises(Illegal):
        switch.answer("204")
    assert switch.violations == []


@pytest.mark.parametrize("habit", ["own", "only_own", "call"])
def test_the_order_of_clearing(habit):
    with CstaSwitch(habits={"clearing": habit}) as switch, Client(switch) as client:
        watch(client, "201", "202")
        switch.call("201", "202")
        switch.answer("202")
        seen(client, "201")
        switch.hang_up("202")
        assert seen(client, "201") == {
            "own": ["ConnectionCleared(201) [null]", "ConnectionCleared(202) [null]"],
            "only_own": ["ConnectionCleared(201) [null]"],
            "call": ["ConnectionCleared(202) [connected]", "ConnectionCleared(201) [null]", "CallCleared"]}[habit]
        assert client.devices["201"].calls == client.devices["202"].calls == {}


# ---- who only listens and who only asks agree

DIALECTS = [{}, {"local_info": False}, {"snapshot": "simple", "devices": "name", "declaration": True},
            {"snapshot": "segmented", "devices": "avaya", "call_id": "callId", "prefix": "ns3"},
            {"local_info": False, "devices": "tel", "transferred": "TransferredEvent", "bare_devices": True},
            {"namespace": None, "devices": "sip", "split_call_ids": True, "event_id": None},
            {"local_info": False, "split_call_ids": True, "namespace": "http://www.ecma.ch/csta"}]
HABITS = [{}, {"clearing": "own", "group": "diverted"}, {"transfer_id": "primary", "offered": True},
          {"transfer_id": "secondary", "clearing": "call", "tells_diverted": False}, {"clearing": "only_own"}]


@pytest.mark.parametrize("seed", range(10))
def test_the_listener_and_the_poller_agree(seed):
    dialect, habits = DIALECTS[seed % len(DIALECTS)], HABITS[seed % len(HABITS)]
    rng = random.Random(seed)
    devices = [str(n) for n in range(201, 207)]
    with CstaSwitch(extensions=devices, dialect=dict(dialect), habits=dict(habits)) as switch, Client(switch) as client:
        watch(client, *devices)
        steps = []
        for _ in range(40):
            steps += [switch.random_step(rng) for _ in range(10)]
            client.sync()
            for device in devices:
                polled, told, truth = client.poll(device), client.devices[device].facts(), switch.truth(device)
                assert polled == told, (device, steps[-10:], switch.model.calls(device))
                assert told["line"] == truth["line"] and told["dnd"] == truth["dnd"]
        assert switch.violations == []
        for name in ("answer", "hold", "transfer", "conference", "pickup", "park", "group_call", "out_of_service"):
            if seed == 0:
                assert any(step.startswith(name) for step in steps), name


def test_a_client_that_came_late_asks(switch, client):
    switch.call("201", "202")
    switch.answer("202")
    watch(client, "201")
    assert client.poll("201")["calls"] == [(switch.calls("201")[0].id, "connected")] and not client.events
    answer = client.request("SnapshotDevice", "<snapshotObject>201</snapshotObject>")
    assert text(answer, "endpointDevice") == "202"


@pytest.mark.parametrize("how", ["empty", "bare"])
def test_snapshots_that_say_nothing(how):
    with CstaSwitch(dialect={"snapshot": how}) as switch, Client(switch) as client:
        switch.call("201", "202")
        answer = client.request("SnapshotDevice", "<snapshotObject>202</snapshotObject>")
        assert find(answer, "snapshotDeviceResponseInfo") is None
        assert (find(answer, "snapshotData") is None) == (how == "bare")
        client.sync()
        assert not client.asked


def test_withheld_and_named_numbers():
    with CstaSwitch(extensions={"201": "Ann"}, dialect={"devices": "name"}) as switch, Client(switch) as client:
        watch(client, "201")
        switch.call(None, "201")
        client.sync()
        assert find(client.events[-1], "callingDevice/restricted") is not None
        assert text(client.events[-1], "alertingDevice") == "N<201>Ann"
        assert switch.truth("201")["calls"][0]["peer"] is None
        switch.hang_up(None, switch.calls("201")[0])
        switch.call("+44", "201", name="Eve <&> Co")
        client.sync()
        assert text(client.events[-1], "callingDevice") == "N<+44>Eve <&> Co"


# ---- sessions

def test_a_required_session():
    with CstaSwitch(session="required", user="ann", password="x&y") as switch, Client(switch) as client:
        assert client.monitor("201") == "operation/securityViolation"
        assert "before the session" in switch.violations.pop()
        assert error_of(client.start("ann", "wrong")) == "invalidApplicationInfo"
        answer = client.start("ann", "x&amp;y")
        assert text(answer, "actualSessionDuration") == "180" and text(answer, "actualProtocolVersion") == ED3
        session = text(answer, "sessionID")
        assert switch.sessions() == [session] and client.monitor("201").startswith("m-")
        assert name_of(client.refresh(session)) == "ResetApplicationSessionTimerPosResponse"
        assert error_of(client.refresh("4")) and "no such session" in switch.violations.pop()
        end = (f"<sessionID>{session}</sessionID>"
               "<sessionEndReason><definedEndReason>normal</definedEndReason></sessionEndReason>")
        assert name_of(client.request("StopApplicationSession", end, SESSION)) == "StopApplicationSessionPosResponse"
        assert switch.monitors() == set() and switch.sessions() == [] and switch.violations == []


def test_versions_and_an_absent_session():
    ed4 = ED3.replace("ed3", "ed4")
    with CstaSwitch(versions=[ed4], max_in_flight=1) as switch, Client(switch) as client:
        assert error_of(client.start()) == "requestedProtocolVersionNotSupported"
        assert text(client.start(version=ed4), "actualProtocolVersion") == ed4
        switch.session = "absent"
        assert error_of(client.start()) == "operation/serviceNotSupported"
        switch.unsupported = {"RequestSystemStatus", "GetDoNotDisturb"}
        assert error_of(client.request("RequestSystemStatus")) == "operation/serviceNotSupported"
        assert error_of(client.request("GetDoNotDisturb", "<device>201</device>")) == "operation/serviceNotSupported"
        assert switch.violations == []


def test_a_session_that_is_not_refreshed():
    with CstaSwitch(session="required", session_duration=1) as switch, Client(switch) as client:
        client.start()
        assert client.closed() and name_of(client.asked[-1][1]) == "ApplicationSessionTerminated"
        assert "was not refreshed" in switch.violations.pop()
        with Client(switch) as other:
            session = text(other.start(), "sessionID")
            for _ in range(4):
                switch.wait(lambda at=time.monotonic(): time.monotonic() > at + 0.4, "half of the session")
                other.refresh(session)
            switch.misbehave("refuse", request="ResetApplicationSessionTimer", error="invalidSessionID")
            assert error_of(other.refresh(session)) == "invalidSessionID" and switch.sessions() == []
        assert switch.violations == []


def test_heartbeat_with_colliding_ids():
    with CstaSwitch(heartbeat=0.05, answer_within=1, collide=True) as switch, Client(switch) as client:
        watch(client, "201")
        switch.misbehave("late", request="SnapshotDevice", seconds=0.2)
        waiting = client.post("SnapshotDevice", "<snapshotObject>201</snapshotObject>")
        client.until(lambda: any(number == waiting for number, _ in client.asked))
        assert name_of(client.answer(waiting)) == "SnapshotDeviceResponse"
        client.until(lambda: switch.counters["SystemStatusResponse"] > 1)
        assert switch.violations == []
        client.answer_status = False
        assert client.closed() and "was not answered in 1 s" in switch.violations[-1]


def test_greeting_and_registration():
    with CstaSwitch(greeting="enabled") as switch, Client(switch) as client:
        client.until(lambda: client.asked)
        inner = "<requestTypes><systemStatus>true</systemStatus></requestTypes>"
        register = text(client.request("SystemRegister", inner), "sysStatRegisterID")
        switch.misbehave("messages_lost")
        client.until(lambda: len(client.asked) == 2)
        assert text(client.asked[1][1], "sysStatRegisterID") == register
        answer = client.request("SystemRegisterCancel", f"<sysStatRegisterID>{register}</sysStatRegisterID>")
        assert name_of(answer) == "SystemRegisterCancelResponse"
        answer = client.request("GetSwitchingFunctionDevices")
        client.until(lambda: len(client.asked) == 3)
        listed = client.asked[2][1]
        assert text(listed, "serviceCrossRefID") == text(answer, "serviceCrossRefID")
        assert text(listed, "deviceID") == "201"
        switch.wait(lambda: not switch.unanswered(), "the answers")
        assert switch.violations == []


# ---- what the switch watches

DOC = f'<RequestSystemStatus xmlns="{ED3}"/>'.encode()
OBJECT = "<monitorObject><deviceObject>%s</deviceObject></monitorObject>"
START = f'<MonitorStart xmlns="{ED3}">%s</MonitorStart>'


@pytest.mark.parametrize("data, sentence, closes", [
    (b"\1\0\0\x0c0001<a/>", "bytes 0-1", True), (b"\0\0\0\x050001", "shorter than its head", True),
    (b"\0\0\0\x080001", "without a document", False), (b"\0\0\0\x0c0001<a/>", "no such request: a", False),
    (b"\0\0\0\x0b0001<a>", "not well-formed", False),
    (b"\0\0\0\x19" + b"0001<!DOCTYPE a><a/>", "document type", False)])
def test_broken_frames(switch, client, data, sentence, closes):
    client.send_raw(data[:3] + bytes([len(data)]) + data[4:] if not closes else data)
    if closes:
        assert client.closed()
    else:
        client.next_id = 7
        client.sync()
    assert any(sentence in violation for violation in switch.violations) and len(switch.violations) == 1


@pytest.mark.parametrize("document, invoke_id, sentence", [
    (DOC, "9999", "not for requests"), (DOC, "0000", "not for requests"), (DOC, "12a4", "not four digits"),
    (f'<RequestSystemStatus xmlns="{SESSION}"/>', "0001", "is in namespace"),
    ("<RequestSystemStatus/>", "0001", "is in namespace ''"),
    (f'<SystemStatusResponse xmlns="{ED3}"/>', "0001", "answers nothing"),
    (f'<TeleportDevice xmlns="{ED3}"/>', "0001", "no such request"),
    (START % "", "0001", "monitorObject is missing"),
    (START % "<deviceObject>201</deviceObject>", "0001", "not in its place"),
    (START % "<monitorObject><device>201</device></monitorObject>", "0001", "monitorObject holds"),
    (START % "<monitorType>call</monitorType><monitorObject><deviceObject>201</deviceObject></monitorObject>", "0001",
     "not in its place"),
    (START % '<monitorObject xmlns="urn:x"><deviceObject>201</deviceObject></monitorObject>', "0001",
     "another namespace"),
    (START % "<monitorObject><deviceObject> </deviceObject></monitorObject>", "0001", "is empty"),
    (f'<MonitorStop xmlns="{ED3}"><monitorCrossRefID>m-9</monitorCrossRefID></MonitorStop>', "0001", "no monitor m-9"),
    (f'<SystemRegister xmlns="{ED3}"><requestTypes><systemStatus>yes</systemStatus></requestTypes></SystemRegister>',
     "0001", "not a boolean")])
def test_wrong_requests(switch, client, document, invoke_id, sentence):
    client.send(document, invoke_id)
    switch.wait(lambda: switch.violations, "a violation")
    assert sentence in switch.violations[0]


def test_other_editions_are_welcome_but_one_at_a_time(switch):
    with Client(switch, ED3.replace("ed3", "ed5")) as client:
        client.sync()
        assert switch.violations == []
        client.namespace = ED3
        client.sync()
        assert "was http://www.ecma-international.org/standards/ecma-323/csta/ed5 before" in switch.violations[0]


def test_monitors_twice_and_pace(switch, client):
    first = client.monitor("201")
    assert client.monitor("201") != first and "monitored already" in switch.violations.pop()
    switch.double_monitor = "refuse"
    assert client.monitor("201") == "subscribedResourceAvailability/objectMonitorLimitExceeded"
    switch.violations.clear()
    assert name_of(client.stop(first)) == "MonitorStopResponse"
    assert error_of(client.stop(first)) == "operation/invalidMonitorCrossRefID" and switch.violations.pop()
    assert client.monitor("999") == "operation/invalidDeviceID"
    switch.monitor_limit = 1
    assert client.monitor("202") == "systemResourceAvailability/overallMonitorLimitExceeded"
    switch.max_in_flight, switch.max_starts = 2, 1
    switch.misbehave("swallow", 2, request="GetForwarding")
    for _ in range(2):
        client.post("GetForwarding", "<device>201</device>")
    client.sync()
    assert "3 requests wait" in switch.violations.pop() and switch.in_flight() == 2
    client.monitor("203")
    assert any("monitors in a second" in sentence for sentence in switch.violations)


def test_an_invoke_id_in_use(switch, client):
    switch.misbehave("swallow", request="GetForwarding")
    client.post("GetForwarding", "<device>201</device>")
    client.next_id = 1
    client.sync()
    assert "in use by GetForwarding 0001 201" in switch.violations[0]


# ---- misbehaviour

def test_answers_on_demand(switch, client):
    switch.misbehave("error", category="systemResourceAvailability", error="resourceBusy", request="MonitorStart",
                     device="201")
    assert client.monitor("202").startswith("m-")
    assert client.monitor("201") == "systemResourceAvailability/resourceBusy"
    fault = switch.misbehave("lose_answer", request="MonitorStart")
    client.post("MonitorStart", OBJECT % 203)
    client.sync()
    assert fault.used == 1 and switch.monitors() == {"202", "203"}
    assert client.monitor("203").startswith("m-"), "the client could not know"
    switch.misbehave("out_of_order", request="GetForwarding", count=2)
    late = client.post("GetForwarding", "<device>201</device>")
    client.sync()
    assert not client.inbox
    client.sync()
    assert client.answer(late) is not None
    switch.misbehave("twice")
    client.sync()
    client.sync()
    assert len(client.inbox) == 1
    client.inbox.clear()
    switch.misbehave("wrong_id")
    client.post("RequestSystemStatus")
    client.until(lambda: client.inbox)
    switch.misbehave("raw", document="<a/>")
    switch.misbehave("late_answer", seconds=0.01)
    client.send("<x/>", "5555")
    client.until(lambda: client.asked)
    assert name_of(client.asked[0][1]) == "a"
    switch.violations.clear()
    switch.misbehave("same_cross_ref")
    assert client.monitor("204") in client.refs and switch.behave() is None


def test_events_dropped_doubled_delayed_and_out_of_order(switch, client):
    watch(client, "201", "202")
    switch.misbehave("drop_events", events="ConnectionCleared", device="202")
    switch.misbehave("duplicate", events=lambda event: event.name == "Delivered", device="201", count=2)
    switch.call("201", "202")
    switch.hang_up("201")
    assert seen(client, "201") == [*STARTED, *["Delivered [connected]"] * 3, "ConnectionCleared(201) [null]"]
    assert seen(client, "202") == ["Delivered [alerting]", "ConnectionCleared(202) [null]"]
    assert switch.counters["dropped"] == 1
    switch.misbehave("delay", events="Delivered", device="202", seconds=0.1)
    switch.misbehave("unknown_cross_ref", events="Delivered", device="201")
    switch.call("201", "202")
    assert seen(client, "202") == []
    assert any(text(event, "monitorCrossRefID") == "m-0" for event in client.events)
    assert seen(client, "201") == ["ServiceInitiated [initiated]", "Originated [connected]"]
    client.until(lambda: client.refs.get(text(client.events[-1], "monitorCrossRefID")) == "202")
    assert seen(client, "202") == ["Delivered [alerting]"]
    switch.misbehave("reorder", events="Retrieved")
    switch.answer("202")
    switch.hold("201")
    switch.retrieve("201")
    switch.hold("201")
    assert seen(client, "201") == ["Established [connected]", "Held [hold]", "Held [hold]", "Retrieved [connected]"]
    switch.misbehave("raw_event", device="202",
                     document="<FooEvent><monitorCrossRefID>{ref}</monitorCrossRefID></FooEvent>")
    switch.set_agent("202", "Ready")
    client.sync()
    assert name_of(client.events[-1]) == "FooEvent"


def test_late_events_and_reused_ids(switch, client):
    watch(client, "201", "202")
    call = switch.call("201", "202")
    switch.answer("202")
    switch.hang_up("201")
    seen(client, "202")
    switch.misbehave("late_event", device="202")
    switch.misbehave("late_event", device="202", event="Held")
    client.sync()
    assert seen(client, "202") == ["ConnectionCleared(201) [connected]", "Held [hold]"]
    switch.misbehave("reuse_call_id")
    assert switch.call("202", "201").id == call.id and switch.call("203", "204").id != call.id


def test_the_switch_ends_monitors_and_sessions(switch, client):
    watch(client, "201", "202")
    switch.misbehave("monitor_stop", device="201")
    client.until(lambda: client.asked)
    switch.wait(lambda: not switch.unanswered(), "the answer")
    assert name_of(client.asked[0][1]) == "MonitorStop" and switch.monitors() == {"202"}
    switch.remove_device("202")
    assert client.monitor("202") == "operation/invalidDeviceID" and len(client.asked) == 2
    watch(client, "201")
    switch.misbehave("restart_announced")
    client.sync()
    assert [text(e, "systemStatus") for _, e in client.asked[2:]] == ["disabled", "initializing", "enabled"]
    assert switch.monitors() == set()
    switch.set_status("disabled")
    assert client.sync() == "disabled" and client.monitor("201") == "systemResourceAvailability/resourceBusy"
    switch.set_status("enabled")
    watch(client, "201")
    client.start()
    switch.misbehave("session_terminated")
    assert client.closed() and name_of(client.asked[-1][1]) == "ApplicationSessionTerminated"
    assert switch.violations == []


@pytest.mark.parametrize("kind", csta_faults.BYTES)
def test_broken_bytes(switch, client, kind):
    watch(client, "201")
    switch.misbehave(kind, **({"data": b"\0\0\0\x0c9999<a/>"} if kind == "bytes" else {}))
    switch.close_connections()
    found = b""
    try:
        while True:
            client.frame()
    except (Closed, AssertionError):
        found = client.buffer
    proper = {"lie_length": b"\0\0", "short_length": b"\0\0\0\4", "nonzero": b"\1\0", "cut": b"\0\0", "half": b"\0\0",
              "cut_head": b"\0\0", "ber": b"\x60\x1c"}.get(kind, b"")
    assert found.startswith(proper) and bool(found) == bool(proper)


@pytest.mark.parametrize("kind", csta_faults.DOCUMENTS)
def test_broken_documents(switch, client, kind):
    watch(client, "201")
    switch.misbehave(kind, device="201")
    invoke_id, body = client.frame()
    assert invoke_id == "9999" and (b"m-1" in body or kind in ("not_xml", "deep", "unknown_reference", "no_reference"))
    assert len(body) == 65527 or kind != "big_document"
    client.sync()


def test_a_hello_that_is_no_csta(switch):
    switch.misbehave("hello")
    switch.misbehave("hang_up", times=2)
    for expected in (csta_faults.BER, b""):
        with Client(switch) as client:
            assert client.sock.recv(100) == expected
    with pytest.raises(ValueError):
        switch.misbehave("nonsense")


@pytest.mark.parametrize("segments", ["bytes", "pieces", "joined"])
@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_segments_and_tls(segments, transport, certificate):
    with CstaSwitch(transport, certificate=certificate, segments=segments) as switch, Client(switch) as client:
        watch(client, "201", "202")
        switch.call("201", "202")
        assert seen(client, "202") == ["Delivered [alerting]"]
        switch.segments = "whole"
        client.sync()
        assert switch.violations == [] and switch.connections() == 1


def test_stop_and_start_on_the_same_port(switch, client):
    watch(client, "201")
    port = switch.port
    switch.restart(lambda: switch.call("201", "202"))
    assert client.closed() and switch.port == port and switch.monitors() == set()
    with Client(switch) as other:
        watch(other, "202")
        assert other.poll("202")["line"] == "ringing"
        switch.freeze()
        waiting = other.post("RequestSystemStatus")
        switch.thaw()
        assert other.answer(waiting) is not None
        switch.stop_listening()
        with pytest.raises(OSError):
            Client(switch)
        switch.listen_again()
        Client(switch).sock.close()
        switch.close_connections(reset=True)
        assert other.closed()


# ---- load, and the command line

def test_many_monitors_and_many_events():
    with CstaSwitch(extensions=5000) as switch, Client(switch) as client:
        devices, began = list(switch.model.devices), time.monotonic()
        for start in range(0, 5000, 100):
            waiting = [client.post("MonitorStart", OBJECT % device) for device in devices[start:start + 100]]
            for invoke_id in waiting:
                assert text(client.answer(invoke_id), "monitorCrossRefID")
        assert time.monotonic() - began < 10 and len(switch.monitors()) == 5000
        load = switch.load(2000, seconds=1)
        client.until(lambda: len(client.events) > 1500, 20)
        assert load.wait() >= 1900
        client.sync()
        assert len(client.events) == switch.counters["events"] == len(switch.sent) >= 1900
        assert switch.violations == []


def test_the_command_line():
    command = [sys.executable, str(SWITCH), "--extensions", "2001-2010,3000", "--random", "100",
               "--dialect", "devices=tel"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        assert first.startswith("port ") and process.stdout.readline().endswith(".\n")
        with Client(type("At", (), {"port": int(first.split()[1]), "transport": "tcp"})) as client:
            assert client.sync() == "normal" and client.monitor("3000").startswith("m-")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        assert process.returncode == 0
    assert extensions_of("1-3,7") == ["1", "2", "3", "7"]
