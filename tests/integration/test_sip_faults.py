"""Connections that break, servers that forget, hostile bytes, more than one server, and what doctor says of it.

SPDX-License-Identifier: MIT
"""

import concurrent.futures
import json
import socket
import struct
import subprocess
import threading
import time

import pytest

from presenced import BUILD, DEADLINE, until
from sip_world import (ADMIN, STREAM_AND_DATAGRAM, TRANSPORTS, SipServer, begin, certificates, cups, details, free_port,
                       pause, person, requests_for, say, serve, source, statuses_seen, uri, wait_source, wait_status,
                       watching)

from sip_faults import GARBAGE  # after sip_world, which knows the way

__all__ = ["certificates", "free_port", "serve"]  # fixtures
STREAMS = ("tcp", "tls")
HOLD = {"hold": "1s"}


# ---- connections ----------------------------------------------------------------------------


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("reset", [False, True])
def test_connection_that_is_closed_is_made_again_at_once(serve, start, transport, reset):
    server = serve(transport)
    _, console = watching(start, server, "ann", "bob")
    say(server, "ann", "away", notify=False)

    server.close_connections(reset=reset)

    console.wait_overall("ann", "away", 5)
    until(lambda: details(console)["established"] == 2, "both again")
    assert details(console)["connections"] == 2
    assert set(statuses_seen(console, "bob")) <= {"ok", "stale"}
    assert console.presence("bob")["overall"] == "busy"
    assert server.violations == []


def test_server_that_cannot_be_reached_is_stale_then_an_error_and_heals_by_restart(serve, start):
    server = serve("tcp")
    _, console = watching(start, server, "ann", config=HOLD)

    server.stop_listening()
    server.close_connections()

    assert wait_status(console, "ann", "stale")["availability"] == "busy"
    wait_source(console, "connection_error", "nothing listens there")
    wait_status(console, "ann", "error")
    server.listen_again()
    say(server, "ann", "away")
    console.call("sources.restart", name="cups")
    console.wait_overall("ann", "away", 5)
    assert server.violations == []


def test_datagrams_that_are_refused_say_so(serve, start):
    server = serve("udp")
    _, console = watching(start, server, "ann", config=HOLD, keepalive="5s")

    server.stop_listening()

    found = wait_source(console, "connection_error", "", 10)
    assert f"127.0.0.1:{server.port}" in found["why"]
    wait_status(console, "ann", "error")
    server.listen_again()
    console.call("sources.restart", name="cups")
    console.wait_overall("ann", "busy", 5)
    assert server.violations == []


def test_server_that_hesitates_is_not_given_up(serve, start):
    """Frozen for longer than the keep-alive, but not for long enough to be lost."""
    server = serve("tcp")
    _, console = watching(start, server, "ann", keepalive="5s")
    server.freeze()
    say(server, "ann", "away")

    pause(7)
    assert cups(console)["status"] == "up"
    server.thaw()

    console.wait_overall("ann", "away", 5)
    assert details(console)["connections"] == 1
    assert set(statuses_seen(console, "ann")) <= {"ok"}
    assert server.violations == []


def test_server_that_hangs_is_noticed_by_the_keep_alive(serve, start):
    server = serve("tcp")
    _, console = watching(start, server, "ann", keepalive="5s")
    frozen = time.monotonic()
    server.freeze()

    wait_status(console, "ann", "stale", deadline=22)
    wait_source(console, "connection_error", "OPTIONS")
    assert time.monotonic() - frozen < 5 + 10 + 5
    server.thaw()
    say(server, "ann", "away")
    console.call("sources.restart", name="cups")

    console.wait_overall("ann", "away", 5)


def test_server_that_goes_on_talking_is_there_without_an_answer(serve, start):
    """It notifies, and OPTIONS is lost on the way, or not allowed by what is in between."""
    server = serve("tcp")
    _, console = watching(start, server, "ann", keepalive="5s")
    server.misbehave("swallow", method="OPTIONS")
    count = server.counters["OPTIONS"]
    server.wait(lambda: server.counters["OPTIONS"] > count, "the question", 10)
    asked, said = time.monotonic(), 0

    while time.monotonic() < asked + 11:  # an answer is waited for 10 seconds
        said += 1
        say(server, "ann", "busy" if said % 2 else "away", note=str(said))
        console.wait(lambda: console.table["ann"]["rich"].get("note") == str(said), "what is said", 5)
        until(lambda: time.monotonic() > asked + said, "the next second")

    assert cups(console)["status"] == "up" and details(console)["connections"] == 1
    assert set(statuses_seen(console, "ann")) <= {"ok"}
    assert server.violations == []


