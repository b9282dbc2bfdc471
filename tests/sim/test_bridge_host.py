"""The simulated TAPI host itself, against a tiny daemon: what it says is complete, and what it watches is noticed.

SPDX-License-Identifier: MIT
"""

import importlib.util
import json
import pathlib
import random
import re
import socket
import ssl
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import bridge_lines  # noqa: E402
from bridge_host import ERROR_CODES, KINDS, REQUIRED, BridgeHost  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE, CLIENT = ROOT / "man" / "presenced-bridge.7", ROOT / "config" / "bridge_client.py"
TOKEN = "k3-test"
BUSY = {"line": "busy", "dnd": False, "forward": None}


class Follower:
    """What the messages of a host say, line by line, and whether their numbers are right."""

    def __init__(self):
        self.lines, self.resync, self.last, self.numbers, self.bad, self.counted = {}, None, 0, [], [], 0

    def take(self, message):
        self.numbers.append(message["seq"])
        if message["seq"] != self.last + 1:
            self.bad.append(f"seq {message['seq']} after {self.last}")
        self.last = message["seq"]
        kind, line = message["type"], self.lines.get(message.get("line"))
        if kind == "lineOpen":
            for offer in message["lines"]:
                self.lines[offer["line"]] = {"in": offer["inService"], "calls": {}, "entries": None, "on": None,
                                             "closed": None}
        elif kind == "resync":
            if message["phase"] == "end" and message["lines"] != self.counted:
                self.bad.append("a resync with a wrong count")
            self.resync = message["id"] if message["phase"] == "begin" else None
            self.counted = 0
        elif kind == "lineClose":
            self.lines.setdefault(message["line"], {}).update(closed=message["reason"], calls={})
        elif kind in ("lineState", "lineCallState", "lineForward", "lineDnd", "lineDevState"):
            if line is None or line["closed"]:
                self.bad.append(f"{kind} of a line that is not open")
            else:
                getattr(self, kind)(line, message)

    def lineState(self, line, message):
        self.counted += 1
        line.update({"calls": {call["call"]: call for call in message["calls"] or ()}, "in": message["inService"],
                     "entries": message["entries"], "on": message["on"]})

    def lineCallState(self, line, message):
        if message["state"] == "IDLE":
            line["calls"].pop(message["call"], None)
        else:
            old = {"mode": None, **line["calls"].get(message["call"], {})}
            line["calls"][message["call"]] = {**old, "mode": None, **message}

    def lineForward(self, line, message):
        line["entries"] = message["entries"]

    def lineDnd(self, line, message):
        line["on"] = message["on"]

    def lineDevState(self, line, message):
        if message["state"] in ("OUTOFSERVICE", "MAINTENANCE"):
            line.update({"in": False, "calls": {}})
        elif message["state"] == "INSERVICE":
            line["in"] = True

    def summary(self, name):
        line = self.lines[name]
        return [line["closed"], line["in"], sorted((call["call"], call["state"], call.get("mode"), call.get("peer"))
                                                   for call in line["calls"].values()), line["entries"], line["on"]]


class Daemon:
    """Accepts hosts one after the other, in a thread for each; takes what they say, and says what the test wants."""

    def __init__(self, path=None, certificate=None):
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        self.listener.listen()
        self.address = str(path) if path else self.listener.getsockname()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if certificate:
            self.context.load_cert_chain(*certificate)
        self.want, self.interval, self.greets, self.pongs, self.asks = "*", 20, True, True, []
        self.connections, self.changed = [], threading.Condition()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=Connection(self, sock).run, daemon=True).start()

    def end(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()

    def wait(self, condition, what):
        with self.changed:
            assert self.changed.wait_for(condition, 10), what

    @property
    def last(self):
        self.wait(lambda: self.connections, "a connection")
        return self.connections[-1]


class Connection:
    def __init__(self, daemon, sock):
        self.daemon, self.sock, self.messages, self.raw, self.broken = daemon, sock, [], [], []
        self.follower, self.ended = Follower(), False

    def run(self):
        if self.daemon.context:
            try:
                self.sock = self.daemon.context.wrap_socket(self.sock, server_side=True)
            except OSError:
                return
        with self.daemon.changed:
            self.daemon.connections.append(self)
            self.daemon.changed.notify_all()
        rest = b""
        try:
            while data := self.sock.recv(65536):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self.line(line)
        except OSError:
            pass
        with self.daemon.changed:
            self.rest, self.ended = rest, True
            self.daemon.changed.notify_all()

    def line(self, line):
        with self.daemon.changed:
            self.raw.append(line)
            try:
                message = json.loads(line)
            except ValueError:
                self.broken.append(line)
                self.daemon.changed.notify_all()
                return
            self.messages.append(message)
            if "seq" in message and not any(isinstance(message.get(m), int) for m in ("state", "mode")):
                self.follower.take(message)
            self.daemon.changed.notify_all()
        if message["type"] == "hello" and self.daemon.greets:
            if message.get("token") != TOKEN:
                self.refuse("badToken")
            elif message["version"] != 1:
                self.refuse("version")
            else:
                self.welcome()
        elif message["type"] == "ping" and self.daemon.pongs:
            self.say(type="pong", n=message["n"])

    def refuse(self, code):
        self.say(type="error", code=code, message="No.")
        self.close()

    def welcome(self, want=None):
        self.say(type="welcome", version=1, pingInterval=self.daemon.interval, want=want or self.daemon.want)

    def say(self, **message):
        self.send(json.dumps(message).encode() + b"\n")

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def of(self, kind):
        return [message for message in self.messages if message["type"] == kind]

    def wait(self, kind, count=1, what=None):
        self.daemon.wait(lambda: len(self.of(kind)) >= count, what or f"{count} {kind}")
        return self.of(kind)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    names = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=example.test", "-addext",
                    "subjectAltName=DNS:example.test,IP:127.0.0.1", "-out", names[0], "-keyout", names[1]],
                   check=True, capture_output=True)
    return names


