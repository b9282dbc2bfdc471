"""Hosts that misbehave, die, or are not who they should be: what a bridge makes of them, as presenced-bridge(7) says.

SPDX-License-Identifier: MIT
"""

import contextlib
import socket
import time

import pytest

from bridge_world import (IDLE, LONGEST, TOKEN, Hand, agree, at, begin, bridge, bridge_at, details, doctor, facts,
                          free_port, fresh, half, hosts, statuses_seen, wait_facts, wait_source, wait_status)
from presenced import DEADLINE, until

__all__ = ["free_port", "hosts"]  # fixtures
LINES = ("201", "202", "203")
CALLER = "+442070846845"
TALKS = {"call": "c1", "state": "CONNECTED"}


@pytest.fixture
def office(start, hosts):
    """office(config, source options) gives a daemon, a console and a host that is allowed to misbehave."""
    def run(config=None, /, lines=LINES, host=None, **options):
        daemon, console = begin(start, lines, config, **options)
        one = hosts(at(daemon), lines=lines, strict=False, **(host or {}))
        one.answer(one.offer("201", CALLER))
        agree(console, one)
        console.notifications.clear()
        return daemon, console, one

    return run


def settled(host):
    """All that the host has said was read by the daemon."""
    seen = host.counters["pongs"]
    host.ping()
    host.wait(lambda: host.counters["pongs"] > seen, "a pong")


def healthy(console, host, lines=LINES):
    """Same connection, no line was anything but good, and the truth is published."""
    settled(host)
    agree(console, host)
    assert host.closed == [] and host.violations == []
    for line in lines:
        assert set(statuses_seen(console, line)) <= {"ok"}


def codes(host):
    return [error["code"] for error in host.errors]


# ---- what takes long: first, so that the others are done meanwhile -------------------------


def test_what_does_not_end_is_asked_for_after_thirty_seconds(start, hosts):
    """All at once, since it takes so long: a resync without an end, a line that has begun, and requests without answer."""
    daemon, console = begin(start, LINES)
    host = hosts(at(daemon), lines=LINES, fault="resync_without_end", reconnect=False)
    third, third_console = begin(start, LINES)
    late = Hand(at(third))
    late.begin(*LINES)
    wait_facts(third_console, "203", IDLE)
    late.say("ping", n=1, seq=late.seq + 2)
    first = late.take("resyncRequest")
    other, _ = begin(start, LINES)
    with Hand(at(other)) as hand:
        hand.begin(*LINES)
        hand.send(b'{"type":"lineDnd",')
        began = time.monotonic()
        assert {word["type"] for word in hand.last_words(40)} <= {"ping"}
    assert 29 <= time.monotonic() - began <= 34
    host.wait(lambda: host.counters["resync_requests"] == 1, "it asks again", 20)
    agree(console, host)
    assert host.violations == []
    with late:  # the answer to the first request is one still
        assert late.take("resyncRequest")["id"] == first["id"] + 1
        late.resync(["201", "202"], first["id"])
        wait_status(third_console, "203", "error")
        wait_facts(third_console, "201", IDLE)


# ---- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["skip", "lost", "duplicate", "step_back"])
def test_wrong_numbers_are_healed_by_one_request(office, kind):
    _, console, host = office()
    for line in LINES[:2]:
        host.misbehave(kind)
        before = host.counters["resync_requests"]
        host.dnd(line, True, "b")
        host.offer(line, "205")
        host.wait(lambda: host.counters["resync_requests"] > before, "it asks for all")
        healthy(console, host)
        assert codes(host) == []
    assert details(console)["gaps"] >= 2
    assert all("lines" not in message for message in host.received if message["type"] == "resyncRequest")


