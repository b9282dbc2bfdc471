"""A daemon with bridges, and hosts with TAPI that connect to them: simulated ones, and one that is played by hand.

    BridgeHost or Hand  --lines-->  Daemon  --presence-->  Console

SPDX-License-Identifier: MIT
"""

import json
import pathlib
import socket
import ssl
import subprocess
import sys
import time

import pytest

from presenced import BUILD, DEADLINE, Closed, Console, Deadline, until

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "peers"), str(TESTS / "sim")]

from bridge_host import BridgeHost  # noqa: E402
from kamailio import hold_port  # noqa: E402

ADMIN = [{"socket": "presenced.sock", "mode": "0666", "permissions": ["read", "calls", "notes", "admin"]}]
TOKEN = "k3-9c0f5e7a21"
LONGEST = 65536
FACTS = ("line", "dnd", "forward", "calls")
NOTHING = {"calls": [], "entries": [], "on": None}  # of a lineState
OPEN = {"inService": True, "can": ["forward", "dnd"]}
IDLE = {"line": "idle", "dnd": False, "forward": None, "calls": []}


@pytest.fixture
def hosts():
    """hosts(connect, ..) gives a BridgeHost that runs, and has seen nothing wrong when the test ends; or, with the kind
    of a fault, one that misbehaves from the beginning."""
    made, watched = [], []

    def run(*arguments, strict=True, fault=None, **options):
        host = BridgeHost(*arguments, **options)
        if fault:
            host.misbehave(fault)
        made.append(host.__enter__())
        if strict and not fault:
            watched.append(host)
        return host

    yield run
    for host in made:
        host.__exit__(None, None, None)
    for host in watched:
        assert (host.violations, host.errors) == ([], [])