@pytest.mark.parametrize("transport", STREAM_AND_DATAGRAM)
def test_server_that_forgets_everything_is_asked_anew(serve, start, transport):
    """At the latest after 20 seconds, by the one subscription that is proved; here a short one is refreshed."""
    server = serve(transport)
    names = [f"u{n}" for n in range(10)]
    for name in names:
        say(server, name, "busy")
    server.misbehave("expires", times=1, user="u0", phase="initial", value=6)
    _, console = begin(start, server, [person(name) for name in names])
    for name in names:
        console.wait_overall(name, "busy")

    server.forget()
    for name in names:
        say(server, name, "away")

    for name in names:
        console.wait_overall(name, "away", 8)
    assert details(console)["forgotten"] >= 3 and details(console)["connections"] == 1
    assert not any("error" in statuses_seen(console, name) for name in names)
    server.wait(lambda: len(server.subscriptions()) == 10, "one subscription each", 10)
    assert server.violations == []


def test_heartbeat_finds_out_that_the_server_has_forgotten(serve, start):
    server = serve("udp")
    _, console = watching(start, server, "ann")

    server.forget()
    say(server, "ann", "away")

    console.wait_overall("ann", "away", 24)
    assert server.violations == []


def test_one_forgotten_subscription_is_not_all(serve, start):
    server = serve("udp")
    server.misbehave("expires", times=1, user="ann", phase="initial", value=4)
    names = ["ann", *(f"u{n}" for n in range(5))]
    _, console = watching(start, server, *names)
    before = {name: len({r.call_id for r in requests_for(server, name)}) for name in names}

    server.forget(uri=uri("ann"))
    say(server, "ann", "away")

    console.wait_overall("ann", "away", 8)
    after = {name: len({r.call_id for r in requests_for(server, name)}) for name in names}
    assert after == before | {"ann": before["ann"] + 1}
    assert server.violations == []


@pytest.mark.parametrize("transport, notify_first", [("udp", False), ("udp", True), ("tcp", True), ("tls", False)])
def test_route_set_of_the_server_is_obeyed(serve, start, transport, notify_first):
    server = serve(transport, record_route=True)
    server.max_expires = 3
    if notify_first:
        server.misbehave("notify_first", times=1, gap=0.1)
    daemon, _ = watching(start, server, "ann")

    server.wait(lambda: any(r.to.tag for r in requests_for(server, "ann")), "a refresh", 5)
    daemon.stop()

    server.wait(lambda: not server.subscriptions(), "unsubscribed", 5)
    assert server.violations == []


def test_daemon_that_stops_while_a_refresh_is_under_way_ends_that_subscription_too(serve, start):
    server = serve("tcp")
    server.max_expires = 3
    server.misbehave("late", phase="refresh", seconds=0.3)
    daemon, _ = watching(start, server, "ann")
    server.wait(lambda: any(r.to.tag for r in requests_for(server, "ann")), "a refresh", 5)

    daemon.stop()

    server.wait(lambda: not server.subscriptions(), "unsubscribed", 5)
    assert server.expired == [] and server.violations == []


@pytest.mark.parametrize("text", ["<sip:edge", "<sip:>;lr", ", ".join(["<sip:a@b;lr>"] * 200), "<tel:1>", "\"\\"])
def test_odd_route_sets_break_nothing(serve, start, text):
    server = serve("tcp")
    server.record_route_text = text
    daemon, console = begin(start, server, [person("ann")])
    say(server, "ann", "busy")

    server.wait(lambda: server.counters["SUBSCRIBE"] >= 2, "a subscription")
    assert console.call("server.info") and cups(console)["status"] == "up"
    daemon.stop()


