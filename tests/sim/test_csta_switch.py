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
from csta_client import ED3, SESSION, Client, Closed, call_of, digits, error_of, find, name_of, text  # noqa: E402
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