def test_a_host_that_loses_much_is_not_asked_all_the_time(office):
    _, console, host = office()
    host.misbehave("skip", None)
    ended = time.monotonic() + 3.5
    while time.monotonic() < ended:
        host.dnd("202", True, "b")
        host.dnd("202", False, "b")
        settled(host)
    asked = host.counters["resync_requests"]
    assert 1 <= asked <= 3  # at once, and after 1 and 2 seconds at the earliest
    host.behave()
    healthy(console, host)


def test_a_lost_line_open_is_said_again(office):
    _, console, host = office()
    host.close_line("202")
    agree(console, host)
    host.misbehave("lost")
    host.reopen("202")
    host.wait(lambda: "unknownLine" in codes(host), "unknownLine")
    settled(host)
    agree(console, host)


# ---- resyncs --------------------------------------------------------------------------------


def test_a_wrong_count_is_asked_again(office):
    _, console, host = office()
    host.misbehave("resync_wrong_count")
    host.resync()
    host.wait(lambda: host.counters["resync_requests"], "it asks again")
    healthy(console, host)


def test_changes_between_lines_of_a_resync(office):
    _, console, host = office()
    host.misbehave("mixed_resync", None)
    host.dnd("202", True, "b")
    for _ in range(3):
        host.resync()
        healthy(console, host)
    host.drop()
    host.wait(host.connected, "again")
    agree(console, host)


# ---- bytes and words ------------------------------------------------------------------------


@pytest.mark.parametrize("kind, code", [
    ("garbage", "syntax"), ("unknown_type", "unknownType"), ("unknown_line", "unknownLine"), ("no_seq", "syntax"),
    ("unknown_member", None), ("empty_lines", None)])
def test_a_bad_message_is_refused_and_the_connection_goes_on(office, kind, code):
    daemon, console, host = office()
    host.misbehave(kind)
    settled(host)
    assert codes(host) == ([code] if code else [])
    host.hold(host.calls("201")[0])
    healthy(console, host)
    assert host.counters["resync_requests"] == 0
    status, hops = doctor(daemon)
    assert (status, bool(hops["messages"])) == ((1, True) if code else (0, False))


@pytest.mark.parametrize("kind", ["raw_integers", "crlf"])
def test_other_spellings(office, kind):
    _, console, host = office()
    host.misbehave(kind, None)
    host.forward("202", "205")
    host.forward("203", "206", "BUSYNAEXTERNAL")
    host.offer("202", CALLER, mode="INACTIVE")
    host.far_hold(host.dial("203", "8000"))
    host.dnd("201", True, "a")
    host.out_of_service("202")
    host.resync()
    healthy(console, host)
    host.drop()
    host.wait(host.connected, "again")
    agree(console, host)
    assert codes(host) == []


@pytest.mark.parametrize("length", [LONGEST + 1, 70000, 200000, 1000000])
def test_a_line_that_is_too_long(start, length):
    daemon, console = begin(start, LINES)
    with Hand(at(daemon)) as hand:
        hand.begin(*LINES)
        wait_facts(console, "201", IDLE)
        hand.send(b"x" * (length - 1) + b"\n")
        words = hand.last_words()
        assert [word["code"] for word in words if word["type"] == "error"] == ["tooLong"]
    wait_source(daemon, "connection_error")


def test_a_line_without_end(start):
    daemon, console = begin(start, LINES)
    with Hand(at(daemon)) as hand:
        hand.begin(*LINES)
        with contextlib.suppress(OSError):
            for _ in range(1000):
                hand.send(b"x" * LONGEST)
        hand.last_words()
    wait_source(daemon, "connection_error")


def test_long_lines_of_the_host(office):
    _, console, host = office()
    host.misbehave("long_line")
    host.wait(lambda: host.closed, "closed")
    assert host.closed[0]["by"] == "daemon" and host.closed[0]["errors"] == ["tooLong"]
    host.wait(host.connected, "again")
    agree(console, host)


def test_half_a_line_is_dropped(office):
    _, console, host = office()
    host.misbehave("half_line")
    host.wait(lambda: host.counters["connections"] == 2 and host.connected(), "again")
    agree(console, host)
    assert host.errors == []