@pytest.fixture
def daemon(tmp_path):
    server = Daemon(tmp_path / "bridge.sock")
    yield server
    server.end()


@pytest.fixture
def make(daemon):
    """A host that is connected and has said everything; ended at the end."""
    hosts = []

    def start(lines=("201", "202"), connected=True, **options):
        host = BridgeHost(options.pop("connect", daemon.address), token=options.pop("token", TOKEN), lines=lines,
                          **options).__enter__()
        hosts.append(host)
        if connected:
            host.wait(host.connected, "welcome")
            quiet(host)
        return host

    yield start
    for host in hosts:
        host.__exit__(None, None, None)


def quiet(host):
    """Everything that the host has said until now has arrived."""
    seen = host.counters["pongs"]
    host.ping()
    host.wait(lambda: host.counters["pongs"] > seen, "a pong")


# --- the beginning ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ("unix", "tcp", "tls"))
def test_hello_lines_and_full_resync(tmp_path, certificate, transport):
    server = Daemon(tmp_path / "b.sock" if transport == "unix" else None, certificate if transport == "tls" else None)
    with BridgeHost(server.address, certificate[0] if transport == "tls" else None, TOKEN,
                    {"201": {"title": "Alice"}, "202": {"can": ["forward"], "entries": None}}) as host:
        host.wait(host.connected, "welcome")
        connection = server.last
        connection.wait("resync", 2)

        assert [message["type"] for message in connection.messages[:6]] == \
            ["hello", "lineOpen", "resync", "lineState", "lineState", "resync"]
        assert [message["seq"] for message in connection.messages[:6]] == [1, 2, 3, 4, 5, 6]
        assert connection.messages[0]["token"] == TOKEN and connection.messages[0]["version"] == 1
        assert connection.messages[1]["lines"] == [
            {"line": "201", "inService": True, "can": ["forward", "dnd"], "name": "Alice"},
            {"line": "202", "inService": True, "can": ["forward"]}]
        assert connection.messages[4] == {"type": "lineState", "seq": 5, "line": "202", "inService": True, "calls": [],
                                          "entries": None, "on": None}
        assert connection.messages[5]["lines"] == 2
        assert connection.follower.bad == host.violations == host.errors == []
    server.end()


def test_a_certificate_of_somebody_else_is_not_believed(certificate):
    server = Daemon(certificate=certificate)
    with BridgeHost(server.address, ssl.create_default_context(), TOKEN) as host:
        host.wait(lambda: host.counters["refused"], "a refusal")
        assert not host.connected()
        assert "CERTIFICATE" in host.last_refusal.upper()
    server.end()


def test_want_lists_are_obeyed(make, daemon, monkeypatch):
    daemon.want = ["201", "209"]
    host = make(("201", "202", "203"))
    assert host.opened() == {"201"}
    assert [m["line"] for m in daemon.last.of("lineClose") if m["reason"] == "REMOVED"] == ["209"]

    host.offer("202", "205")
    monkeypatch.setattr("bridge_host.WELCOMES_APART", 0)
    daemon.last.welcome(["202", "203"])
    host.wait(lambda: host.opened() == {"202", "203"}, "other lines")
    quiet(host)

    assert [m["reason"] for m in daemon.last.of("lineClose")] == ["REMOVED", "unwanted"]
    assert [m["line"] for m in daemon.last.of("lineState")] == ["201", "202", "203"]
    assert daemon.last.of("lineState")[1]["calls"][0]["peer"] == "205"
    assert len(daemon.last.of("resync")) == 2 and daemon.last.follower.bad == []
    assert host.opened("202") and not host.opened("201", "202")
    assert host.violations == []


def test_a_resync_request_is_answered_from_the_model(make, daemon):
    host = make()
    call = host.dial("202", "8000")
    daemon.last.say(type="resyncRequest", id=77, lines=["202"], reason="verify")
    daemon.last.wait("resync", 4)

    assert daemon.last.messages[-2]["calls"][0]["state"] == "PROCEEDING"
    assert daemon.last.messages[-2]["calls"][0]["call"] == call
    assert [(m["phase"], m["id"], m.get("lines")) for m in daemon.last.of("resync")[2:]] == [("begin", 77, None),
                                                                                         ("end", 77, 1)]
    assert host.violations == []


