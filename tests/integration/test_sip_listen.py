"""A source with `listen`: the server connects to us, as the trunk of a PBX does.

    SipServer  <--SUBSCRIBE--  Daemon
               ---NOTIFY---->  at the port of Contact, over a connection of its own

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import re
import socket
import ssl

import pytest

from presenced import DEADLINE, until
from sip_world import (ADMIN, DOMAIN, TRANSPORTS, begin, certificates, cups, details, free_port, person, requests_for,
                       say, serve, source, statuses_seen, wait_source, watching)

from sip_message import parse_uri  # after sip_world, which knows the way

__all__ = ["certificates", "free_port", "serve"]  # fixtures
STREAMS = ("tcp", "tls")
OPTIONS = b"""OPTIONS sip:watcher@127.0.0.1 SIP/2.0
Via: SIP/2.0/%b 127.0.0.1:5099;branch=z9hG4bKlisten%b;rport
Max-Forwards: 70
From: <sip:pbx@example.test>;tag=pbx
To: <sip:watcher@example.test>
Call-ID: listen-%b
CSeq: 1 OPTIONS
Content-Length: 0

""".replace(b"\n", b"\r\n")


# ---- helpers --------------------------------------------------------------------------------


@pytest.fixture
def listening(serve, start, certificates, free_port):
    """listening(transport, *names) gives a server that connects to us, the port, the daemon and a console."""
    def run(transport, *names, listen="{}", config=None, **options):
        server = serve(transport, second_connection=True)
        if transport == "tls":
            options |= {"cert_file": str(certificates / "cert.pem"), "key_file": str(certificates / "key.pem")}
        daemon, console = watching(start, server, *names, config=config, listen=listen.format(free_port), **options)
        return server, free_port, daemon, console

    return run


def kind_of(transport):
    return socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM


@contextlib.contextmanager
def taken(port, transport):
    """Somebody else is there already."""
    with socket.socket(socket.AF_INET, kind_of(transport)) as one:
        if transport != "udp":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the port is held; see hold_port()
        one.bind(("127.0.0.1", port))
        if transport != "udp":
            one.listen(1)
        yield


@contextlib.contextmanager
def call(transport, port, by="127.0.0.1", secure=True):
    """A socket of ours that is connected to the port from this address."""
    with socket.socket(socket.AF_INET, kind_of(transport)) as plain:
        plain.settimeout(DEADLINE)
        plain.bind((by, 0))
        plain.connect(("127.0.0.1", port))
        if transport != "tls" or not secure:
            yield plain
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain, server_hostname=DOMAIN) as end:
            yield end


def ask(end, transport):
    """An OPTIONS of ours, and what is answered; nothing comes before or behind it."""
    mark = os.urandom(4).hex().encode()
    end.sendall(OPTIONS % (transport.upper().encode(), mark, mark))
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = end.recv(65536)
        assert data, f"closed after {answer!r}"
        answer += data
    assert mark in answer
    assert answer.startswith(b"SIP/2.0 ") and answer.endswith(b"\r\n\r\n") and answer.count(b"\r\n\r\n") == 1, answer
    return int(answer.split()[1])


def is_closed(end):
    """By the daemon: nothing but its alert may come before."""
    try:
        while end.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def still_there(server, console, name="ann"):
    """States go on over the same connections; the server's is open."""
    say(server, name, "away")
    console.wait_overall(name, "away")
    assert details(console)["connections"] == 1
    assert set(statuses_seen(console, name)) <= {"ok"}
    assert server.violations == []


# ---- states ---------------------------------------------------------------------------------