# ---- the beginning --------------------------------------------------------------------------


def refusal(address, *messages, **options):
    """What the daemon says before it closes."""
    with Hand(address, hello=False, **options) as hand:
        for kind, members in messages:
            hand.say(kind, **members)
        words = hand.last_words()
        return [word.get("code", word["type"]) for word in words], time.monotonic() - hand.began


HELLO = {"version": 1, "host": "HAND", "instance": "1", "token": TOKEN}


FIRST = [
    ("hello", HELLO | {"token": "x"}, "badToken"), ("hello", HELLO | {"token": None}, "badToken"),
    ("hello", HELLO | {"token": ""}, "badToken"), ("hello", HELLO | {"token": TOKEN + "x"}, "badToken"),
    ("hello", HELLO | {"token": TOKEN[:-1]}, "badToken"), ("hello", HELLO | {"token": "t" * 300}, "badToken"),
    ("hello", HELLO | {"token": "x", "version": 2}, "badToken"), ("hello", HELLO | {"version": 2}, "version"),
    ("hello", HELLO | {"version": 0}, "version"), ("hello", HELLO | {"version": "1"}, "syntax"),
    ("hello", HELLO | {"version": None}, "syntax"), ("hello", HELLO | {"host": None}, "syntax"),
    ("hello", HELLO | {"host": 7}, "syntax"), ("hello", HELLO | {"instance": None}, "syntax"),
    ("hello", HELLO | {"host": "h" * 257}, "syntax"), ("hello", HELLO | {"tapi": 2.2}, "syntax"),
    ("hello", HELLO | {"providers": "PBX.TSP"}, "syntax"), ("hello", HELLO | {"providers": [1]}, "syntax"),
    ("hello", HELLO | {"seq": 2}, "syntax"), ("hello", HELLO | {"seq": ...}, "syntax"),
    ("lineDnd", {"line": "201"}, "syntax"), ("ping", {"n": 1}, "syntax"), ("dance", {}, "syntax")]


def test_a_first_message_that_is_not_accepted(start):
    daemon, console = begin(start, LINES, password=TOKEN)
    found = [(kind, members, refusal(at(daemon), (kind, members))[0], code) for kind, members, code in FIRST]
    assert [one for one in found if one[2] != [one[3]]] == []
    assert wait_source(daemon, "connecting")["details"]["last_turned_away"]
    assert TOKEN not in daemon.log_text() and details(console)["bad_messages"] == 0


def test_garbage_before_hello(start):
    daemon, _ = begin(start, LINES)
    with Hand(at(daemon), hello=False) as hand:
        hand.send(b"GET / HTTP/1.1\r\n")
        assert [word["code"] for word in hand.last_words()] == ["syntax"]


def test_nothing_within_five_seconds(start, free_port):
    daemon, _ = begin(start, LINES, sources=[bridge_at(free_port)])
    words, seconds = refusal(("127.0.0.1", free_port))
    assert words == ["syntax"] and 4.5 <= seconds <= 7


@pytest.mark.parametrize("fault, code", [("wrong_version", "version"), ("early", "syntax"), ("no_token", "badToken")])
def test_a_host_that_begins_badly_may_try_again(start, hosts, fault, code):
    daemon, console = begin(start, LINES, password=TOKEN)
    host = hosts(at(daemon), lines=LINES, token=TOKEN, fault=fault)
    host.wait(lambda: any(end["errors"] == [code] for end in host.closed), code)
    host.wait(host.connected, "welcome")
    agree(console, host)
    assert host.violations == []


def test_a_second_hello(office):
    _, console, host = office()
    host.misbehave("hello_twice")
    host.wait(lambda: host.closed, "closed")
    assert host.closed[0] == host.closed[0] | {"by": "daemon", "errors": ["syntax"]}
    host.wait(host.connected, "again")
    agree(console, host)