@pytest.fixture
def free_port():
    """A port of 127.0.0.1 where nobody listens, unless the test has somebody listen there. It is nobody else's."""
    with hold_port() as held:
        yield held.getsockname()[1]


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Folder with ca.pem, and bridge.pem of it for bridge.test (certificate and key)."""
    folder = tmp_path_factory.mktemp("authority")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]

    def openssl(*words):
        subprocess.run(["openssl", "req", *new, *words], check=True, capture_output=True, cwd=folder)

    openssl("-x509", "-subj", "/CN=authority.test", "-out", "ca.pem", "-keyout", "ca.key")
    openssl("-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=bridge.test", "-addext",
            "subjectAltName=DNS:bridge.test", "-addext", "basicConstraints=critical,CA:FALSE",
            "-out", "cert.pem", "-keyout", "key.pem")
    (folder / "bridge.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return folder


# ---- the daemon -----------------------------------------------------------------------------


def bridge(name="switch", /, **options):
    return {"name": name, "type": "tapi", "protocol": "bridge", "socket": f"{name}.bridge", "mode": "0666"} | options


def bridge_at(port, name="switch", /, **options):
    """Over TCP, with a token."""
    return {"name": name, "type": "tapi", "protocol": "bridge", "listen": f"127.0.0.1:{port}",
            "password": TOKEN} | options


def owner(line):
    return f"u{line}"


def users_of(lines):
    return [{"id": owner(line), "extension": line} for line in lines]


def begin(start, lines, config=None, /, sources=None, users=None, **options):
    """A daemon with one bridge (the options are its own), and a console that wants to know of all these lines."""
    daemon = start({"console": ADMIN} | (config or {}), users=users_of(lines) if users is None else users,
                   sources=[bridge(**options)] if sources is None else sources)
    console = daemon.console()
    console.subscribe(users=[owner(line) for line in lines])
    return daemon, console


def at(daemon, name="switch"):
    return str(daemon.folder / f"{name}.bridge")


def half(console, line):
    return console.table.get(owner(line), {}).get("telephony", {})


def facts(found):
    """What a half says, without times, and what the rules make of it."""
    found = {name: found[name] for name in FACTS if name in found}
    if found.get("forward"):
        found["forward"] = {name: value for name, value in found["forward"].items() if name == "target"}
    if "calls" in found:
        found["calls"] = [{name: value for name, value in call.items() if name != "since"} for call in found["calls"]]
    return found


def wait_status(console, line, status, deadline=DEADLINE):
    console.wait(lambda: half(console, line).get("status") == status, f"{line} {status}", deadline)
    return half(console, line)


def wait_facts(console, line, expected, deadline=DEADLINE):
    """The line is known, and says exactly this."""
    console.wait(lambda: half(console, line).get("status") == "ok" and facts(half(console, line)) == expected,
                 f"{line} {expected}", deadline)
    return half(console, line)


def disagreeing(console, host, lines=None):
    return [line for line in lines or host.lines if not host.agrees(line, half(console, line))]


def agree(console, host, lines=None, what="what is published is what is true"):
    left = []

    def agreed():
        """Only the first that disagrees is looked at again each time; at the end all are."""
        if not left:
            left.extend(disagreeing(console, host, lines))
        while left and host.agrees(left[0], half(console, left[0])):
            left.pop(0)
        return not left and not disagreeing(console, host, lines)

    try:
        console.wait(agreed, what)
    except Deadline:
        wrong = [(line, host.status(line), host.truth(line), half(console, line)) for line in
                 disagreeing(console, host, lines)[:5]]
        raise Deadline(f"not {what}: line, status, truth, published: {wrong}") from None


def statuses_seen(console, line):
    """Of all that the console was told of this line so far."""
    console.barrier()
    return [message["params"]["telephony"]["status"] for message in console.notifications
            if message["method"] == "presence.changed" and message["params"]["user"] == owner(line)]


def why(console, line):
    """The sentence of the source about a line that is not well."""
    states = console.call("presence.explain", user=owner(line))["states"]
    return next(state for state in states if state["domain"] == "telephony").get("why", "")


def details(console, name="switch"):
    return console.source(name)["details"]


def fresh(daemon):
    """A console of its own, so that asking does not disturb what another one has not read yet."""
    console = Console(daemon.folder / "presenced.sock")
    daemon.ends.append(console)
    return console


def wait_source(daemon, status, words="", name="switch", deadline=DEADLINE):
    console = fresh(daemon)

    def seen():
        found = console.source(name)
        return found["status"] == status and words in found.get("why", "") and found

    try:
        return until(seen, f"source {status} {words}", deadline)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {console.source(name)}") from None


def doctor(daemon, name="switch"):
    """Exit status and {hop: sentence or None} of `presencectl doctor`."""
    command = [BUILD / "presencectl", "-s", str(daemon.folder / "presenced.sock"), "--json", "doctor", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.stderr == "", done.stderr
    return done.returncode, {hop["hop"].split()[0]: hop.get("sentence") for hop in json.loads(done.stdout)["hops"]}


# ---- a host by hand -------------------------------------------------------------------------


class Hand:
    """A connection to a bridge, in which a test says each message itself. `seq` counts unless it is given.

    passed  the messages that were read and not asked for
    """

    def __init__(self, address, token=None, hello=True, tls=None, **members):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(DEADLINE)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, DEADLINE)
        if tls:
            context = tls if isinstance(tls, ssl.SSLContext) else ssl.create_default_context(cafile=str(tls))
            self.socket = context.wrap_socket(self.socket, server_hostname="bridge.test")
        self.seq, self.incoming, self.passed, self.began = 0, b"", [], time.monotonic()
        if hello:
            self.hello(token, **members)
            self.welcome = self.take("welcome")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def hello(self, token=None, **members):
        hello = {"version": 1, "host": "HAND", "instance": "1"} | ({"token": token} if token else {}) | members
        return self.say("hello", **{name: value for name, value in hello.items() if value is not ...})

    def say(self, kind, **members):
        """One message, whose number is given back. seq=...: without a number."""
        self.seq = members.pop("seq", self.seq + 1)
        message = {"type": kind} | ({} if self.seq is ... else {"seq": self.seq}) | members
        self.send(json.dumps(message, ensure_ascii=False).encode() + b"\n")
        return self.seq

    def send(self, data):
        self.socket.sendall(data)

    def read(self, deadline=DEADLINE):
        """The next message; None: closed by the daemon."""
        end = time.monotonic() + deadline
        while b"\n" not in self.incoming:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                raise Deadline(f"no message from the daemon; passed: {self.passed}") from None
            except OSError:
                data = b""
            if not data:
                assert self.incoming == b"", f"closed within a line: {self.incoming!r}"
                return None
            self.incoming += data
        line, self.incoming = self.incoming.split(b"\n", 1)
        return json.loads(line)

    def take(self, kind, deadline=DEADLINE):
        """The next message of this type."""
        end = time.monotonic() + deadline
        while message := self.read(end - time.monotonic()):
            if message["type"] == kind:
                return message
            self.passed.append(message)
        raise Closed(f"closed before {kind}; passed: {self.passed}")

    def settle(self):
        """All that was said until now was read by the daemon; the messages that it sent meanwhile."""
        before, n = len(self.passed), 900000 + self.seq
        self.say("ping", n=n)
        while self.take("pong")["n"] != n:
            pass
        return self.passed[before:]

    def last_words(self, deadline=DEADLINE):
        """What the daemon says before it closes."""
        found, end = [], time.monotonic() + deadline
        while message := self.read(end - time.monotonic()):
            found.append(message)
        return found

    def refused(self, kind, **members):
        """This message is refused: the error."""
        number = self.say(kind, **members)
        error = self.take("error")
        assert error["message"] and error.get("seq") == number, error
        return error

    def offer(self, *lines, **options):
        self.say("lineOpen", lines=[{"line": line} | OPEN | options for line in lines])

    def state(self, line, **members):
        self.say("lineState", line=line, **({"inService": True} | NOTHING | members))

    def resync(self, states, number=1):
        """A resync of these lines: a list, or line -> members."""
        self.say("resync", phase="begin", id=number)
        for line in states:
            self.state(line, **(states[line] if isinstance(states, dict) else {}))
        self.say("resync", phase="end", id=number, lines=len(states))

    def begin(self, *lines, **options):
        """All lines, idle."""
        self.offer(*lines, **options)
        self.resync(lines)