class HangsUp(SipServer):
    """Closes the connection at each subscription to ann."""

    def _serve(self, transaction, faults):
        if "ann" in transaction.request.uri:
            transaction.peer.close("hung up")
        else:
            super()._serve(transaction, faults)


def test_server_that_hangs_up_at_once_is_not_connected_to_in_a_circle(serve, start):
    server = serve("tcp", HangsUp)
    begin(start, server, [person("ann")])
    server.wait(lambda: server.counters["accepted"] >= 1, "a connection")

    pause(2)

    assert server.counters["accepted"] <= 5, f"{server.counters['accepted']} connections in 2 seconds"


# ---- hostile bytes --------------------------------------------------------------------------


@pytest.mark.parametrize("transport", STREAM_AND_DATAGRAM)
@pytest.mark.parametrize("kind", sorted(GARBAGE))
def test_garbage_is_survived(serve, start, transport, kind):
    """Datagrams are counted; a stream may be given up, and is made anew."""
    server = serve(transport)
    daemon, console = watching(start, server, "ann", "bob")
    before = details(console)

    server.garbage(kind, 2)
    server.inject(b"\r\n\r\n")
    say(server, "ann", "away")

    console.wait_overall("ann", "away", 5)
    say(server, "bob", "away")
    console.wait_overall("bob", "away", 5)
    after = details(console)
    if transport == "udp" and kind != "contradicting_length":
        assert after["bad_messages"] > before["bad_messages"] and after["last_bad_message"]
        assert after["connections"] == 1
    else:
        assert after["bad_messages"] + after["connections"] > before["bad_messages"] + before["connections"]
    assert cups(console)["status"] == "up"
    daemon.stop()


@pytest.mark.parametrize("kind", sorted(GARBAGE))
def test_garbage_before_any_subscription(serve, start, kind):
    """It is counted, or the connection is given up, and that at once."""
    server = serve("tcp")
    daemon = start({"console": ADMIN, "monitoring": {"mode": "on-demand"}}, users=[person("ann")],
                   sources=[source(server)])
    console = daemon.console()
    wait_source(console, "up")
    assert server.subscriptions() == [] and details(console)["subscriptions"] == 0
    before = details(console)

    server.garbage(kind)
    server.inject(b"\r\n\r\n")  # some are the beginning of a message

    def noticed():
        after = details(console)
        return after["bad_messages"] + after["connections"] > before["bad_messages"] + before["connections"]

    until(noticed, "a bad message, or another connection", 10)  # a message that does not end has 30 seconds
    wait_source(console, "up")
    say(server, "ann", "busy")
    console.subscribe(users=["ann"])
    console.wait_overall("ann", "busy", 5)


@pytest.mark.parametrize("transport", STREAMS)
def test_keep_alives_of_the_server_are_answered(serve, start, transport):
    server = serve(transport)
    _, console = watching(start, server, "ann")

    server.ping(3)

    server.wait(lambda: server.counters["pong"] == 3, "3 answers", 5)
    say(server, "ann", "away")
    console.wait_overall("ann", "away")
    assert details(console)["bad_messages"] == 0 and details(console)["connections"] == 1
    assert server.violations == []


def test_keep_alives_in_datagrams_are_neither_answered_nor_bad(serve, start):
    """They keep a way through routers open; RFC 5626 has no answer to them."""
    server = serve("udp")
    _, console = watching(start, server, "ann")

    server.inject(b"\r\n\r\n", 3)

    say(server, "ann", "away")
    console.wait_overall("ann", "away")
    server.wait(lambda: all(sent.status == 200 for sent in server.notifies), "an answer behind that of a keep-alive", 5)
    assert details(console)["bad_messages"] == 0 and details(console)["connections"] == 1
    assert server.violations == []


def test_keep_alive_in_a_datagram_is_short(serve, start):
    """Line ends or NULs, 8 bytes at most; what is longer is a message that cannot be read."""
    server = serve("udp")
    _, console = watching(start, server, "ann")

    for data in (b"\r\n\r\n\r\n\r\n", b"\0" * 8, b"\r\n\0\0"):
        server.inject(data)
    say(server, "ann", "away")
    console.wait_overall("ann", "away")
    assert details(console)["bad_messages"] == 0

    server.inject(b"\r\n\r\n\r\n\r\n\r")
    say(server, "ann", "busy")
    console.wait_overall("ann", "busy")
    assert details(console)["bad_messages"] == 1
    assert server.violations == []