def test_three_wrong_tokens_and_the_pause(start, hosts, free_port):
    daemon, console = begin(start, LINES, sources=[bridge_at(free_port)])
    address = ("127.0.0.1", free_port)
    host = hosts(address, lines=LINES, token=TOKEN, strict=False)
    agree(console, host)
    wrong = ("hello", HELLO | {"token": "wrong"})
    for _ in range(2):
        assert refusal(address, wrong)[0] == ["badToken"]
    with Hand(address, TOKEN):
        pass  # a right one: they are forgotten
    host.wait(lambda: host.counters["connections"] >= 2 and host.connected(), "the host is back")
    for _ in range(3):
        assert refusal(address, wrong)[0] == ["badToken"]
    for _ in range(3):
        with socket.create_connection(address, DEADLINE) as end:
            end.settimeout(DEADLINE)
            try:
                assert end.recv(100) == b""  # without a word
            except ConnectionResetError:
                pass
    with socket.socket() as end:  # not from elsewhere
        end.settimeout(DEADLINE)
        end.bind(("127.0.0.2", 0))
        end.connect(address)
        end.sendall(b"{}\n")
        assert b"syntax" in end.recv(65536)
    settled(host)
    agree(console, host)
    assert set(codes(host)) <= {"replaced"} and host.violations == []


def test_no_pause_at_a_unix_socket(start, hosts):
    daemon, console = begin(start, LINES, password=TOKEN)
    for _ in range(5):
        assert refusal(at(daemon), ("hello", HELLO | {"token": "wrong"}))[0] == ["badToken"]
    agree(console, hosts(at(daemon), lines=LINES, token=TOKEN))


def test_the_second_connection_replaces_the_first(office):
    daemon, console, host = office()
    first = host._link
    host.misbehave("second_connection")
    host.wait(lambda: host.closed, "the first is closed")
    assert [error["code"] for error in first.errors] == ["replaced"] and host.closed[0]["by"] == "daemon"
    host.hold(host.calls("201")[0])
    settled(host)
    agree(console, host)
    assert host.counters["connections"] == 2 and host.violations == []
    assert set(statuses_seen(console, "201")) <= {"ok", "stale"}
    status, hops = doctor(daemon)
    assert status == 0, hops


# ---- silence --------------------------------------------------------------------------------


def test_a_silent_host_is_closed(office):
    daemon, console, host = office(keepalive="5s")
    host.reconnect = False
    assert host.received[0]["pingInterval"] == 2
    began = time.monotonic()
    host.misbehave("silence")
    host.wait(lambda: host.closed, "closed")
    assert host.closed[0]["by"] == "daemon" and 4 <= time.monotonic() - began <= 7.5
    wait_status(console, "201", "stale")
    wait_source(daemon, "connection_error", "silent")


def test_each_side_is_heard_and_every_message_counts(office):
    _, console, host = office(keepalive="5s")
    host.misbehave("no_pong")  # its own pings are enough
    pongs = host.counters["pongs"]
    host.wait(lambda: host.counters["pongs"] >= pongs + 3, "three pings of the host")
    healthy(console, host)
    assert [message for message in host.received if message["type"] == "ping"]


def test_a_host_that_was_stopped(office):
    _, console, host = office({"hold": "1s"}, keepalive="5s")
    host.freeze()
    wait_status(console, "201", "stale")
    wait_status(console, "201", "error")
    host.thaw()
    host.wait(lambda: host.counters["connections"] == 2 and host.connected(), "again")
    agree(console, host)