def test_ping_both_ways(make, daemon):
    daemon.interval = 0.2
    host = make()
    daemon.last.say(type="ping", n=5)

    assert daemon.last.wait("pong")[0]["n"] == 5
    daemon.last.wait("ping", 2, "pings by itself")
    assert host.violations == []


def test_it_reconnects_and_says_all_again(make, daemon):
    host = make()
    host.offer("201", "205")
    host.drop(reset=True)
    daemon.wait(lambda: len(daemon.connections) == 2, "another connection")
    daemon.last.wait("resync", 2)

    assert daemon.last.messages[0]["seq"] == 1
    assert daemon.last.of("lineState")[0]["calls"][0]["state"] == "OFFERING"
    assert host.closed[0]["by"] == "host"
    host.bye()
    daemon.wait(lambda: daemon.connections[1].of("bye"), "bye")


# --- the model --------------------------------------------------------------------------------------------------------


def test_a_call_comes_in(make, daemon):
    host = make()
    call = host.offer("201", "+442070846845", "A. Caller")
    assert host.truth("201") == {"line": "ringing", "dnd": False, "forward": None, "calls": [
        {"state": "ringing", "direction": "in", "peer": "+442070846845", "name": "A. Caller"}]}
    host.accept(call)
    assert host.truth("201")["line"] == "ringing"
    host.answer(call)
    assert {**host.truth("201"), "calls": 0} == {**BUSY, "calls": 0}
    host.hold(call)
    assert (host.truth("201")["line"], host.truth("201")["calls"][0]["state"]) == ("held", "held")
    host.retrieve(call)
    host.far_hold(call)
    assert (host.truth("201")["line"], host.truth("201")["calls"][0]["state"]) == ("busy", "connected")
    host.disconnect(call)
    assert host.truth("201") == {"line": "idle", "dnd": False, "forward": None, "calls": []}
    assert host.calls("201") == [call]
    host.idle(call)
    assert host.calls("201") == []

    quiet(host)
    states = [message["state"] for message in daemon.last.of("lineCallState")]
    assert states == ["OFFERING", "ACCEPTED", "CONNECTED", "ONHOLD", "CONNECTED", "CONNECTED", "DISCONNECTED", "IDLE"]
    assert daemon.last.follower.bad == []


def test_a_call_goes_out(make):
    host = make()
    call = host.dial("201", "8000", upto="DIALTONE")
    assert host.truth("201") == {**BUSY, "calls": [{"state": "dialing", "direction": "out", "peer": "8000"}]}
    for step in (host.ringback, host.busy_tone):
        step(call)
        assert host.truth("201")["calls"][0]["state"] == "dialing"
    host.answer(call)
    assert host.truth("201")["calls"][0]["state"] == "connected"


def test_folding_of_several_calls(make):
    host = make()
    held = host.offer("201", "1")
    host.hold(held)
    ringing = host.offer("201", "2")
    assert host.truth("201")["line"] == "ringing"
    out = host.dial("201", "3")
    assert host.truth("201")["line"] == "busy" and len(host.truth("201")["calls"]) == 3
    host.idle(out)
    host.idle(ringing)
    assert host.truth("201")["line"] == "held"


def test_calls_that_are_elsewhere_or_not_known(make):
    host = make()
    call = host.offer("201", "1", mode="INACTIVE")
    assert host.truth("201")["line"] == "idle"
    for mode in ("INACTIVE", "INACTIVEHELD"):
        host.answer(call, mode)
        assert host.truth("201") == {"line": "idle", "dnd": False, "forward": None, "calls": []}
    host.lose(call)
    assert host.truth("201") == {"dnd": False, "forward": None}
    host.hold(host.offer("201", "2"))
    assert host.truth("201")["line"] == "held"


def test_transfer_and_conference(make):
    host = make()
    first = host.offer("201", "1")
    host.answer(first)
    second = host.consult(first, "209")
    assert {call["state"] for call in host.truth("201")["calls"]} == {"held", "dialing"}
    host.answer(second)
    host.transfer(first, second)
    assert host.truth("201")["line"] == "idle"

    first = host.offer("201", "1")
    host.answer(first)
    second = host.consult(first, "209", "CONF")
    third = host.conference(first, second)
    assert host.truth("201")["calls"] == [{"state": "connected"}]
    host.hold(third)
    assert host.truth("201")["line"] == "held"
    host.idle(third)
    assert len(host.truth("201")["calls"]) == 2 and host.truth("201")["line"] == "busy"


def test_three_ways_of_dnd(make, daemon):
    host = make()
    host.dnd("201", True, "a")
    assert host.truth("201")["dnd"] is True and host.truth("201")["forward"] is None
    host.dnd("201", False, "c")
    assert host.truth("201")["dnd"] is True, "off does not silence way a"
    host.dnd("201", False, "a")
    for on, way, expected in (("FLASH", "b", True), ("OFF", "b", False), (1, "c", True), (2, "c", False),
                              (0, "c", False)):
        host.dnd("201", on, way)
        assert host.truth("201")["dnd"] is expected
    host.forward_list("201", None)
    assert "dnd" not in host.truth("201") and "forward" not in host.truth("201")
    quiet(host)
    assert daemon.last.of("lineForward")[0]["entries"] == [{"mode": "UNCOND", "dest": ""}]
    assert [message["on"] for message in daemon.last.of("lineDnd")] == [False, True, False, True, False, None]