@pytest.mark.parametrize("listen", ["{}", "127.0.0.1:{}"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_states_arrive_where_contact_says(listening, transport, listen):
    server, port, _, console = listening(transport, "ann", "bob", listen=listen)

    say(server, "ann", "away")
    say(server, "bob", "meeting")
    console.wait_overall("ann", "away")
    console.wait(lambda: console.table["bob"]["rich"].get("activity") == "meeting", "the meeting of bob")

    for name in ("ann", "bob"):
        assert {parse_uri(request.contact.uri)["port"] for request in requests_for(server, name)} == {port}
    server.wait(lambda: all(sent.status == 200 for sent in server.notifies), "each NOTIFY is answered 200")
    assert {sent.peer.address for sent in server.notifies} == {("127.0.0.1", port)}
    assert details(console)["connections"] == 1
    if transport != "udp":
        assert server.connections() == 2 and server.counters["accepted"] == 1
    assert server.violations == []


@pytest.mark.parametrize("transport", STREAMS)
def test_server_may_connect_again(listening, transport):
    server, port, _, console = listening(transport, "ann")

    server._loop.call(lambda: [link.close() for link in server._net.live_links() if not link.incoming])
    still_there(server, console)
    with call(transport, port) as one, call(transport, port) as other:
        assert ask(one, transport) == ask(other, transport) == 200


def test_connection_of_ours_carries_notifies_as_well(serve, start, free_port):
    server = serve("tcp")
    daemon, console = watching(start, server, "ann", listen=str(free_port))
    assert server.connections() == 1
    still_there(server, console)
    daemon.stop()
    assert server.violations == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_port_is_taken_over_when_the_source_changes(listening, transport):
    server, port, daemon, console = listening(transport, "ann")
    sources = [dict(daemon.config["sources"][0], keepalive="7s")]

    daemon.reload(sources=sources)
    server.wait(lambda: len({request.call_id for request in requests_for(server, "ann")}) > 1, "a new subscription")
    wait_source(console, "up")
    say(server, "ann", "away")

    console.wait_overall("ann", "away")
    assert parse_uri(requests_for(server, "ann")[-1].contact.uri)["port"] == port
    assert "cannot listen" not in daemon.log_text()


# ---- on the server's connection -------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_requests_are_answered_where_they_came_from(listening, transport):
    server, port, _, console = listening(transport, "ann")
    with call(transport, port) as end:
        assert ask(end, transport) == 200
        assert ask(end, transport) == 200
    still_there(server, console)


@pytest.mark.parametrize("transport", STREAMS)
def test_pings_are_answered(listening, transport):
    server, port, _, console = listening(transport, "ann")
    with call(transport, port) as one, call(transport, port) as other:
        one.sendall(b"\r\n\r\n")
        assert one.recv(100) == b"\r\n"
        one.sendall(b"\r\n")
        assert ask(other, transport) == 200  # each connection has its own half
        other.sendall(b"\r\n")
        assert ask(other, transport) == 200
        one.sendall(b"\r\n")
        assert one.recv(100) == b"\r\n"
        other.sendall(b"\r\n")
        assert ask(other, transport) == 200  # half a ping is forgotten with the next message
    still_there(server, console)


@pytest.mark.parametrize("transport", STREAMS)
def test_half_a_ping_on_our_own_connection_is_kept_apart(listening, transport):
    """From those on connections that the server has made."""
    server, port, _, console = listening(transport, "ann")
    ours = next(link for link in server._net.live_links() if link.incoming)

    def send_half():
        ours.send(b"\r\n")

    ours.framer.pongs = 1  # is due when both halves have come
    before = details(console)["frames_in"]
    server._loop.call(send_half)
    until(lambda: details(console)["frames_in"] == before + 1, "a half has come")
    with call(transport, port) as guest:
        guest.sendall(b"\r\n")
        assert ask(guest, transport) == 200
        guest.sendall(b"\r\n\r\n")
        assert guest.recv(100) == b"\r\n"
        assert server.counters["pong"] == 0
        server._loop.call(send_half)
        server.wait(lambda: server.counters["pong"] == 1, "the answer to both halves", 5)
    still_there(server, console)


BROKEN = {"negative length": b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -5\r\n\r\n",
          "huge length": b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
          "long head": b"OPTIONS sip:a@b SIP/2.0\r\n" + b"X: " + b"a" * 200000,
          "bytes": bytes(range(256)) * 4 + b"\r\n\r\n"}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("transport", STREAMS)
def test_garbage_ends_one_connection(listening, transport, kind):
    server, port, _, console = listening(transport, "ann")
    with call(transport, port) as bad, call(transport, port) as good:
        assert ask(good, transport) == 200
        with contextlib.suppress(OSError):  # closed before all was sent; over TLS that is an SSLError
            bad.sendall(BROKEN[kind])
        assert is_closed(bad)
        assert ask(good, transport) == 200
    still_there(server, console)
    assert server.connections() == 2


@pytest.mark.parametrize("kind", BROKEN)
def test_garbage_in_datagrams_is_dropped(listening, kind):
    server, port, _, console = listening("udp", "ann")
    with call("udp", port) as end:
        end.send(BROKEN[kind][:50000])
        assert ask(end, "udp") == 200
    still_there(server, console)


def test_who_does_not_speak_tls_is_refused(listening):
    server, port, _, console = listening("tls", "ann")
    with call("tls", port, secure=False) as end:
        end.sendall(OPTIONS % (b"TLS", b"a", b"a"))
        assert is_closed(end)
    still_there(server, console)


def test_certificate_is_shown(listening, certificates):
    _, port, _, _ = listening("tls", "ann")
    context = ssl.create_default_context(cafile=certificates / "cert.pem")
    with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain, server_hostname=DOMAIN):
        pass


# ---- strangers ------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", STREAMS)
def test_stranger_is_turned_away(listening, transport):
    server, port, _, console = listening(transport, "ann")
    with call(transport, port, by="127.0.0.2", secure=False) as end:
        assert is_closed(end)
    with call(transport, port) as end:
        assert ask(end, transport) == 200
    still_there(server, console)


def test_datagram_of_a_stranger_is_dropped(listening):
    server, port, _, console = listening("udp", "ann")
    with call("udp", port, by="127.0.0.2") as stranger, call("udp", port) as known:
        stranger.send(OPTIONS % (b"UDP", b"a", b"a"))
        assert ask(known, "udp") == 200  # it is behind the other one
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(65536)
    still_there(server, console)


def test_nobody_is_let_in_while_the_server_is_away(listening):
    server, port, _, console = listening("tcp", "ann")
    server.stop()
    wait_source(console, "connection_error")
    with call("tcp", port) as end:
        assert is_closed(end)


# ---- what cannot be -------------------------------------------------------------------------


@pytest.mark.parametrize("listen", ["", "0", "65536", "-1", "port", "5060x", "localhost:5060", "127.0.0.1",
                                    "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1", "[::1]", "[127.0.0.1]:5060",
                                    ":5060", "*:5060", "00000000000050601"])
def test_values_that_cannot_be_are_errors_of_the_configuration(serve, start, listen):
    server = serve("tcp")
    daemon = start({"console": ADMIN}, sources=[source(server, listen=listen)], start=False)
    status, output = daemon.check_config()
    assert status != 0
    assert "listen" in output
    assert re.search(r"expected a port, or a numeric address:port", output) or listen == "", output


def test_good_values_are_none(serve, start):
    server = serve("tcp")
    for listen in ("5060", "127.0.0.1:5060", "[::1]:5060", "0.0.0.0:1", "65535"):
        daemon = start({"console": ADMIN}, sources=[source(server, listen=listen)], start=False)
        status, output = daemon.check_config()
        assert status == 0, output


def test_tls_needs_a_certificate(serve, start):
    server = serve("tls")
    daemon = start({"console": ADMIN}, sources=[source(server, listen="5061")], start=False)
    status, output = daemon.check_config()
    assert status != 0
    assert "listen" in output and "expected cert_file too" in output


@pytest.mark.parametrize("listen", ["{}", "127.0.0.1:{}"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_port_that_is_taken_is_said(serve, start, certificates, free_port, transport, listen):
    server = serve(transport)
    own = {"cert_file": str(certificates / "cert.pem"), "key_file": str(certificates / "key.pem")}
    with taken(free_port, transport):
        _, console = begin(start, server, [person("ann")], listen=listen.format(free_port),
                           **(own if transport == "tls" else {}))
        wait_source(console, "connection_error", f"port {free_port}: Address already in use")
        assert cups(console)["why"].startswith("cannot listen at")
        assert server.requests == []


def test_address_that_is_not_ours_is_said(serve, start):
    _, console = begin(start, serve("tcp"), [person("ann")], listen="192.0.2.1:5060")
    wait_source(console, "connection_error", "cannot listen at 192.0.2.1 port 5060")


def test_source_heals_when_the_port_is_free(serve, start, free_port):
    server = serve("tcp", second_connection=True)
    say(server, "ann", "busy")
    with taken(free_port, "tcp"):
        _, console = begin(start, server, [person("ann")], listen=str(free_port))
        wait_source(console, "connection_error", "in use")
    until(lambda: cups(console)["status"] == "up", "the source is up", 90)
    console.wait_overall("ann", "busy")
    assert server.violations == []