def test_requests_that_we_do_not_serve_are_answered(serve, start):
    server = serve("udp")
    _, console = watching(start, server, "ann")
    contact = requests_for(server, "ann")[0].contact.uri

    def ask(method):
        ask.count += 1
        return (f"{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{server.port};branch=z9hG4bKask{ask.count}"
                f";rport\r\nMax-Forwards: 70\r\nFrom: <sip:x@y>;tag=a\r\nTo: <{contact}>\r\nCall-ID: {ask.count}@x\r\n"
                f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n").encode()

    ask.count = 0
    for method, status in (("OPTIONS", 200), ("INVITE", 405), ("BYE", 405), ("MESSAGE", 405)):
        count = len(server.violations)
        server.inject(ask(method))
        server.wait(lambda: len(server.violations) > count, f"an answer to {method}", 5)  # it matches nothing of ours
        assert str(status) in server.violations[-1], server.violations[-1]
    count = len(server.violations)
    server.inject(ask("ACK"))  # has no answer (RFC 3261 17)
    server.inject(ask("OPTIONS"))
    server.wait(lambda: len(server.violations) > count, "an answer to what came after ACK", 5)
    assert "OPTIONS" in server.violations[count], server.violations[count]
    say(server, "ann", "away")
    console.wait_overall("ann", "away")


# ---- several servers ------------------------------------------------------------------------


def test_next_server_when_the_first_is_dead_and_back_when_it_lives(serve, start):
    first, second = serve("tcp"), serve("tcp")
    first.stop()
    say(second, "ann", "busy")
    _, console = begin(start, second, [person("ann")], failback="1s",
                       server=[f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"])
    console.wait_overall("ann", "busy")
    console.notifications.clear()
    assert str(second.port) in details(console)["peer"]

    first.start()
    say(first, "ann", "away")

    console.wait_overall("ann", "away", 10)
    assert str(first.port) in details(console)["peer"]
    assert second.connections() == 0 or until(lambda: second.connections() == 0, "the second is let go", 5)
    assert set(statuses_seen(console, "ann")) <= {"ok", "stale"}
    assert first.violations == [] and second.violations == []


def test_next_server_when_the_first_is_lost(serve, start):
    first, second = serve("tcp"), serve("tcp")
    for server, activity in ((first, "busy"), (second, "away")):
        say(server, "ann", activity)
    _, console = begin(start, first, [person("ann")],
                       server=[f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"])
    console.wait_overall("ann", "busy")

    first.stop()

    console.wait_overall("ann", "away", 5)
    assert first.violations == [] and second.violations == []


def test_next_server_when_the_first_asks_to_be_left_alone(serve, start):
    first, second = serve("udp"), serve("udp")
    first.misbehave("status", method="OPTIONS", code=503, headers={"Retry-After": "60"})
    say(second, "ann", "busy")
    _, console = begin(start, first, [person("ann")],
                       server=[f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"])

    console.wait_overall("ann", "busy", 5)

    assert first.counters["OPTIONS"] == 1
    assert first.violations == [] and second.violations == []


# ---- doctor ---------------------------------------------------------------------------------


def doctor(daemon):
    """Exit status and {hop: sentence or None} of `presencectl doctor`."""
    command = [BUILD / "presencectl", "-s", str(daemon.folder / "presenced.sock"), "--json", "doctor", "cups"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.stderr == "", done.stderr
    return done.returncode, {hop["hop"]: hop.get("sentence") for hop in json.loads(done.stdout)["hops"]}


def failing(hops):
    """The hops that have a sentence."""
    return {hop: sentence for hop, sentence in hops.items() if sentence}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_doctor_finds_nothing_wrong(serve, start, transport):
    server = serve(transport)
    server.require_digest({"watcher": "secret"}, methods=("OPTIONS", "SUBSCRIBE"))
    daemon, _ = watching(start, server, "ann", password="secret")

    status, hops = doctor(daemon)

    assert status == 0 and failing(hops) == {}
    links = {"udp": ["udp"], "tcp": ["tcp"], "tls": ["tcp", "tls"]}[transport]
    assert [hop.split()[0] for hop in hops] == ["configuration", "dns", *links, "OPTIONS", "authentication",
                                                "subscription", "users"]
    assert server.violations == []


def ailing(start, server, words, /, **options):
    """A daemon whose source does not come up, and what is said of the first hop that fails; this says `words`."""
    daemon, console = begin(start, server, [person("ann")], **options)
    wait_source(console, "connection_error", deadline=12)
    status, hops = doctor(daemon)
    first, sentence = next(iter(failing(hops).items()))
    assert status == 1 and words in sentence, hops
    return first.split()[0], cups(console)


def test_doctor_wrong_port_of_a_stream(serve, start, free_port):
    hop, found = ailing(start, serve("tcp"), "nothing listens there", server=f"127.0.0.1:{free_port}")
    assert hop == "tcp" and "nothing listens there" in found["why"]


def test_doctor_wrong_port_of_datagrams(serve, start, free_port):
    hop, found = ailing(start, serve("udp"), "nothing listens there", server=f"127.0.0.1:{free_port}")
    assert hop in ("udp", "connection") and "nothing listens there" in found["why"]


class NoSuchName:
    """A name server that knows no name. An empty datagram ends it."""

    def __enter__(self):
        self.end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.end.bind(("127.0.0.1", 0))
        self.port = self.end.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(DEADLINE)
        self.end.close()
        assert not self.thread.is_alive()

    def run(self):
        while True:
            data, address = self.end.recvfrom(2048)
            if not data:
                return
            head = data[:2] + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0)
            self.end.sendto(head + question(data), address)


def question(data):
    """The first question of a query, as it is."""
    end = data.index(b"\0", 12) + 5
    return data[12:end]


def test_doctor_name_that_does_not_exist(serve, start):
    with NoSuchName() as names:
        hop, found = ailing(start, serve("tcp"), "cups.example.test cannot be resolved",
                            server="cups.example.test", resolvers=[f"127.0.0.1:{names.port}"])
    assert hop == "dns" and "cups.example.test" in found["why"]


def test_doctor_name_server_that_is_not_there(serve, start, free_port):
    hop, found = ailing(start, serve("udp"), "cannot be resolved", server="cups.example.test:5060",
                        resolvers=[f"127.0.0.1:{free_port}"])
    assert hop == "dns" and "cups.example.test" in found["why"]


def test_doctor_certificate_of_another_name(serve, start):
    hop, found = ailing(start, serve("tls"), "cert_host", cert_host="wrong.test")
    assert hop == "tls" and "example.test" in found["why"] and "wrong.test" in found["why"]


def test_doctor_certificate_of_an_unknown_authority(serve, start, certificates):
    hop, found = ailing(start, serve("tls"), "ca_file", ca_file=str(certificates / "other-cert.pem"))
    assert hop == "tls" and "not believed" in found["why"]


def test_doctor_tls_to_a_plain_server(serve, start):
    """It waits for the end of what it takes for a request."""
    server = serve("tcp")
    daemon, _ = begin(start, server, [person("ann")], transport="tls")

    status, hops = doctor(daemon)

    assert status == 1 and any(hop.startswith("tls ") and "TLS" in sentence
                               for hop, sentence in failing(hops).items()), hops


def test_doctor_server_that_does_not_accept(serve, start):
    """Like a firewall that drops what it does not like."""
    server = serve("tcp")
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for end in waiting:
            end.setblocking(False)
            end.connect_ex(full.getsockname())
        daemon, _ = begin(start, server, [person("ann")], server=f"127.0.0.1:{full.getsockname()[1]}")

        status, hops = doctor(daemon)

        for end in waiting:
            end.close()
    assert status == 1 and any(hop.startswith("tcp ") and "firewalls" in sentence
                               for hop, sentence in failing(hops).items()), hops


def test_doctor_plain_to_a_tls_server(serve, start):
    server = serve("tls")
    daemon, console = begin(start, server, [person("ann")], transport="tcp", ca_file=server.certificate[0])
    wait_source(console, "connection_error", deadline=15)

    status, hops = doctor(daemon)

    assert status == 1 and set(failing(hops)) == {"connection"}, hops
    assert f"127.0.0.1:{server.port} (tcp): Connection reset" in hops["connection"]


def test_doctor_wrong_password(serve, start):
    server = serve("tcp")
    server.require_digest({"watcher": "secret"}, tolerate=True)
    daemon, console = begin(start, server, [person("ann")], password="wrong")
    wait_source(console, "forbidden")
    count = len(server.requests)

    status, hops = doctor(daemon)

    assert status == 1 and "password_file" in " ".join(failing(hops).values()), hops
    assert len(server.requests) == count, "doctor does not use up attempts"


@pytest.mark.parametrize("proxy", [False, True])
@pytest.mark.parametrize("methods, hop", [(("OPTIONS", "SUBSCRIBE"), "authentication"),
                                          (("SUBSCRIBE",), "subscription")])
def test_doctor_password_that_has_become_wrong(serve, start, methods, hop, proxy):
    """It finds it before the next refresh does."""
    server = serve("udp")
    server.require_digest({"watcher": "secret"}, proxy=proxy, methods=methods)
    daemon, _ = watching(start, server, "ann", password="secret")
    server.require_digest({"watcher": "other"}, proxy=proxy, methods=methods, tolerate=True)

    status, hops = doctor(daemon)

    assert status == 1 and set(failing(hops)) == {hop}, hops
    assert "refuses the password of watcher" in hops[hop] and "password_file" in hops[hop], hops
    assert list(hops).index("OPTIONS") < list(hops).index(hop)
    assert server.violations == []


def test_doctor_ends_when_the_source_is_stopped_meanwhile(serve, start):
    server = serve("udp")
    daemon, console = watching(start, server, "ann")
    server.misbehave("swallow", method="OPTIONS")
    count = server.counters["OPTIONS"]

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        told = pool.submit(doctor, daemon)
        server.wait(lambda: server.counters["OPTIONS"] > count, "the question of doctor")
        stopped = time.monotonic()
        console.call("sources.stop", name="cups")
        status, hops = told.result(DEADLINE)

    assert status == 1 and failing(hops) == {"connection": "the source was stopped meanwhile"}, hops
    assert time.monotonic() - stopped < 5, "it has 10 seconds for all"
    assert server.violations == []


def test_doctor_server_that_refuses_us(serve, start):
    server = serve("udp")
    server.misbehave("status", user="watcher", method="SUBSCRIBE", code=403)
    daemon, _ = watching(start, server, "ann")

    status, hops = doctor(daemon)

    assert status == 1 and set(failing(hops)) == {"subscription"} and "403" in hops["subscription"]


def test_addresses_that_are_wrong_for_everybody_are_said(serve, start):
    """The source is up, and nobody is seen: an administrator finds why."""
    server = serve("udp")
    for name in ("ann", "bob"):
        server.misbehave("status", user=name, code=404)
    daemon, console = begin(start, server, [person("ann"), person("bob")])
    wait_status(console, "ann", "not_found")
    wait_status(console, "bob", "not_found")

    status, hops = doctor(daemon)

    assert status == 1 and set(failing(hops)) == {"users"}, hops
    assert all(words in hops["users"] for words in ("none of the 2", "404", "@example.test")), hops
    assert details(console)["refused_addresses"] == 2 and "404" in details(console)["last_refusal"]
    assert daemon.log_text().count("warning sip refused") == 1, "not once for each"


def test_doctor_server_that_does_not_speak_sip(serve, start):
    server = serve("udp")
    server.misbehave("swallow", method="OPTIONS")
    daemon, console = begin(start, server, [person("ann")])
    assert cups(console)["status"] == "connecting"

    status, hops = doctor(daemon)

    assert status == 1 and "does not answer OPTIONS" in " ".join(failing(hops).values()), hops


def test_password_file_that_is_missing_is_said(serve, start):
    server = serve("udp")
    _, console = begin(start, server, [person("ann")], password_file="missing")

    found = cups(console)

    assert "missing" in found["why"] and "password_file" in found["why"], found