def test_what_a_line_cannot_say_is_unknown(make):
    host = make({"201": {"can": []}, "202": {"can": ["forward"]}})
    assert host.truth("201") == {"line": "idle", "calls": []}
    assert host.truth("202") == {"line": "idle", "calls": [], "forward": None}
    host.dnd("201", False, "b")
    assert "dnd" not in host.truth("201")
    host.dnd("201", True, "b")
    host.forward("201", "8000")
    assert host.truth("201") == {"line": "idle", "calls": [], "dnd": True, "forward": {"target": "8000"}}


def external(dest):
    return {"mode": "UNCONDEXTERNAL", "dest": dest}


def test_forwards(make):
    host = make()
    for entries, forward, dnd in (
            ([], None, False), ([{"mode": "UNCOND", "dest": "8000"}], {"target": "8000"}, False),
            ([{"mode": "UNCOND"}], {}, False), ([{"mode": "BUSY", "dest": "8000"}], None, False),
            ([{"mode": "UNCONDINTERNAL", "dest": "1"}], None, False),
            ([external("2"), {"mode": "UNCONDINTERNAL", "dest": "1"}], {"target": "2"}, False),
            ([{"mode": "UNCONDINTERNAL", "dest": ""}, external("")], None, True),
            ([{"mode": "UNCOND", "dest": ""}, {"mode": "UNCOND", "dest": "8"}], {"target": "8"}, True)):
        host.forward_list("201", entries)
        assert host.truth("201") == {"line": "idle", "dnd": dnd, "forward": forward, "calls": []}, entries
    host.forward_list("201", [{"mode": "UNAVAIL"}])
    assert host.truth("201") == {"line": "idle", "calls": []}


def test_out_of_service_close_and_reopen(make, daemon):
    host = make()
    host.offer("201", "1")
    host.out_of_service("201")
    assert host.truth("201") == {"line": "offline", "dnd": False, "forward": None, "calls": []}
    host.in_service("201")
    assert host.truth("201")["line"] == "idle"
    host.close_line("201")
    assert (host.truth("201"), host.status("201")) == ({"line": "offline", "calls": []}, "ok")
    host.offer("201", "3")
    host.reopen("201")
    assert host.truth("201")["line"] == "ringing"
    host.close_line("202", "REMOVED")
    assert (host.truth("202"), host.status("202")) == (None, "not_found")
    host.reopen("209")
    host.fail_line("209", "accessDenied")
    assert (host.truth("209"), host.status("209")) == (None, "access_denied")
    quiet(host)
    assert host.opened() == {"201"}
    assert daemon.last.of("error")[0]["line"] == "209"
    assert daemon.last.follower.bad == []


def test_reinit(make, daemon):
    host = make()
    host.offer("201", "1")
    host.reinit()
    quiet(host)
    assert [message["reason"] for message in daemon.last.of("lineClose")] == ["REINIT", "REINIT"]
    assert daemon.last.messages[-2]["phase"] == "end" and host.opened() == {"201", "202"}
    assert daemon.last.follower.bad == []


@pytest.mark.parametrize("seed", range(6))
def test_messages_tell_the_whole_truth(make, daemon, seed):
    """Who only listens and who asks once at the end know the same."""
    host, rng = make(("201", "202", "203")), random.Random(seed)
    done = [host.random_step(rng) for _ in range(300)]
    quiet(host)
    listened = {line: daemon.last.follower.summary(line) for line in host.lines}
    events = [message["type"] for message in daemon.last.messages]
    assert {"lineCallState", "lineForward", "lineDnd", "lineDevState", "lineClose"} <= set(events), done
    assert daemon.last.follower.bad == [] == host.violations
    host.misbehave("mixed_resync")
    host.resync()
    quiet(host)
    assert {line: daemon.last.follower.summary(line) for line in host.lines} == listened
    assert [listened[line][0] for line in host.lines] == [line.closed for line in host.lines.values()]


def test_events_agree_with_a_snapshot_at_every_step(make, daemon):
    host, rng = make(("201",)), random.Random(7)
    for _ in range(60):
        step = host.random_step(rng)
        quiet(host)
        before = daemon.last.follower.summary("201")
        host.resync()
        quiet(host)
        assert daemon.last.follower.summary("201") == before, step


def test_agrees_with_a_published_half(make):
    host = make()
    host.forward("201", "8000")
    call = host.offer("201", "1")
    half = {"status": "ok", "mode": "forwarded_to_phone", "line": "ringing", "dnd": False, "technology": "tapi",
            "forward": {"kind": "phone", "target": "8000"},
            "calls": [{"state": "ringing", "direction": "in", "peer": "1", "since": "2026-11-20T12:00:00.000Z"}]}
    assert host.agrees("201", half)
    host.answer(call)
    assert not host.agrees("201", half)
    assert not host.agrees("202", half)
    host.close_line("202", "REMOVED")
    assert host.agrees("202", {"status": "not_found"})


