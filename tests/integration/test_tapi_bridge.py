"""Bridges as presenced-bridge(7) describes them: a simulated host with TAPI connects, and what it tells is published.

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import random
import ssl

import pytest

from bridge_world import (ADMIN, IDLE, LONGEST, TOKEN, Hand, agree, at, authority, begin, bridge, bridge_at, details,
                          doctor, facts, free_port, half, hosts, owner, statuses_seen, users_of, wait_facts,
                          wait_source, wait_status, why)
from presenced import BUSY, NOBODY, IDLE as FEED_IDLE, console_socket, feed_source, until
from test_documentation import example, read

__all__ = ["authority", "free_port", "hosts"]  # fixtures
SEED = int(os.environ.get("PRESENCED_SEED", random.randrange(1 << 32)))
LINES = ("201", "202", "203")
ON_DEMAND = {"monitoring": {"linger": "1s"}}
CALLER = "+442070846845"


@pytest.fixture
def office(start, hosts):
    """office(lines, config, source options) gives a daemon, a console and a host, of which everything is known."""
    def run(lines=LINES, config=None, /, host=None, **options):
        daemon, console = begin(start, lines, config, **options)
        one = hosts(at(daemon), lines=lines, **(host or {}))
        agree(console, one)
        return daemon, console, one

    return run


# ---- connecting -----------------------------------------------------------------------------


@pytest.mark.parametrize("configured, told", [(None, None), (None, "anything"), (TOKEN, TOKEN)])
def test_over_a_unix_socket(start, hosts, configured, told):
    daemon, console = begin(start, LINES, **({"password": configured} if configured else {}))
    wait_source(daemon, "connecting", "waiting for a host")
    host = hosts(at(daemon), token=told, lines=LINES)
    host.offer("201", CALLER)
    agree(console, host)
    assert console.source()["status"] == "up"
    assert half(console, "201")["technology"] == "tapi" and half(console, "201")["source"] == "switch"


@pytest.mark.parametrize("listen, host", [("127.0.0.1:{}", "127.0.0.1"), ("{}", "127.0.0.1"), ("{}", "::1"),
                                          ("[::1]:{}", "::1")])
def test_over_tcp_with_a_token(start, hosts, free_port, tmp_path, listen, host):
    token = tmp_path / "token"
    token.write_text(TOKEN + "\nnot this line\n")
    source = bridge_at(free_port, password_file=str(token), listen=listen.format(free_port))
    del source["password"]
    daemon, console = begin(start, LINES, sources=[source])
    host = hosts((host, free_port), token=TOKEN, lines=LINES)
    host.answer(host.dial("202", "8000"))
    agree(console, host)
    host.drop(reset=True)
    host.offer("203")
    agree(console, host)
    assert TOKEN not in daemon.log_text()


def test_over_tls_with_a_token(start, hosts, free_port, authority):
    daemon, console = begin(start, LINES, sources=[bridge_at(
        free_port, transport="tls", cert_file=str(authority / "bridge.pem"))])
    host = hosts(("127.0.0.1", free_port), tls=str(authority / "ca.pem"), name="bridge.test", token=TOKEN, lines=LINES)
    host.hold(host.offer("201", CALLER))
    agree(console, host)

    old = ssl.create_default_context(cafile=str(authority / "ca.pem"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with Hand(("127.0.0.1", free_port), tls=old, hello=False) as other:
        assert other.socket.version() == "TLSv1.2"
    with pytest.raises(ssl.SSLCertVerificationError):
        Hand(("127.0.0.1", free_port), tls=ssl.create_default_context())
    agree(console, host)


def test_a_plain_host_at_a_port_of_tls_is_not_answered(start, free_port, authority):
    begin(start, LINES, sources=[bridge_at(free_port, transport="tls", cert_file=str(authority / "bridge.pem"))])
    with Hand(("127.0.0.1", free_port), hello=False) as hand, contextlib.suppress(ConnectionResetError):
        hand.hello(TOKEN)
        while data := hand.socket.recv(65536):
            assert b"welcome" not in data and b"error" not in data  # an alert of TLS at most


# ---- facts ----------------------------------------------------------------------------------


def test_a_random_life_of_a_hundred_lines(start, hosts):
    print("seed", SEED)
    rng, lines = random.Random(SEED), [str(n) for n in range(201, 301)]
    daemon, console = begin(start, lines)
    console.checked = 0.1
    host = hosts(at(daemon), lines=lines)
    steps = []
    for round_ in range(6):
        for _ in range(400):
            steps.append(host.random_step(rng))
        host.raw, host.crlf = rng.random() < 0.5, rng.random() < 0.5
        if round_ == 3:
            host.drop(reset=rng.random() < 0.5)
        agree(console, host, what=f"what is published is true after {steps[-3:]}, seed {SEED}")
    found = details(console)
    assert found["gaps"] == 0 and found["bad_messages"] == 0
    assert found["host"] == "TAPI01" and found["lines"] == 100


def test_calls_are_for_those_who_may_see_them(start, hosts, as_root):
    config = {"console": [*ADMIN, console_socket("readers", ["read"])]}
    daemon, console = begin(start, ["201"], config)
    host = hosts(at(daemon), lines=["201"])
    reader = daemon.console("readers", uid=NOBODY)
    reader.subscribe(users=["u201"])
    host.answer(host.offer("201", CALLER, "A. Caller"))
    agree(console, host)
    assert half(console, "201")["calls"][0]["peer"] == CALLER

    reader.wait(lambda: half(reader, "201").get("line") == "busy", "busy")
    assert "calls" not in half(reader, "201")
    assert CALLER not in json.dumps([*reader.notifications, reader.table])


def test_a_call_has_the_time_when_it_was_connected(office):
    _, console, host = office()
    call = host.offer("201", CALLER)
    host.move(call, "CONNECTED", "ACTIVE", connectedSince="2026-11-20T13:01:07.250+01:00")
    agree(console, host)
    assert half(console, "201")["calls"][0]["since"] == "2026-11-20T12:01:07.250Z"

    host.move(host.dial("202", "8000"), "CONNECTED", "ACTIVE", connectedSince="2999-01-01T00:00:00Z")
    agree(console, host)
    assert half(console, "202")["calls"][0]["since"] < "2999"


@pytest.mark.parametrize("way, on, off, unknown", [
    ("a", True, False, None), ("b", "STEADY", "OFF", "DUMMY"), ("b", "BROKENFLUTTER", "OFF", "UNKNOWN"),
    ("c", 1, 2, 0)])
def test_three_ways_of_do_not_disturb(office, way, on, off, unknown):
    _, console, host = office()
    host.dnd("201", on, way)
    wait_facts(console, "201", IDLE | {"dnd": True})
    assert console.table["u201"]["overall"] == "dnd"
    host.dnd("201", off, way)
    wait_facts(console, "201", IDLE)
    host.forward_list("201", None)
    if way != "a":
        host.dnd("201", unknown, way)
    wait_facts(console, "201", {"line": "idle", "calls": []} | ({} if host.lines["201"].on is None else {"dnd": False}))
    agree(console, host)


def test_ways_of_do_not_disturb_together(office):
    _, console, host = office()
    host.dnd("201", True, "a")
    host.dnd("201", False, "b")
    agree(console, host)
    assert half(console, "201")["dnd"] is True
    host.dnd("201", True, "b")
    host.dnd("201", False, "a")
    agree(console, host)
    assert half(console, "201")["dnd"] is True


def test_forwards_to_the_pilot_the_own_mailbox_and_a_telephone(start, hosts):
    users = [{"id": "u201", "extension": "201", "voicemail": "8123"}]
    daemon, console = begin(start, ["201"], {"rules": {"voicemail_pilots": ["8000"]}}, users=users)
    host = hosts(at(daemon), lines=["201"])
    for target, mode in (("8000", "forwarded_to_voicemail"), ("205", "forwarded_to_phone"),
                         ("8123", "forwarded_to_voicemail"), ("+442070846845", "forwarded_to_phone")):
        host.forward("201", target)
        console.wait(lambda: half(console, "201").get("mode") == mode, f"{target} {mode}")
        agree(console, host)
    host.forward("201", None)
    host.forward("201", "8000", "BUSY")
    host.forward("201", "8000", "UNCONDEXTERNAL")
    agree(console, host)
    assert half(console, "201")["forward"] is None and half(console, "201")["mode"] == "available"
    host.forward("201", "205", "UNCONDINTERNAL")
    agree(console, host)
    assert half(console, "201")["forward"]["target"] == "8000"


# ---- want lists -----------------------------------------------------------------------------


def test_wanted_is_what_somebody_asks_for(start, hosts):
    daemon, console = begin(start, ["201"], ON_DEMAND, users=users_of(LINES))
    host = hosts(at(daemon), lines=LINES)
    host.wait(lambda: host.want() == ["201"], "only 201")
    host.offer("202", CALLER)
    agree(console, host, ["201"])

    other = daemon.console()
    other.subscribe(users=["u202"])
    agree(other, host, ["202"])
    assert half(other, "202")["line"] == "ringing" and sorted(host.want()) == ["201", "202"]

    other.call("presence.unsubscribe")
    host.wait(lambda: host.opened() == {"201"}, "202 is closed")
    assert host.want() == ["201"]
    host.answer(host.calls("202")[0])
    other.subscribe(users=["u202"])
    agree(other, host, ["202"])
    assert half(other, "202")["line"] == "busy"
    agree(console, host, ["201"])
    assert set(statuses_seen(console, "201")) <= {"requesting", "ok"}


def test_nobody_is_wanted_where_nobody_asks_and_everybody_always(start, hosts):
    daemon = start({"console": ADMIN} | ON_DEMAND, users=users_of(LINES), sources=[bridge()])
    host = hosts(at(daemon), lines=LINES)
    host.wait(lambda: host.want() == [], "nobody is wanted")
    wait_source(daemon, "up")
    daemon.reload(monitoring={"mode": "always"})
    host.wait(lambda: host.want() is not None and sorted(host.want()) == sorted(LINES), "all")


def test_a_list_that_does_not_fit_in_a_line_is_a_star(start, hosts):
    lines = [f"{'7' * 60}{n:05}" for n in range(1100)]
    daemon, console = begin(start, lines[:900], ON_DEMAND, users=users_of(lines))
    console.checked = 0.01
    host = hosts(at(daemon), lines=[*lines, "999"])
    host.offer(lines[7], CALLER)
    host.wait(lambda: len(host.opened()) == 900, "900 lines")
    agree(console, host, lines[:900])
    assert len(host.want()) == 900

    more = daemon.console(checked=0.01)
    more.subscribe(users=[owner(line) for line in lines[900:]])
    host.wait(lambda: host.want() == "*", "a star")
    host.offer(lines[1000], CALLER)
    agree(more, host, lines[900:])
    agree(console, host, lines[:900])

    more.close()
    host.wait(lambda: host.want() != "*" and len(host.want()) == 900, "the list again")
    agree(console, host, lines[:900])


def test_a_list_is_as_long_as_a_line_may_be(start):
    """Lines of 65,534 to 65,538 bytes with their end: one bridge each, since whoever is watched is the same."""
    sizes = range(LONGEST - 2, LONGEST + 3)
    head = len('{"type":"welcome","version":1,"pingInterval":15,"want":[]}\n')
    count = (LONGEST - head) // 123 - 1  # lines of 120 bytes; the last one fills up
    users = [{"id": f"u{n}"} | {f"line@s{size}": f"{n:0120}" for size in sizes} for n in range(count)]
    for size in sizes:
        users[-1][f"line@s{size}"] = "9" * (size - head - (count - 1) * 123 - 2)
        assert len(users[-1][f"line@s{size}"]) > 120
    daemon = start({"console": ADMIN, "monitoring": {"mode": "always"}}, users=users,
                   sources=[bridge(f"s{size}") for size in sizes])
    for size in sizes:
        with Hand(at(daemon, f"s{size}")) as hand:
            want = hand.welcome["want"]
            assert (want == "*") if size > LONGEST else (sorted(want) == sorted(user[f"line@s{size}"] for user in users))


def test_welcomes_keep_their_distance(start, hosts):
    lines = [str(n) for n in range(300, 340)]
    daemon = start({"console": ADMIN}, users=users_of(lines), sources=[bridge()])
    host = hosts(at(daemon), lines=lines)
    host.wait(host.connected, "welcome")
    before = host.counters["welcomes"]
    consoles = []
    for line in lines:
        consoles.append(daemon.console())
        consoles[-1].subscribe(users=[owner(line)])
    host.wait(lambda: host.opened() == set(lines), "all are open")
    assert 1 <= host.counters["welcomes"] - before <= 20  # the host complains of two within 200 ms


def test_wanted_again_while_the_host_closes_it(start):
    daemon, console = begin(start, ["201"], ON_DEMAND, users=users_of(LINES))
    other = daemon.console()
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        wait_facts(console, "201", IDLE)
        other.subscribe(users=["u202"])
        while sorted(hand.take("welcome")["want"]) != ["201", "202"]:
            pass
        hand.offer("202")
        hand.state("202", on=True)
        wait_facts(other, "202", IDLE | {"dnd": True})
        other.call("presence.unsubscribe")
        while hand.take("welcome")["want"] != ["201"]:
            pass
        other.subscribe(users=["u202"])
        hand.say("lineClose", line="202", reason="unwanted")
        wait_status(other, "202", "requesting")
        while sorted(hand.take("welcome")["want"]) != ["201", "202"]:
            pass
        hand.offer("202")
        hand.state("202")
        wait_facts(other, "202", IDLE)


# ---- lines that cannot be had ---------------------------------------------------------------


def test_lines_that_the_host_does_not_have(start, hosts):
    daemon, console = begin(start, ["201", "404"])
    host = hosts(at(daemon), lines=["201"])
    agree(console, host)
    assert wait_status(console, "404", "not_found") and why(console, "404")
    host.reopen("404")
    agree(console, host)


@pytest.mark.parametrize("code, status", [("unknownLine", "not_found"), ("accessDenied", "access_denied"),
                                          ("RESOURCEUNAVAIL", "error")])
def test_lines_that_are_refused(office, code, status):
    daemon, console, host = office()
    host.fail_line("202", code)
    agree(console, host)
    assert half(console, "202")["status"] == status
    if status != "not_found":
        assert "cannot be opened" in why(console, "202")
    host.drop()
    host.wait(host.connected, "again")
    agree(console, host)
    host.reopen("202")
    agree(console, host)


def test_what_a_host_says_of_itself_is_in_the_log(office):
    daemon, _, host = office()
    host.say("error", code="PROVIDER", message="The switch is slow today.")
    until(lambda: "The switch is slow today." in daemon.log_text(), "the sentence in the log")
    assert host.connected()


def test_a_refusal_is_remembered_while_nobody_asks(start):
    daemon, console = begin(start, ["201"], ON_DEMAND, users=users_of(LINES))
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        wait_facts(console, "201", IDLE)
        hand.say("lineClose", line="202", reason="REMOVED")
        hand.say("error", line="203", code="accessDenied", message="No.")
        hand.settle()
        console.subscribe(users=["u201", "u202", "u203"])
        wait_status(console, "202", "not_found")
        wait_status(console, "203", "access_denied")


# ---- service --------------------------------------------------------------------------------


def test_out_of_service_and_back(office):
    _, console, host = office()
    host.answer(host.offer("201", CALLER))
    agree(console, host)
    for state in ("OUTOFSERVICE", "MAINTENANCE"):
        host.device_state("201", state)
        wait_facts(console, "201", {"line": "offline", "dnd": False, "forward": None, "calls": []})
        requests = host.counters["resync_requests"]
        host.in_service("201")
        wait_facts(console, "201", IDLE)
        host.wait(lambda: host.counters["resync_requests"] > requests, "it is asked for")
        assert host.received[-1]["lines"] == ["201"]
    host.offer("201", CALLER)
    agree(console, host)


def test_closed_and_opened_again(office):
    _, console, host = office()
    host.answer(host.offer("201", CALLER))
    host.dnd("201", True, "b")
    agree(console, host)
    host.close_line("201")
    agree(console, host)
    assert facts(half(console, "201")) == {"line": "offline", "calls": []}
    host.reopen("201")
    agree(console, host)
    host.close_line("202", "REMOVED")
    wait_status(console, "202", "not_found")
    host.reopen("202")
    agree(console, host)


def test_reinit(office):
    _, console, host = office()
    host.answer(host.offer("201", CALLER))
    agree(console, host)
    host.close_line("201", "REINIT")
    wait_status(console, "201", "stale")
    assert half(console, "201")["line"] == "busy"
    host.reopen("201")
    agree(console, host)
    host.offer("202", CALLER)
    host.reinit()
    host.offer("203", CALLER)
    agree(console, host)
    assert half(console, "202")["line"] == "idle"


def test_reinit_that_does_not_end_is_an_error_after_hold(office):
    _, console, host = office(LINES, {"hold": "2s"})
    host.close_line("201", "REINIT")
    wait_status(console, "201", "stale")
    wait_status(console, "201", "error")
    assert half(console, "202")["status"] == "ok"


# ---- what is asked again --------------------------------------------------------------------


def test_a_change_that_the_host_did_not_tell_is_found(office):
    _, console, host = office(LINES, {"verify": {"any": "2s", "busy": "2s", "ringing": "1s"}})
    host.offer("201", CALLER)
    agree(console, host)
    assert console.source()["corrections"] == 0
    before = [message for message in host.received if message["type"] == "resyncRequest"]
    host._do(lambda: host.lines["201"].calls.clear())  # and nobody is told
    wait_facts(console, "201", IDLE)
    asked = [message for message in host.received if message["type"] == "resyncRequest"][len(before):]
    assert asked and all(message["lines"] and message["reason"] for message in asked)
    assert "201" in asked[-1]["lines"] and console.source()["corrections"] == 1


def test_a_line_that_is_not_said_when_it_is_asked_for_is_stale(start, hosts):
    daemon, console = begin(start, LINES, {"verify": {"any": "1s"}, "hold": "1s"})
    with Hand(at(daemon)) as hand:
        hand.begin(*LINES)
        for line in LINES:
            wait_facts(console, line, IDLE)
        asked = set()
        while asked != set(LINES):
            request = hand.take("resyncRequest")
            asked |= set(request["lines"])
            hand.resync([line for line in request["lines"] if line != "202"], request["id"])
        wait_status(console, "202", "stale", 40)


# ---- several sources ------------------------------------------------------------------------


def test_several_bridges_at_once(start, hosts):
    names = [f"host{n}" for n in range(5)]
    users = [{"id": f"u{n}0{i}"} | {f"line@{names[n]}": f"{n}0{i}"} for n in range(5) for i in range(4)]
    lines = {name: [f"{n}0{i}" for i in range(4)] for n, name in enumerate(names)}
    daemon = start({"console": ADMIN}, users=users, sources=[bridge(name) for name in names])
    console = daemon.console()
    console.subscribe(users=[user["id"] for user in users])
    made = {name: hosts(at(daemon, name), lines=lines[name]) for name in names}
    rng = random.Random(SEED)
    print("seed", SEED)
    for _ in range(300):
        made[rng.choice(names)].random_step(rng)
    for name, host in made.items():
        agree(console, host)
        assert sorted(host.want()) == lines[name]
    made["host3"].reconnect = False
    made["host3"].drop()
    wait_source(daemon, "connection_error", name="host3")
    wait_status(console, "300", "stale")
    for name in names[:3]:
        agree(console, made[name])


def test_a_bridge_is_believed_before_a_feed_of_sip(start, hosts):
    users = [{"id": "u201", "extension": "201", "sip_uri": "sip:ann@example.test"}]
    config = {"hold": "1s", "rules": {"telephony": {"order": ["tapi", "sip"]}}}
    sources = [feed_source("proxy", technology="sip"), bridge()]
    daemon, console = begin(start, ["201"], config, users=users, sources=sources)
    feed = daemon.feed("proxy", truth={"u201": {"telephony": BUSY}})
    console.wait(lambda: half(console, "201").get("line") == "busy", "the feed alone")
    host = hosts(at(daemon), lines={"201": {"can": ["forward"], "on": None}}, reconnect=False)
    console.wait(lambda: half(console, "201").get("line") == "idle", "the bridge says idle")
    feed.set("u201", telephony=FEED_IDLE | {"dnd": True})
    console.wait(lambda: half(console, "201").get("dnd") is True, "what the bridge does not know the feed says")
    host.offer("201", CALLER)
    console.wait(lambda: half(console, "201").get("line") == "ringing", "ringing")
    host.drop()
    console.wait(lambda: half(console, "201").get("line") == "idle", "the feed again, after hold")


# ---- doctor ---------------------------------------------------------------------------------


def test_doctor(start, hosts):
    daemon, console = begin(start, LINES, sources=[bridge(password=TOKEN)])
    status, hops = doctor(daemon)
    assert status == 1 and "no host" in hops["host"]

    host = hosts(at(daemon), token=TOKEN, lines=LINES)
    agree(console, host)
    status, hops = doctor(daemon)
    assert status == 0 and not any(hops.values()), hops

    with Hand(at(daemon), hello=False) as stranger:
        stranger.hello("wrong")
        assert stranger.last_words()[-1]["code"] == "badToken"
    status, hops = doctor(daemon)
    assert status == 0 and not any(hops.values()), hops  # the host itself has done nothing wrong

    host.bye()
    host.reconnect = False


def test_doctor_says_who_was_turned_away_and_what_was_refused(start):
    daemon, console = begin(start, ["201"], sources=[bridge(password=TOKEN)])
    with Hand(at(daemon), hello=False) as stranger:
        stranger.hello("wrong")
        stranger.last_words()
    status, hops = doctor(daemon)
    assert status == 1 and "token" in hops["host"] and TOKEN not in hops["host"]

    with Hand(at(daemon), TOKEN) as hand:
        hand.offer("201")
        status, hops = doctor(daemon)
        assert status == 1 and hops["resync"], hops
        hand.resync(["201"])
        wait_facts(console, "201", IDLE)
        hand.refused("lineDance")
        status, hops = doctor(daemon)
        assert "1 " in hops["messages"] and "type" in hops["messages"]
        assert details(console)["bad_messages"] == 1


# ---- the session of the page ----------------------------------------------------------------


def session():
    """("H" or "D", message) of the example."""
    text = example(read("man", "presenced-bridge.7"), "session").replace("\n    ", "")
    return [(line[0], json.loads(line[3:])) for line in text.splitlines()]


def test_the_session_of_the_page(start):
    token = session()[0][1]["token"]
    users = [{"id": "u201", "extension": "201"}, {"id": "u202", "extension": "202"}]
    daemon = start({"console": ADMIN, "verify": {"busy": "2s"}, "monitoring": {"linger": "1s"},
                    "rules": {"voicemail_pilots": ["8000"]}}, users=users,
                   sources=[bridge(password=token, keepalive="5s")])
    console, other = daemon.console(), daemon.console()
    console.subscribe(users=["u201"])
    other.subscribe(users=["u202"])
    seen = {}

    def after(seq):
        """What the page says below the session."""
        if seq == 6:
            wait_facts(console, "201", IDLE | {"forward": {"target": "8000"}})
            wait_facts(other, "202", {"line": "held", "forward": None,
                                      "calls": [{"state": "held", "direction": "in", "peer": "205"}]})
        elif seq == 8:
            wait_facts(console, "201", {"line": "busy", "dnd": False, "forward": {"target": "8000"}, "calls": [
                {"state": "connected", "direction": "in", "peer": CALLER, "name": "A. Caller"}]})
        elif seq == 10:
            console.wait(lambda: half(console, "201")["dnd"] is True, "do not disturb")
            assert half(console, "201")["forward"] is None
        elif seq == 11:
            wait_facts(other, "202", {"line": "offline", "forward": None, "calls": []})
        elif seq == 14:
            console.wait(lambda: half(console, "201")["calls"][0]["since"] == "2026-11-20T12:01:07.000Z", "since")
            other.call("presence.unsubscribe")
        elif seq == 16:
            wait_facts(console, "201", IDLE | {"dnd": True})
            daemon.process.terminate()

    with Hand(at(daemon), hello=False) as hand:
        for side, message in session():
            if side == "H":
                hand.send(json.dumps(message).encode() + b"\n")
                after(message["seq"])
                continue
            said = hand.take(message["type"])
            seen[message["type"]] = seen.get(message["type"], 0) + 1
            if said["type"] == "welcome":
                assert said.pop("pingInterval") == 2  # by keepalive; the page has 20
                assert said.pop("want").sort() == message["want"].sort()
            assert set(message) - {"pingInterval", "want"} == set(said)
            for member in ("version", "n", "id", "lines"):
                assert said.get(member) == message.get(member)
        assert hand.read() is None
    assert [message for message in hand.passed if message["type"] == "error"] == []
    assert seen == {"welcome": 2, "ping": 1, "resyncRequest": 1, "bye": 1}
    assert daemon.process.wait(30) == 0
