"""A daemon with a SIP source, and the simulated server that it watches people at, for the tests of the connector.

    SipServer  <--SUBSCRIBE--  Daemon  --presence-->  Console
               --NOTIFY----->

SPDX-License-Identifier: MIT
"""

import pathlib
import subprocess
import sys
import time

import pytest

from presenced import Console, until

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "peers"), str(TESTS / "sim")]

from kamailio import hold_port  # noqa: E402
from publisher import dialog_info, pidf  # noqa: E402
from sip_server import SipServer  # noqa: E402

DOMAIN = "example.test"
TRANSPORTS = ("udp", "tcp", "tls")
STREAM_AND_DATAGRAM = ("udp", "tcp")
ADMIN = [{"socket": "presenced.sock", "mode": "0666", "permissions": ["read", "calls", "notes", "admin"]}]
ALWAYS = {"monitoring": {"mode": "always"}}


class Serve:
    """Makes simulated servers, which end with the test."""

    def __init__(self, folder):
        self.folder, self.servers = folder, []
        self.certificate = str(folder / "cert.pem"), str(folder / "key.pem")

    def __call__(self, transport="udp", kind=SipServer, **options):
        if transport == "tls":
            options = {"certificate": self.certificate} | options
        server = kind(transport, domain=DOMAIN, **options)
        server.start()
        self.servers.append(server)
        return server

    def stop(self):
        for server in self.servers:
            server.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with cert.pem and key.pem for example.test, and other-cert.pem, other-key.pem of somebody else."""
    folder = tmp_path_factory.mktemp("certificates")
    for prefix, name in (("", DOMAIN), ("other-", "other.test")):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                        "-out", folder / f"{prefix}cert.pem", "-keyout", folder / f"{prefix}key.pem"],
                       check=True, capture_output=True)
    return folder


@pytest.fixture
def serve(certificates):
    """serve(transport, ..) gives a running SipServer. First among the arguments of a test: the daemon ends before."""
    maker = Serve(certificates)
    yield maker
    maker.stop()


@pytest.fixture
def free_port():
    """A port of 127.0.0.1 where nobody listens, unless the test has somebody listen there. It is nobody else's."""
    with hold_port() as held:
        yield held.getsockname()[1]


def pause(seconds):
    """For what must not happen in this time."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, "time to pass")


# ---- the daemon -----------------------------------------------------------------------------


def uri(name):
    return f"sip:{name}@{DOMAIN}"


def person(name, extension=""):
    return {"id": name, "sip_uri": uri(name), "extension": extension}


def source_at(port, transport, /, **options):
    """At any server."""
    return {"name": "cups", "type": "sip", "server": f"127.0.0.1:{port}", "transport": transport,
            "uri": uri("watcher")} | options


def source(server, /, **options):
    """At a simulated one, whose certificate is believed."""
    if server.transport == "tls":
        options = {"ca_file": server.certificate[0], "cert_host": DOMAIN} | options
    return source_at(server.port, server.transport, **options)


def begin(start, server, users, config=None, /, **options):
    """A daemon that watches all of these, and a console that sees them; the options are of the source."""
    daemon = start({"console": ADMIN} | ALWAYS | (config or {}), users=users, sources=[source(server, **options)])
    console = daemon.console()
    console.subscribe(users=[user["id"] for user in users])
    return daemon, console


def watching(start, server, /, *names, config=None, **options):
    """The same, for people whose rich presence is known to be busy."""
    for name in names:
        say(server, name, "busy")
    daemon, console = begin(start, server, [person(name) for name in names], config, **options)
    for name in names:
        console.wait_overall(name, "busy")
    console.notifications.clear()
    return daemon, console


def fresh(daemon):
    """A console of its own, so that asking does not disturb what another one has not read yet."""
    console = Console(daemon.folder / "presenced.sock")
    daemon.ends.append(console)
    return console


# ---- what the server says -------------------------------------------------------------------


def document(name, *activities, **options):
    return pidf(uri(name), activities=activities, **options).encode()


def say(server, name, *activities, notify=True, **options):
    server.set_state("presence", uri(name), document(name, *activities, **options), notify=notify)


def line_document(extension, version, state=None, kind="full", **dialog):
    dialogs = [{"id": "a", "state": state} | dialog] if state else []
    return dialog_info(uri(extension), version, dialogs, kind).encode()


def say_line(server, extension, version, state=None, notify=True, **options):
    server.set_state("dialog", uri(extension), line_document(extension, version, state, **options), notify=notify)


def requests_for(server, name, method="SUBSCRIBE"):
    return [request for request in server.requests if request.method == method
            and server.canonical(request.to.uri) == uri(name)]


# ---- what the console sees ------------------------------------------------------------------


def wait_status(console, name, status, half="rich", deadline=30):
    console.wait(lambda: console.table[name][half]["status"] == status, f"{half} of {name} {status}", deadline)
    return console.table[name][half]


def state_of(console, name, half="rich"):
    """The source's word, as presence.explain shows it."""
    return next(state for state in console.call("presence.explain", user=name)["states"] if state["domain"] == half)


def wait_why(console, name, status, words, half="rich", deadline=15):
    """The source's word has this status, and a sentence with these words."""
    def seen():
        state = state_of(console, name, half)
        return state["status"] == status and words in state.get("why", "") and state

    try:
        return until(seen, f"{status} with {words!r}", deadline)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {state_of(console, name, half)}") from None


def cups(console):
    return console.source("cups")


def details(console):
    return cups(console)["details"]


def wait_source(console, status, words="", deadline=30):
    def seen():
        found = cups(console)
        return found["status"] == status and words in found.get("why", "") and found

    try:
        return until(seen, f"source {status}", deadline)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {cups(console)}") from None


def statuses_seen(console, name, half="rich"):
    """Of all that the console has been told of this user so far."""
    console.barrier()
    return [message["params"][half]["status"] for message in console.notifications
            if message["method"] == "presence.changed" and message["params"]["user"] == name]