# --- misbehaviour -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, numbers", [("skip", [8, 9]), ("lost", [8]), ("duplicate", [7, 7, 8]),
                                           ("step_back", [4, 5])])
def test_wrong_numbers(make, daemon, kind, numbers):
    host = make(("201",), connected=False)
    host.wait(host.connected, "welcome")
    quiet(host)
    start = daemon.last.follower.last
    host.misbehave(kind)
    host.dnd("201", True, "b")
    host.dnd("201", False, "b")
    quiet(host)

    assert [m["seq"] - start + 6 for m in daemon.last.of("lineDnd")] == numbers
    assert daemon.last.follower.bad
    assert host.violations == []


def test_a_resync_that_is_wrong(make, daemon):
    host = make()
    host.misbehave("resync_wrong_count")
    host.resync()
    host.misbehave("resync_without_end")
    host.resync()
    quiet(host)
    assert daemon.last.follower.bad == ["a resync with a wrong count"]
    assert [m["phase"] for m in daemon.last.of("resync")] == ["begin", "end", "begin", "end", "begin"]


@pytest.mark.parametrize("kind, code", [("wrong_token", "badToken"), ("no_token", "badToken"),
                                        ("wrong_version", "version")])
def test_a_hello_that_is_wrong(make, daemon, kind, code):
    host = make(connected=False)
    host.wait(host.connected, "welcome")
    host.misbehave(kind)
    host.drop()
    host.wait(lambda: len(host.closed) == 2, "a refusal")
    assert host.closed[1]["errors"] == [code] and host.closed[1]["by"] == "daemon"
    host.wait(host.connected, "the next one is right")
    assert host.violations == []


def test_no_hello_and_something_before_it(make, daemon):
    host = make()
    host.misbehave("no_hello")
    host.drop()
    daemon.wait(lambda: len(daemon.connections) == 2, "a connection")
    daemon.connections[1].refuse("syntax")
    host.misbehave("early")
    host.wait(lambda: len(host.closed) == 2, "closed")
    daemon.wait(lambda: len(daemon.connections) == 3 and len(daemon.connections[2].messages) >= 2, "something early")
    assert daemon.connections[1].messages == []
    assert [m["type"] for m in daemon.connections[2].messages[:2]] == ["lineDnd", "hello"]
    host.wait(lambda: host.violations, "this daemon believes it")
    assert host.violations == ["welcome without a good hello"]


def test_lines_that_are_wrong(make, daemon):
    host = make()
    for kind in ("garbage", "long_line", "unknown_type", "unknown_line", "unknown_member", "hello_twice", "empty_lines",
                 "no_seq"):
        host.misbehave(kind)
    quiet(host)
    assert daemon.last.broken == [b'{"type":"lineDnd","seq":', b"", b"\r"]
    assert max(len(line) for line in daemon.last.raw) > 65536
    types = [message["type"] for message in daemon.last.messages]
    assert {"lineDance", "lineDnd"} <= set(types) and types.count("hello") == 2
    assert daemon.last.of("lineDnd")[0]["line"] not in host.lines

    connection = daemon.last
    host.misbehave("half_line")
    daemon.wait(lambda: connection.ended, "the end")
    assert connection.rest.startswith(b'{"type":"lineDnd"')


def test_raw_integers_and_line_ends(make, daemon):
    host = make()
    host.misbehave("raw_integers", times=None)
    host.misbehave("crlf", times=None)
    call = host.offer("201", "1", reason="DIRECT")
    host.answer(call, "ACTIVEHELD")
    host.forward("201", "8000", "NOANSWEXTERNAL")
    host.out_of_service("201")
    quiet(host)
    offering, connected = daemon.last.of("lineCallState")
    assert (offering["state"] & 0xFFFFFF, offering["mode"], offering["origin"], offering["reason"]) == (2, 1, 4, 1)
    assert (connected["state"] & 0xFFFFFF, connected["mode"]) == (0x100, 4)
    assert daemon.last.of("lineForward")[0]["entries"] == [{"mode": 0x400, "dest": "8000"}]
    assert daemon.last.of("lineDevState")[0]["state"] == 0x80
    assert all(line.endswith(b"\r") for line in daemon.last.raw[-4:])
    host.behave()
    host.in_service("201")
    quiet(host)
    assert daemon.last.of("lineDevState")[1]["state"] == "INSERVICE" and not daemon.last.raw[-1].endswith(b"\r")


def test_silence(make, daemon):
    host = make()
    host.misbehave("silence")
    count = len(daemon.last.raw)
    host.offer("201", "1")
    daemon.last.say(type="ping", n=1)
    host.wait(lambda: host.received[-1]["type"] == "ping", "the ping")
    host.behave("silence")
    host.misbehave("no_pong", times=None)
    daemon.last.say(type="ping", n=2)
    host.wait(lambda: host.received[-1].get("n") == 2, "the ping")
    assert len(daemon.last.raw) == count
    host.behave()
    host.freeze()
    daemon.last.say(type="ping", n=3)
    host.thaw()
    assert daemon.last.wait("pong")[0]["n"] == 3


