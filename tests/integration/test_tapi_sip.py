"""A telephone switch and a real Kamailio that both report the same lines: whose word is published, fact by fact.

    CstaSwitch  --events--->  Daemon  --presence-->  Console
    Kamailio    --NOTIFY--->

SPDX-License-Identifier: MIT
"""

import contextlib
import time

import pytest

from presenced import until
from sip_world import DOMAIN, source_at, uri
from tapi_world import (BASE, details, pbx, person, source, state_of, telephony, user_of, wait_source, wait_status,
                        wait_truth)

from kamailio import Kamailio  # after tapi_world, which knows the way
from publisher import Publisher, dialog_info, pidf

__all__ = ["pbx"]  # fixtures
SOON = 5
LINES = ["201", "202", "203", "204", "205", "206"]


@pytest.fixture
def server():
    with Kamailio(domain=DOMAIN) as kamailio:
        yield kamailio


@pytest.fixture
def publisher(server):
    with contextlib.closing(Publisher("127.0.0.1", server.port, DOMAIN)) as it:
        yield it


def both(start, switch, server, config=None, sip=None, /, **options):
    """A daemon with the switch and Kamailio, and a console that wants every line."""
    cups = source_at(server.port, "udp", **(sip or {}))
    daemon = start(BASE | {"hold": "60s"} | (config or {}), users=[person(number) for number in LINES],
                   sources=[source(switch, **options), cups])
    console = daemon.console()
    console.subscribe(users=[user_of(number) for number in LINES])
    wait_source(console, "up")
    return daemon, console


def say(publisher, number, version, state, peer="sip:4711@pbx"):
    dialogs = [{"id": "a", "state": state, "direction": "recipient", "remote": peer, "display": "J. Bloggs"}]
    publisher.publish(number, dialog_info(uri(number), version, dialogs), "dialog")


def wait_word(console, number, name, **facts):
    """A source has said this of the line, whether or not it is published."""
    def said():
        states = [s for s in console.call("presence.explain", user=user_of(number))["states"]
                  if s["domain"] == "telephony" and s["source"] == name]
        return bool(states) and states[0]["status"] == "ok" and all(states[0].get(k) == v for k, v in facts.items())

    until(said, f"{name} says {facts} of {number}")


def deciders(console, number):
    """{fact: source that decided it} as presence.explain says."""
    trace = console.call("presence.explain", user=user_of(number))["trace"]
    return {step["about"]: step.get("source") for step in trace if step["verdict"] == "decided"}


def verdicts(console, number, about):
    trace = console.call("presence.explain", user=user_of(number))["trace"]
    return {step["source"]: step["verdict"] for step in trace if step["about"] == about and "source" in step}


def shown(console, number, *keys):
    half = telephony(console, number)
    return tuple(half.get(key) for key in keys)


def test_word_of_the_switch_is_published_whatever_sip_says(pbx, start, server, publisher):
    switch = pbx()
    _, console = both(start, switch, server)
    say(publisher, "201", 1, "confirmed")
    wait_word(console, "201", "cups", line="busy")
    wait_truth(console, switch, SOON)
    assert shown(console, "201", "mode", "line", "calls", "source", "technology") == (
        "available", "idle", [], "switch", "tapi")
    found = deciders(console, "201")
    assert found["line"] == found["dnd"] == found["forward"] == "switch"
    assert verdicts(console, "201", "line") == {"switch": "decided", "cups": "lost"}

    say(publisher, "201", 2, "terminated")
    wait_word(console, "201", "cups", line="idle")
    switch.call("202", "201")
    wait_truth(console, switch, SOON)
    assert shown(console, "201", "line", "source") == ("ringing", "switch")
    assert [call.get("peer") for call in telephony(console, "201")["calls"]] == ["202"]


def test_order_of_the_configuration_counts(pbx, start, server, publisher):
    switch = pbx()
    switch.set_dnd("201")
    _, console = both(start, switch, server, {"rules": {"telephony": {"order": ["sip", "tapi"]}}})
    say(publisher, "201", 1, "confirmed")
    console.wait(lambda: shown(console, "201", "line", "mode") == ("busy", "dnd"), "both", SOON)
    found = deciders(console, "201")
    assert found["line"] == "cups" and found["dnd"] == found["forward"] == "switch"
    assert [call["peer"] for call in telephony(console, "201")["calls"]] == ["sip:4711@pbx"]


def test_sip_fills_in_do_not_disturb_where_the_switch_cannot_tell_it(pbx, start, server, publisher):
    switch = pbx(unsupported={"GetDoNotDisturb"})
    switch.set_forward("201", "forwardImmediate", True, "203")
    _, console = both(start, switch, server, None, {"telephony": "presence", "domains": ["telephony"]})
    console.wait(lambda: shown(console, "201", "mode") == ("forwarded_to_phone",), "the forward", SOON)

    publisher.publish("201", pidf(uri("201"), activities=("dnd",)))

    console.wait(lambda: shown(console, "201", "mode", "dnd") == ("dnd", True), "what only SIP knows", SOON)
    found = deciders(console, "201")
    assert (found["line"], found["dnd"], found["forward"]) == ("switch", "cups", "switch")
    assert verdicts(console, "201", "dnd")["switch"] == "does_not_know"
    assert telephony(console, "201")["forward"] == {"kind": "phone", "target": "203"}

    switch.set_dnd("201", False)
    wanted = ("forwarded_to_phone", False)
    console.wait(lambda: shown(console, "201", "mode", "dnd") == wanted, "an event tells it", SOON)
    assert deciders(console, "201")["dnd"] == "switch"


