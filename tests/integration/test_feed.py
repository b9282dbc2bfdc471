"""What a feeding program may get wrong. SPDX-License-Identifier: MIT"""

import json

import pytest

from presenced import BUSY, DEADLINE, IDLE, connect, feed_source, people, until


@pytest.fixture
def fed(start):
    """A daemon with an open subscription to alice, and its feed."""
    daemon = start(users=people("alice", "bob"))
    feed = daemon.feed(truth={"alice": {"telephony": IDLE}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "available")
    return daemon, feed, console


WRONG = {
    "not JSON": b"hello",
    "not an object": b"[1]",
    "NUL": b'{"address":"alice"\x00}',
    "bad UTF-8": b'{"address":"\xff\xfe","domain":"telephony","line":"busy"}',
    "too deep": b'{"a":' * 100 + b"1" + b"}" * 100,
    "unknown user": b'{"user":"zoe","domain":"telephony","line":"busy"}',
    "no address": b'{"domain":"telephony","line":"busy"}',
    "no domain": b'{"address":"alice","line":"busy"}',
    "unknown domain": b'{"address":"alice","domain":"smell","line":"busy"}',
    "unknown line": b'{"address":"alice","domain":"telephony","line":"engaged"}',
    "unknown availability": b'{"address":"alice","domain":"rich","availability":"asleep"}',
    "unknown status": b'{"address":"alice","domain":"telephony","status":"fine"}',
    "status of the aggregator": b'{"address":"alice","domain":"telephony","status":"not_requested"}',
    "dnd is no truth": b'{"address":"alice","domain":"telephony","dnd":"yes"}',
    "calls is no list": b'{"address":"alice","domain":"telephony","calls":{}}',
    "unknown call state": b'{"address":"alice","domain":"telephony","calls":[{"state":"x"}]}',
    "forward is a text": b'{"address":"alice","domain":"telephony","forward":"2099"}',
    "no time": b'{"address":"alice","domain":"telephony","line":"busy","at":"yesterday"}',
    "negative revision": b'{"address":"alice","domain":"telephony","line":"busy","epoch":1,"rev":-1}',
    "unknown resync": b'{"resync":"maybe"}',
    "line too long": b'{"address":"alice","note":"' + b"x" * 70000 + b'"}',
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_line_is_told_with_its_number_and_disturbs_nothing(fed, name):
    daemon, feed, console = fed
    feed.send_bytes(b"\n" + WRONG[name] + b"\n")
    number = feed.sent

    error = feed.wait_errors(1)[0]
    assert set(error) == {"error", "line"} and error["error"], error
    assert error["line"] == number

    feed.set("alice", telephony=BUSY)
    console.wait_overall("alice", "busy")
    assert len(feed.errors) == 1
    assert daemon.console().source()["status"] == "up"


def test_unknown_keys_of_a_line_are_not_an_excuse_to_lose_it(fed):
    _, feed, console = fed

    feed.say({"address": "alice", "domain": "telephony", "line": "busy", "technology": "xmpp", "source": "other"})

    presence = console.wait_overall("alice", "busy")
    assert (presence["telephony"]["technology"], presence["telephony"]["source"]) == ("tapi", "switch")


def test_line_in_writes_of_one_byte_is_read(fed):
    _, feed, console = fed

    for byte in json.dumps({"user": "alice", "domain": "telephony"} | BUSY).encode() + b"\n":
        feed.socket.sendall(bytes([byte]))

    console.wait_overall("alice", "busy")


def test_state_of_somebody_who_is_not_watched_is_counted_and_dropped(fed):
    daemon, feed, console = fed

    feed.say({"address": "bob", "domain": "telephony"} | BUSY, {"address": "nobody", "domain": "telephony"} | BUSY)
    feed.set("alice", telephony=BUSY)

    console.wait_overall("alice", "busy")
    assert daemon.console().source()["unwatched"] == 2
    assert console.presence("bob")["telephony"]["status"] == "not_requested"
    assert feed.errors == []


def test_second_program_is_refused_and_the_first_goes_on(fed):
    daemon, feed, console = fed

    with connect(daemon.folder / "switch.feed") as second, second.makefile(encoding="utf-8") as lines:
        answer = json.loads(lines.readline())
        assert lines.read() == ""

    assert set(answer) == {"error", "line"}
    feed.set("alice", telephony=BUSY)
    console.wait_overall("alice", "busy")


def test_program_that_does_not_read_stops_nobody(start):
    ids = [f"u{n:05}-{'x' * 100}" for n in range(5000)]
    daemon = start(users=people(*ids))
    deaf = connect(daemon.folder / "switch.feed")
    deaf.sendall(b"nonsense\n" * 50000)
    console = daemon.console(checked=0.01)
    console.subscribe(all=True)

    until(lambda: console.source()["details"]["refused"] == 50000, "all nonsense is refused")
    assert console.call("server.stats")["watched"] == 5000
    deaf.settimeout(DEADLINE)
    seen = b""
    while seen.count(b'"watch"') < 5000:
        seen += deaf.recv(1 << 20)
    deaf.close()


@pytest.mark.parametrize("status", ["access_denied", "not_found", "error"])
def test_status_that_a_source_says_of_one_address_is_shown(fed, status):
    _, feed, console = fed

    feed.say({"address": "alice", "domain": "telephony", "status": status, "why": "so it is"})

    console.wait(lambda: console.table["alice"]["telephony"]["status"] == status, status)
    assert "line" not in console.table["alice"]["telephony"]
    states = console.call("presence.explain", user="alice")["states"]
    assert [state["why"] for state in states if state["domain"] == "telephony"] == ["so it is"]


def test_source_that_serves_one_domain_is_not_believed_about_the_other(start):
    daemon = start(users=people("alice"), sources=[feed_source("switch", domains=["telephony"])])
    daemon.feed(truth={"alice": {"rich": {"availability": "away"}, "telephony": IDLE}})
    console = daemon.console()
    console.subscribe(users=["alice"])

    console.wait_overall("alice", "available")

    assert console.table["alice"]["rich"]["status"] == "server_not_configured"
    assert set(console.source()["domains"]) == {"telephony"}