def test_second_connection(make, daemon):
    host = make()
    first = daemon.last
    host.misbehave("second_connection")
    daemon.wait(lambda: len(daemon.connections) == 2, "another connection")
    first.refuse("replaced")
    host.wait(lambda: host.closed, "the first ends")
    host.wait(host.connected, "welcome")
    host.offer("201", "1")
    quiet(host)
    assert host.closed[0]["errors"] == ["replaced"] and host.connected()
    assert daemon.connections[0].messages[0]["instance"] != daemon.connections[1].messages[0]["instance"]
    assert len(daemon.last.of("lineCallState")) == 1 and first.of("lineCallState") == []
    assert host.violations == []


def test_every_kind_of_misbehaviour_is_tried_here():
    text = pathlib.Path(__file__).read_text(encoding="utf-8")
    for kind in KINDS:
        assert re.search(rf'"{kind}"', text), kind


def test_a_line_that_the_daemon_does_not_know_is_opened_again(make, daemon):
    host = make()
    daemon.last.say(type="error", code="unknownLine", message="It is not open.", line="202", seq=9)
    daemon.last.say(type="error", code="unknownLine", message="It is not open.", line="999", seq=9)
    assert [offer["line"] for offer in daemon.last.wait("lineOpen", 2)[1]["lines"]] == ["202"]
    assert daemon.last.wait("lineState", 3)[2]["line"] == "202"
    quiet(host)
    assert len(daemon.last.of("lineOpen")) == 2 and daemon.last.follower.bad == []
    host.say("lineState", line="201", inService=True, calls=None, entries=None, on=None)
    assert daemon.last.wait("lineState", 4)[3]["calls"] is None


# --- what the daemon does wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("line, complaint", [
    (b"{", "not JSON"), (b"\xff{}", "not JSON"), (b"[]", "unknown type"), (b'{"type":"dance"}', "unknown type"),
    (b'{"type":"ping"}', "n is missing"), (b'{"type":"ping","n":true}', "n is missing"),
    (b'{"type":"ping","n":1,"n":2}', "a member twice"), (b'{"type":"ping","n":1}\r', "CR before LF"),
    (b'{"type":"pong","n":999}', "pong without ping"),
    (b'{"type":"error","code":"strange","message":"x"}', "unknown error code"),
    (b'{"type":"error","code":"unknownLine","message":"x"}', "without the line"),
    (b'{"type":"resyncRequest","id":1}', "reason is missing"),
    (b'{"type":"resyncRequest","id":1,"reason":"gap","lines":["999"]}', "not offered"),
    (b'{"type":"resyncRequest","id":1,"reason":"gap","lines":"201"}', "no list"),
    (b'{"type":"welcome","version":1,"pingInterval":20,"want":["201","201"]}', "neither"),
    (b'{"type":"welcome","version":1,"pingInterval":0,"want":"*"}', "wrong values"),
    (b'{"type":"error","code":"replaced","message":"x"}\n{"type":"ping","n":1}', "after the last word"),
    (b'{"type":"ping","n":1,"pad":"' + b"x" * 65536 + b'"}', "more than 64 KiB"),
])
def test_violations(make, daemon, line, complaint):
    host = make()
    daemon.last.send(line + b"\n")
    host.wait(lambda: any(complaint in sentence for sentence in host.violations), complaint)


def test_an_id_twice_and_welcomes_too_close(make, daemon):
    host = make()
    daemon.last.say(type="resyncRequest", id=1, reason="gap")
    daemon.last.say(type="resyncRequest", id=1, reason="gap")
    daemon.last.welcome()
    daemon.last.welcome()
    host.wait(lambda: len(host.violations) >= 2, "violations")
    assert any("used before" in sentence for sentence in host.violations)
    assert any("two welcomes" in sentence for sentence in host.violations)


def test_something_before_welcome_and_half_a_line(make, daemon):
    daemon.greets = False
    host = make(connected=False, reconnect=True)
    daemon.last.wait("hello")
    daemon.last.say(type="ping", n=1)
    daemon.last.send(b'{"type":')
    daemon.last.close()
    host.wait(lambda: len(host.violations) == 2, "violations")
    assert "before welcome" in host.violations[0] and "within a line" in host.violations[1]


def test_no_welcome(make, daemon, monkeypatch):
    monkeypatch.setattr("bridge_host.WELCOME_SECONDS", 0.2)
    daemon.greets = False
    host = make(connected=False)
    host.wait(lambda: host.violations, "a violation")
    assert host.violations[0] == "no welcome within 5 s"


def test_a_silent_daemon(make, daemon):
    daemon.interval = 0.1
    host = make(connected=False)
    host.wait(host.connected, "welcome")
    daemon.pongs = False
    host.wait(lambda: host.closed, "the host gives up")
    assert host.closed[0]["by"] == "host" and "was silent" in host.violations[0]


def test_bye_and_close_of_the_daemon(make, daemon):
    host = make(reconnect=False)
    daemon.last.say(type="bye", reason="presenced is stopping")
    host.wait(lambda: host.counters["byes"], "bye")
    host.wait(lambda: host.closed, "closed")
    assert host.violations == [] and not host.connected()