# ---- death ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["bye", "drop", "reset"])
def test_a_host_dies_and_is_back(office, how):
    daemon, console, host = office({"hold": "2s"})
    host.reconnect = False
    before = facts(half(console, "201"))
    if how == "bye":
        host.bye("It is Friday.")
        wait_source(daemon, "connection_error", "Friday")
    else:
        host.drop(reset=how == "reset")
        wait_source(daemon, "connection_error", "TAPI01")
    wait_status(console, "201", "stale")
    assert facts(half(console, "201")) == before
    wait_status(console, "201", "error")
    assert "line" not in half(console, "201")
    host.hold(host.calls("201")[0])
    host.restart()
    host.reconnect = True
    host.wait(lambda: host.counters["connections"] == 2 and host.connected(), "again")
    agree(console, host)
    assert half(console, "201")["line"] == "held"


def test_stale_lines_become_good_one_by_one_at_the_end_of_the_resync(start):
    daemon, console = begin(start, LINES, {"hold": "1s"})
    with Hand(at(daemon)) as hand:
        hand.offer(*LINES)
        hand.resync({line: {"calls": [TALKS]} for line in LINES})
        for line in LINES:
            console.wait(lambda: half(console, line).get("line") == "busy", "busy")
    wait_status(console, "201", "stale")
    with Hand(at(daemon)) as hand:
        hand.offer("201", "202")
        hand.say("resync", phase="begin", id=1)
        hand.state("201")
        hand.settle()
        until_hold = time.monotonic() + 2
        until(lambda: time.monotonic() > until_hold, "hold to be over")
        console.barrier()
        for line in LINES:  # while a host is connected it does not run
            assert half(console, line)["status"] == "stale" and half(console, line)["line"] == "busy"
        hand.state("202", on=True)
        hand.say("resync", phase="end", id=1, lines=2)
        wait_facts(console, "201", IDLE)
        wait_facts(console, "202", IDLE | {"dnd": True})
        wait_status(console, "203", "error")


def test_what_is_not_said_within_the_limit_is_an_error(start):
    daemon, console = begin(start, LINES, {"hold": "1s", "resync_limit": "2s"})
    with Hand(at(daemon)) as hand:
        hand.begin(*LINES)
        wait_facts(console, "201", IDLE)
    with Hand(at(daemon)) as hand:
        wait_status(console, "201", "stale")
        wait_status(console, "201", "error")
        hand.begin(*LINES)
        wait_facts(console, "201", IDLE)


def test_the_daemon_says_goodbye(office):
    daemon, _, host = office()
    host.reconnect = False
    daemon.stop()
    host.wait(lambda: host.closed, "closed")
    assert host.counters["byes"] == 1 and host.violations == []


def test_a_daemon_that_is_killed_and_started_again(office):
    daemon, _, host = office()
    daemon.kill()
    host.wait(lambda: host.closed, "closed")
    host.hold(host.calls("201")[0])
    daemon.start()
    console = daemon.console()
    console.subscribe(users=["u201", "u202", "u203"])
    agree(console, host)
    assert host.violations == []


def test_a_source_that_is_changed(office):
    daemon, _, host = office()
    daemon.reload(sources=[bridge(keepalive="7s")])
    host.wait(lambda: host.counters["connections"] == 2 and host.connected(), "again")
    console = fresh(daemon)
    console.subscribe(users=["u201", "u202", "u203"])
    agree(console, host)
    assert host.counters["byes"] == 1 and host.received[-1] != [] and host.violations == []


# ---- all together ---------------------------------------------------------------------------


def test_a_bad_life(office):
    """Everything that a host may do wrong, again and again: at rest the truth is published."""
    _, console, host = office()
    for turn in range(4):
        for kind in ("skip", "garbage", "lost", "unknown_type", "duplicate", "unknown_line", "step_back", "no_seq",
                     "resync_wrong_count", "empty_lines"):
            host.misbehave(kind)
            call = host.offer("202", CALLER)
            host.answer(call)
            host.dnd("203", turn % 2 == 0, "b")
            host.idle(call)
        host.behave()
        host.drop(reset=turn % 2 == 0)
        host.wait(host.connected, "again")
        host.resync()
        agree(console, host)
    assert host.violations == []