def test_line_of_sip_and_features_of_the_switch(pbx, start, server, publisher):
    """What the line does is not known there until an event speaks; calls come with the line."""
    switch = pbx(unsupported={"SnapshotDevice"})
    switch.set_forward("201", "forwardBusy", True, "8000")
    _, console = both(start, switch, server)
    say(publisher, "201", 1, "confirmed")

    console.wait(lambda: shown(console, "201", "line") == ("busy",), "the line of SIP", SOON)
    wait_word(console, "201", "switch", dnd=False)
    found = deciders(console, "201")
    assert found["line"] == "cups" and found["dnd"] == found["forward"] == "switch"
    assert [call["peer"] for call in telephony(console, "201")["calls"]] == ["sip:4711@pbx"]

    switch.call("202", "201")
    wait_truth(console, switch, SOON, ["201", "202"])
    assert deciders(console, "201")["line"] == "switch"
    assert [call.get("peer") for call in telephony(console, "201")["calls"]] == ["202"]


def test_line_that_the_switch_refuses_is_that_of_sip(pbx, start, server, publisher):
    switch = pbx()
    switch.remove_device("201")
    switch.misbehave("error", times=None, request="MonitorStart", device="202", error="securityViolation")
    _, console = both(start, switch, server)
    for number in ("201", "202"):
        say(publisher, number, 1, "confirmed")
        console.wait(lambda number=number: shown(console, number, "status", "line", "source") == ("ok", "busy", "cups"),
                     f"{number} by SIP", SOON)
    until(lambda: [state_of(console, number)["status"] for number in ("201", "202")] == ["not_found", "access_denied"],
          "both are refused", SOON)
    wait_truth(console, switch, SOON, ["203"])


def test_sip_takes_over_after_hold_and_hands_back(pbx, start, server, publisher):
    switch = pbx()
    switch.call("201", "202")
    switch.answer("202")
    switch.set_dnd("203")
    _, console = both(start, switch, server, {"hold": "2s"})
    wait_truth(console, switch, SOON)
    for number in ("201", "203"):
        say(publisher, number, 1, "early")
        wait_word(console, number, "cups", line="ringing")
    console.notifications.clear()

    lost = time.monotonic()
    switch.stop()

    assert wait_status(console, "201", "stale", SOON)["line"] == "busy"
    assert shown(console, "203", "mode", "source") == ("dnd", "switch"), "what it said holds for hold"
    console.wait(lambda: shown(console, "201", "status", "line", "source") == ("ok", "ringing", "cups"), "SIP", SOON)
    assert 1.9 < time.monotonic() - lost < 5
    console.wait(lambda: shown(console, "203", "status", "mode", "source") == ("ok", "busy", "cups"), "SIP", SOON)
    assert [call["peer"] for call in telephony(console, "201")["calls"]] == ["sip:4711@pbx"]
    assert deciders(console, "201")["line"] == "cups" and "dnd" not in deciders(console, "203")
    assert verdicts(console, "201", "line")["switch"] == "not_usable"
    assert "forward" not in telephony(console, "201"), "SIP does not know it, and what the switch said has run out"

    switch.start()
    console.call("sources.restart", name="switch")
    wait_truth(console, switch, 10)
    assert shown(console, "201", "line", "source") == ("busy", "switch")
    assert shown(console, "203", "mode", "source") == ("dnd", "switch")


def test_switch_that_comes_back_within_hold_was_never_replaced(pbx, start, server, publisher):
    switch = pbx()
    switch.call("201", "202")
    _, console = both(start, switch, server)
    wait_truth(console, switch, SOON)
    say(publisher, "201", 1, "early")
    wait_word(console, "201", "cups", line="ringing")
    console.notifications.clear()

    switch.close_connections()
    until(lambda: details(console)["connections"] == 2, "another connection", SOON)
    wait_truth(console, switch, SOON)

    console.barrier()
    sources = {message["params"]["telephony"].get("source") for message in console.notifications
               if message["method"] == "presence.changed" and message["params"]["user"] == "u201"}
    assert sources == {"switch"}


def test_loss_of_sip_changes_nothing(pbx, start, server, publisher):
    switch = pbx()
    _, console = both(start, switch, server, {"hold": "1s"}, {"keepalive": "5s"})
    say(publisher, "201", 1, "confirmed")
    wait_word(console, "201", "cups", line="busy")
    wait_truth(console, switch, SOON)
    console.notifications.clear()

    server.kill()

    until(lambda: console.source("cups")["status"] == "connection_error", "SIP is lost", 20)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    console.barrier()
    assert {message["params"]["telephony"]["status"] for message in console.notifications
            if message["method"] == "presence.changed"} == {"ok"}
    server.start()


def test_both_halves_of_a_person(pbx, start, server, publisher):
    """What is said from SIP of the person, and from the switch of the telephone."""
    switch = pbx()
    users = [person("201", sip_uri=uri("ann"))]
    cups = source_at(server.port, "udp", domains=["rich"])
    console = start(BASE, users=users, sources=[source(switch), cups]).console()
    console.subscribe(users=["u201"])
    publisher.publish("ann", pidf(uri("ann"), activities=("away",), note="Lunch"))
    console.wait_overall("u201", "away", SOON)
    switch.call("202", "201")
    switch.answer("201")
    console.wait_overall("u201", "busy", SOON)
    row = console.table["u201"]
    assert (row["rich"]["source"], row["telephony"]["source"]) == ("cups", "switch")
    assert (row["rich"]["availability"], row["telephony"]["mode"], row["rich"]["note"]) == ("away", "busy", "Lunch")
    switch.set_dnd("201")
    console.wait_overall("u201", "dnd", SOON)