# --- the client that is an example ------------------------------------------------------------------------------------


class Example:
    """config/bridge_client.py in a thread."""

    def __init__(self, address, **options):
        spec = importlib.util.spec_from_file_location("bridge_client", CLIENT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.bridge = module.Bridge(address, options.pop("token", TOKEN), **options)
        self.thread = threading.Thread(target=self.bridge.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self.bridge

    def __exit__(self, *_):
        self.bridge.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()


def opened(*lines):
    return {"type": "lineOpen", "lines": [{"line": line, "inService": True, "can": ["dnd"]} for line in lines]}


@pytest.mark.parametrize("transport", ("unix", "tcp", "tls"))
def test_the_example_opens_lines_and_tells_changes(tmp_path, certificate, transport):
    server = Daemon(tmp_path / "b.sock" if transport == "unix" else None, certificate if transport == "tls" else None)
    example = Example(server.address, ca_file=certificate[0] if transport == "tls" else None)
    example.bridge.push(opened("201", "202"))
    example.bridge.push({"type": "lineDnd", "line": "202", "on": True})
    with example as bridge:
        server.last.wait("resync", 2)
        assert [m["on"] for m in server.last.of("lineState") if m["line"] == "202"] == [True]
        bridge.push({"type": "lineCallState", "line": "201", "call": "c1", "state": "OFFERING", "peer": "205"})
        bridge.push({"type": "lineCallState", "line": "201", "call": "c1", "state": "CONNECTED"})
        server.last.wait("lineCallState", 2)
        server.last.say(type="ping", n=8)
        server.last.say(type="resyncRequest", id=1000001, lines=["201"], reason="verify")
        server.last.wait("resync", 4)
        state = server.last.of("lineState")[-1]
        assert state["calls"] == [{"call": "c1", "state": "CONNECTED", "peer": "205"}]
        server.last.say(type="error", code="unknownLine", message="It is not open.", line="201")
        server.last.wait("lineOpen", 2)
        bridge.push({"type": "lineCallState", "line": "201", "call": "c1", "state": "IDLE"})
        bridge.push({"type": "lineClose", "line": "202", "reason": "CLOSE"})
        server.last.wait("lineClose")
        bridge.push(opened("202", "203"))
        server.last.wait("lineOpen", 3)
    server.last.wait("bye")
    assert server.last.of("pong")[0]["n"] == 8
    assert server.last.follower.bad == []
    server.end()


def test_the_example_obeys_want_and_reconnects(daemon, monkeypatch):
    daemon.want = ["201", "209"]
    monkeypatch.setattr("random.uniform", lambda *_: 0.01)
    example = Example(daemon.address)
    example.bridge.push(opened("201", "202"))
    with example as bridge:
        daemon.last.wait("resync", 2)
        bridge.push({"type": "lineDnd", "line": "202", "on": True})
        bridge.push({"type": "lineDnd", "line": "201", "on": True})
        assert [m["line"] for m in daemon.last.wait("lineDnd")] == ["201"]
        daemon.last.welcome(["202"])
        daemon.last.wait("lineOpen", 2)
        assert [(m["line"], m["reason"]) for m in daemon.last.of("lineClose")] == [("209", "REMOVED"),
                                                                                  ("201", "unwanted")]
        assert [m["line"] for m in daemon.last.wait("lineState", 2)] == ["201", "202"]
        assert daemon.last.of("lineState")[1]["on"] is True
        daemon.last.close()
        daemon.wait(lambda: len(daemon.connections) == 2, "another connection")
        daemon.last.wait("resync", 2)
        assert daemon.last.messages[0]["seq"] == 1
        daemon.last.say(type="bye", reason="presenced is stopping")
        daemon.wait(lambda: len(daemon.connections) == 3, "another connection")
        daemon.last.wait("resync", 2)
        assert daemon.last.follower.bad == []


def test_the_example_is_the_same_as_the_host(make, daemon):
    """What a host says, given to the example, arrives as it was said."""
    host, rng = make(("201",)), random.Random(3)
    for _ in range(100):
        host.random_step(rng)
    quiet(host)
    first = daemon.last
    host.reconnect = False
    host.drop()
    told = [{k: v for k, v in m.items() if k != "seq"} for m in first.messages if m["type"].startswith("line")]
    with Example(daemon.address) as bridge:
        daemon.wait(lambda: len(daemon.connections) == 2 and len(daemon.last.of("resync")) == 2, "the example")
        for message in told:
            bridge.push(message)
    daemon.last.wait("bye")
    assert daemon.last.follower.summary("201") == first.follower.summary("201")
    assert daemon.last.follower.bad == []


def test_the_example_as_a_program(daemon, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    lines = [opened("201"), {"type": "lineDnd", "line": "201", "on": True}]
    done = subprocess.run([sys.executable, CLIENT, daemon.address, "--token-file", tmp_path / "token", "-v"], text=True,
                          input="".join(json.dumps(line) + "\n" for line in lines) + "nonsense\n", capture_output=True,
                          timeout=20)
    assert done.returncode == 0 and "wanted: *" in done.stderr and "not JSON" in done.stderr
    daemon.last.wait("bye")
    assert daemon.last.follower.summary("201") == [None, True, [], None, True]
    shown = subprocess.run([sys.executable, CLIENT, "--help"], text=True, capture_output=True, timeout=20).stdout
    assert "lineCallState" in shown and "--token-file" in shown
    assert len(CLIENT.read_text(encoding="utf-8").splitlines()) <= 300


# --- the manual -------------------------------------------------------------------------------------------------------


def session():
    """(who, message) of the example in the manual."""
    text = re.search(r'^\.\\" BEGIN EXAMPLE session\n\.Bd [^\n]*\n(.*?)\.Ed\n\.\\" END EXAMPLE',
                     PAGE.read_text(encoding="utf-8"), re.M | re.S)[1]
    assert "\\" not in text
    return [(line[0], json.loads(line[3:])) for line in re.sub(r"\n    ", "", text).splitlines()]


def test_the_session_of_the_manual_is_right(make, daemon):
    follower = Follower()
    for who, message in session():
        if who == "H":
            follower.take(message)
    assert follower.bad == []
    assert follower.summary("201") == [None, True, [], [{"mode": "UNCOND", "dest": ""}], False]
    assert follower.summary("202") == ["unwanted", False, [], [], None]

    host = make()
    for who, message in session():
        if who == "D":
            assert message["type"] != "pong"
            daemon.last.say(**message)
    host.wait(lambda: host.counters["byes"], "bye")
    assert [sentence for sentence in host.violations if "two welcomes" not in sentence] == []


def test_what_a_line_is_after_each_part_of_the_session(make):
    """The sentences below the example."""
    host = make({"201": {"entries": [{"mode": "UNCOND", "dest": "8000"}], "on": False}, "202": {"can": ["forward"]}})
    host.hold(host.offer("202", "205", origin="INTERNAL"))
    assert host.truth("201") == {"line": "idle", "dnd": False, "forward": {"target": "8000"}, "calls": []}
    assert host.truth("202")["line"] == "held" and "dnd" not in host.truth("202")
    host.forward("201", "")
    assert host.truth("201")["dnd"] is True
    host.out_of_service("202")
    assert host.truth("202") == {"line": "offline", "calls": [], "forward": None}


def test_the_tables_of_the_manual():
    page, tables = PAGE.read_text(encoding="utf-8"), {}
    for title, text in re.findall(r"^\.Ss ([^\n]*)\n(.*?)(?=^\.S[sh] )", page.split(".Sh NAMES AND NUMBERS")[1],
                                  re.M | re.S):
        tables[title] = {name: int(number, 16) for name, number in
                         re.findall(r"^\.It Cm ([A-Z]+) Ta (0x[0-9a-f]+) Ta", text, re.M)}
    assert {title: table for title, table in tables.items() if table} == {
        "Call states": bridge_lines.CALL_STATES, "Modes of CONNECTED": bridge_lines.CONNECTED_MODES,
        "Modes of OFFERING": bridge_lines.OFFERING_MODES, "Call origins": bridge_lines.ORIGINS,
        "Call reasons": bridge_lines.REASONS, "Forward modes": bridge_lines.FORWARD_MODES,
        "Device states": bridge_lines.DEVICE_STATES}
    for mode, on in bridge_lines.LAMP_MODES.items():
        assert f"\n.Dv {mode}\n" in page, (mode, on)


def test_the_messages_of_the_manual():
    page = PAGE.read_text(encoding="utf-8")
    ours, theirs = (re.search(rf"^\.Sh {title}\n(.*?)^\.Sh ", page, re.M | re.S)[1]
                    for title in ("MESSAGES OF THE HOST", "MESSAGES OF PRESENCED"))
    described = {name: re.findall(r"^\.It Va (\w+)", text, re.M)
                 for name, text in re.findall(r"^\.Ss (\w+)[^\n]*\n(.*?)(?=^\.Ss |\Z)", ours + theirs, re.M | re.S)}
    described["pong"] = described["ping"]
    assert set(described) == {*REQUIRED, "hello", "lineOpen", "lineClose", "lineCallState", "lineForward", "lineDnd",
                              "lineDevState", "lineState", "resync"}
    for kind, members in REQUIRED.items():
        assert set(members) <= set(described[kind]), kind
    for _, message in session():
        assert set(message) - {"type", "seq"} <= set(described[message["type"]]), message
    codes = re.search(r"^\.Sh ERROR CODES\n(.*?)^\.Sh ", page, re.M | re.S)[1]
    assert set(re.findall(r"^\.It Ql (\w+)", codes, re.M)) == ERROR_CODES


# --- the end ----------------------------------------------------------------------------------------------------------


def test_threads_end(daemon):
    before = threading.active_count()
    with BridgeHost(daemon.address, token=TOKEN, lines=("201",)) as host:
        host.wait(host.connected, "welcome")
    assert "bridge-host" not in {thread.name for thread in threading.enumerate()}
    assert threading.active_count() <= before + 1
