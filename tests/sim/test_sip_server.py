"""The simulated SIP server itself: a small client of its own, right and wrong in every way the server watches.

SPDX-License-Identifier: MIT
"""

import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import sip_digest  # noqa: E402
import sip_faults  # noqa: E402
from sip_message import Framer, Malformed, Message, build, split_list  # noqa: E402
from sip_server import SipServer  # noqa: E402

ANN = "sip:ann@example.test"
BODY = b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:ann@example.test"/>'
ACCEPT = {"presence": "application/pidf+xml", "dialog": "application/dialog-info+xml"}
TRANSPORTS = ("udp", "tcp", "tls")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    names = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=example.test", "-addext",
                    "subjectAltName=DNS:example.test,IP:127.0.0.1", "-out", names[0], "-keyout", names[1]],
                   check=True, capture_output=True)
    return names


class Client:
    """One user agent: a socket, one dialog at a time, blocking reads."""

    def __init__(self, server, listen=None):
        self.server, self.transport = server, server.transport
        self.cseq, self.branches, self.framer, self.inbox = 0, 0, Framer(), []
        self.call_id, self.tag = os.urandom(6).hex() + "@127.0.0.1", os.urandom(4).hex()
        self.to_tag = self.target = self.nonce = None
        self.routes, self.nc = [], 0
        if self.transport == "udp":
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind(("127.0.0.1", 0))
            self.sock.connect(("127.0.0.1", server.port))
        else:
            self.sock = socket.create_connection(("127.0.0.1", server.port))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.transport == "tls":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                self.sock = context.wrap_socket(self.sock)
        self.port = listen or self.sock.getsockname()[1]

    def close(self):
        self.sock.close()

    def headers(self, method, event):
        self.cseq += 1
        self.branches += 1
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        rport = ";rport" if self.transport == "udp" else ""
        tag = f";tag={self.to_tag}" if self.to_tag else ""
        head = {"Via": f"SIP/2.0/{self.transport.upper()} 127.0.0.1:{self.port};"
                       f"branch=z9hG4bK{self.tag}{self.branches}{rport}",
                "Max-Forwards": "70", "From": f"<sip:watcher@example.test>;tag={self.tag}", "To": f"<{ANN}>{tag}",
                "Call-ID": self.call_id, "CSeq": f"{self.cseq} {method}"}
        if self.routes:
            head["Route"] = ", ".join(self.routes)
        if method == "SUBSCRIBE":
            head |= {"Contact": f"<sip:me@127.0.0.1:{self.port}{suffix}>", "Event": event, "Accept": ACCEPT[event],
                     "Expires": "600"}
        return head

    def request(self, method="SUBSCRIBE", event="presence", uri=None, changes=(), body=b"", edit=None):
        """Send one; changes: {header: value, or None to leave it out}; edit: the bytes, at the end. Gives the bytes."""
        head = self.headers(method, event) | dict(changes)
        pairs = [(name, value) for name, value in head.items() if value is not None]
        raw = build(f"{method} {uri or self.target or ANN} SIP/2.0", pairs, body)
        self.send(edit(raw) if edit else raw)
        return raw

    def send(self, raw):
        self.sock.sendall(raw)

    def read(self, timeout=5):
        """The next message or ping, or None."""
        end = time.monotonic() + timeout
        while not self.inbox:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.sock.recv(1 << 20)
            except TimeoutError:
                return None
            if not data:
                raise EOFError
            self.inbox += [data] if self.transport == "udp" else list(self.framer.feed(data))
        return Message(self.inbox.pop(0))

    def response(self, timeout=5):
        """The next response; NOTIFYs that come before stay in `skipped`."""
        self.skipped = []
        while True:
            message = self.read(timeout)
            if message is None or message.status:
                return message
            self.skipped.append(message)

    def subscribe(self, **options):
        """A request, its final response; the dialog is learned from it."""
        self.request(**options)
        answer = self.response()
        if answer.status in (200, 202):
            self.to_tag, self.target = answer.to.tag, answer.contact.uri
            self.routes = list(reversed(answer.all("record-route")))
        return answer

    def notified(self, status=200, changes=()):
        """The next NOTIFY, answered."""
        notify = self.skipped.pop(0) if getattr(self, "skipped", None) else self.read()
        self.answer(notify, status, changes)
        return notify

    def answer(self, notify, status=200, changes=(), tail=b""):
        head = {name.title(): notify.header(name) for name in ("via", "from", "to", "call-id", "cseq")} | dict(changes)
        self.send(build(f"SIP/2.0 {status} OK", head.items()) + tail)

    def authorization(self, challenge, uri=ANN, password="secret", nc=None, **changes):
        """A header value that answers one challenge."""
        given = {k.lower(): v.strip('"') for k, v in sip_digest.PARAM.findall(challenge)}
        self.nc = self.nc + 1 if given["nonce"] == self.nonce else 1
        self.nonce = given["nonce"]
        count, qop = nc or f"{self.nc:08x}", "auth" if "qop" in given else None
        response = sip_digest.digest_response(given["algorithm"], "watcher", given["realm"], password, "SUBSCRIBE", uri,
                                              given["nonce"], count, "c0ffee", qop)
        words = {"username": '"watcher"', "realm": f'"{given["realm"]}"', "nonce": f'"{given["nonce"]}"',
                 "uri": f'"{uri}"', "response": f'"{response}"', "algorithm": given["algorithm"],
                 "opaque": f'"{given["opaque"]}"'}
        if qop:
            words |= {"qop": qop, "nc": count, "cnonce": '"c0ffee"'}
        words |= changes
        return "Digest " + ", ".join(f"{k}={v}" for k, v in words.items() if v is not None)


@pytest.fixture
def make(certificate):
    """make(transport, ..) gives a server and a client."""
    made = []

    def run(transport="udp", listen=None, **options):
        server = SipServer(transport, certificate=certificate, **options)
        server.start()
        made.append(server)
        client = Client(server, listen)
        made.append(client)
        return server, client

    yield run
    for one in made:
        one.stop() if isinstance(one, SipServer) else one.close()


def accused(server, words):
    server.wait(lambda: any(words in v for v in server.violations), f"a violation with {words!r}", 5)


# ---- a proper server and a proper client


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("record_route", (False, True))
def test_a_subscription_from_first_to_last(make, transport, record_route):
    server, client = make(transport, record_route=record_route, max_in_flight=1)
    server.set_state("presence", ANN, BODY)
    assert client.subscribe().status == 200
    assert client.target != ANN and len(client.routes) == (2 if record_route else 0)
    first = client.notified()
    assert (first.body, first.event) == (BODY, "presence")
    assert first.header("subscription-state").startswith("active;expires=")
    assert first.all("record-route") == client.routes
    (active,) = server.subscriptions()
    assert (active.event, active.uri, active.call_id) == ("presence", ANN, client.call_id) and active.expires > 590
    server.set_state("presence", ANN, BODY + b"<!-- 2 -->")
    second = client.notified()
    assert second.body.endswith(b"2 -->") and second.cseq[0] > first.cseq[0]
    assert client.subscribe().status == 200
    client.notified()
    assert client.subscribe(changes={"Expires": "0"}).status == 200
    assert client.notified().header("subscription-state") == "terminated;reason=timeout"
    server.wait(lambda: len([n for n in server.notifies if n.status == 200]) == 4, "four answered NOTIFYs")
    assert server.subscriptions() == [] and server.violations == []
    assert (server.counters["SUBSCRIBE"], server.counters["NOTIFY"], server.peak_in_flight) == (3, 4, 1)
    assert [r.method for r in server.requests] == ["SUBSCRIBE"] * 3


def test_fetch_and_dialog_package(make):
    server, client = make()
    server.set_state("dialog", "sip:ann@example.test", b"<dialog-info/>")
    assert client.subscribe(event="dialog", changes={"Expires": "0"}).header("expires") == "0"
    notify = client.notified()
    assert notify.header("content-type") == ACCEPT["dialog"] and notify.body == b"<dialog-info/>"
    assert notify.header("subscription-state").startswith("terminated")
    assert server.subscriptions() == [] and server.violations == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_options_and_keep_alive(make, transport):
    server, client = make(transport)
    client.request("OPTIONS", uri=f"sip:127.0.0.1:{server.port}")
    assert client.response().status == 200
    server.misbehave("status", times=1, method="OPTIONS", code=503, headers={"Retry-After": "7"})
    client.request("OPTIONS")
    assert client.response().header("retry-after") == "7"
    if transport != "udp":
        client.send(b"\r\n\r\n")
        assert client.sock.recv(10) == b"\r\n"
        server.keep_alive = False
        client.send(b"\r\n\r\n")
        server.wait(lambda: server.counters["ping"] == 2, "a second ping")
        assert client.read(0.1) is None
    assert server.violations == []


@pytest.mark.parametrize("transport", ("tcp", "tls"))
def test_second_connection(make, certificate, transport):
    listener = socket.create_server(("127.0.0.1", 0))
    server, client = make(transport, listen=listener.getsockname()[1], second_connection=True)
    client.subscribe()
    listener.settimeout(5)
    sock, _ = listener.accept()
    if transport == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        sock = context.wrap_socket(sock, server_side=True)
    client.sock, first = sock, client.sock
    assert client.notified().method == "NOTIFY"
    server.wait(lambda: server.notifies[0].status == 200, "an answer over the second connection")
    assert server.violations == []
    for end in (first, listener):
        end.close()


def test_contact_that_nobody_listens_at(make):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    server, client = make("tcp", listen=port, second_connection=True)
    client.subscribe()
    accused(server, "is not reachable")


def test_udp_notify_is_repeated_until_it_is_answered(make):
    server, client = make()
    client.subscribe()
    first, second = client.read(), client.read()
    assert first.raw == second.raw and 0.4 < second.time - first.time < 1.5
    client.answer(first)
    server.wait(lambda: server.notifies[0].status == 200, "an answer")
    while client.read(0.6):
        pass
    assert client.read(1.1) is None and server.violations == []
    assert server.notifies[0].state == "active;expires=600"


def test_a_slow_answer_is_noticed(make):
    server, client = make("tcp")
    client.subscribe()
    accused(server, "none within 2.0 s")


def test_threads_end(certificate):
    server = SipServer("tls", certificate=certificate)
    with server:
        thread = server._loop.thread
        client = Client(server)
        client.subscribe()
    assert not thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
    with server:
        other = Client(server)
        assert other.subscribe().status == 200
        other.close()
    client.close()


# ---- wrong clients


def without(name):
    return {"changes": {name: None}}


def changed(name, value):
    return {"changes": {name: value}}


def replaced(old, new):
    return {"edit": lambda raw: raw.replace(old, new, 1)}


COOKIELESS = "SIP/2.0/UDP 127.0.0.1:9;branch=1;rport"
WRONG_FIRST = (
    ("version is SIP/7.0", replaced(b" SIP/2.0", b" SIP/7.0")),
    ("unreadable: neither a request line", replaced(b"SUBSCRIBE sip", b"SUBSCRIBE  sip")),
    ("unreadable: there is no empty line", replaced(b"\r\n\r\n", b"\r\n")),
    ("is not a SIP URI", {"uri": "<sip:ann@example.test>"}),
    ("method PUBLISH is not expected", {"method": "PUBLISH"}),
    ("does not end with CRLF", replaced(b"\r\nMax", b"\nMax")),
    ("NUL byte", replaced(b"Max-Forwards: 70", b"Max-Forwards: 70\0")),
    ("not a header line", replaced(b"Max-Forwards:", b"Max Forwards:")),
    *((f"header {name.lower()} is missing", without(name)) for name in ("Max-Forwards", "To", "From", "Call-ID", "CSeq",
                                                                        "Via")),
    ("header event is there 2 times", replaced(b"Event:", b"o: presence\r\nEvent:")),
    ("branch '1' is not", changed("Via", COOKIELESS)),
    ("transport is TCP", replaced(b"SIP/2.0/UDP", b"SIP/2.0/TCP")),
    ("rport is missing", replaced(b";rport", b"")),
    ("rport has a value", replaced(b";rport", b";rport=9")),
    ("Via: 2 of them", replaced(b"\r\nMax", b"\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nMax")),
    ("From: tag is missing", changed("From", "<sip:watcher@example.test>")),
    ("From: 'watcher' is not a SIP URI", changed("From", "<watcher>;tag=1")),
    ("Call-ID: 'a b'", changed("Call-ID", "a b")),
    ("CSeq: method OPTIONS", changed("CSeq", "1 OPTIONS")),
    ("CSeq: '4294967296 SUBSCRIBE'", changed("CSeq", "4294967296 SUBSCRIBE")),
    ("Max-Forwards: '0'", changed("Max-Forwards", "0")),
    ("Content-Length: '9', but", replaced(b"Content-Length: 0", b"Content-Length: 9")),
    ("Content-Type is missing", {"body": b"hello"}),
    ("size: ", changed("Subject", "x" * 1000)),
    ("Contact: 0 of them", without("Contact")),
    ("Contact: 0.0.0.0:9 is not reachable", changed("Contact", "<sip:me@0.0.0.0:9>")),
    ("do not fit to udp", changed("Contact", "<sip:me@127.0.0.1:9;transport=tcp>")),
    ("do not fit to udp", changed("Contact", "<sips:me@127.0.0.1:9>")),
    ("Contact: 'tel:1' is not", changed("Contact", "<tel:1>")),
    ("Contact: me.invalid:9 is not", changed("Contact", "<sip:me@me.invalid:9>")),
    ("Event is missing", without("Event")),
    ("Accept is missing", without("Accept")),
    ("Accept: application/pidf+xml is missing", changed("Accept", "text/plain")),
    ("does not belong to Event presence", changed("Accept", ", ".join(ACCEPT.values()))),
    ("Expires: 'nothing'", without("Expires")),
    ("Expires: 'soon'", changed("Expires", "soon")),
    ("To: tag abc is not one of ours", changed("To", f"<{ANN}>;tag=abc")),
)


@pytest.mark.parametrize("words,options", WRONG_FIRST, ids=[w for w, _ in WRONG_FIRST])
def test_wrong_first_request(make, words, options):
    server, client = make()
    client.request(**options)
    accused(server, words)
    assert not any("simulator itself" in v for v in server.violations)


WRONG_REFRESH = (
    ("CSeq: 1 does not rise", changed("CSeq", "1 SUBSCRIBE")),
    ("From: tag is other", changed("From", "<sip:watcher@example.test>;tag=other")),
    ("the URI is another one", changed("From", "<sip:else@example.test>;tag={tag}")),
    ("To: tag is missing", changed("To", f"<{ANN}>")),
    ("To: tag wrong is not one of ours", changed("To", f"<{ANN}>;tag=wrong")),
    ("is not our Contact", {"uri": ANN}),
    ("Route: []", without("Route")),
    ("Route: ['sip:core", {"turn": True}),
    ("it was 'presence' in this dialog", {"event": "dialog"}),
    ("Accept is missing", without("Accept")),
    ("Contact: 0 of them", without("Contact")),
    ("with other bytes", {"branch": True}),
)


@pytest.mark.parametrize("words,options", WRONG_REFRESH, ids=[w for w, _ in WRONG_REFRESH])
def test_wrong_refresh(make, words, options):
    server, client = make(record_route=True)
    client.subscribe()
    client.notified()
    assert server.violations == []
    options = dict(options)
    if "changes" in options:
        options["changes"] = {k: v and v.format(tag=client.tag) for k, v in options["changes"].items()}
    if options.pop("turn", False):
        client.routes.reverse()
    if options.pop("branch", False):
        client.branches -= 1
    client.request(**options)
    accused(server, words)


def test_wrong_on_a_stream(make):
    server, client = make("tcp")
    raw = client.request()
    client.send(raw)
    accused(server, "sent again over a stream")
    client.send(raw.replace(b"Content-Length: 0\r\n", b""))
    accused(server, "no single numeric Content-Length")
    with pytest.raises(EOFError):
        while client.read():
            pass


def test_a_copy_gets_the_same_answer(make):
    server, client = make()
    raw = client.request()
    first = client.response()
    client.send(raw)
    assert client.response().raw == first.raw
    assert server.counters["SUBSCRIBE"] == 1 and server.requests[0].copies == 2 and server.violations == []


def test_too_many_at_a_time(make):
    server, client = make(max_in_flight=2)
    server.misbehave("swallow")
    for _ in range(2):
        client.request()
    server.wait(lambda: server.in_flight() == 2, "two")
    assert server.violations == []
    client.request()
    accused(server, "3 unanswered requests, 2 are allowed")


WRONG_RESPONSE = (
    ("response: Via is", {"Via": "SIP/2.0/UDP 1.2.3.4:5;branch={branch}"}),
    ("response: from is", {"From": "<sip:else@example.test>;tag=1"}),
    ("response: to is", {"To": "<sip:watcher@example.test>;tag=other"}),
    ("response: Call-ID or CSeq", {"Call-Id": "other"}),
    ("response: Call-ID or CSeq", {"Cseq": "1 SUBSCRIBE"}),
    ("response: status line SIP/2.0 7", {"status": 777}),
    ("response: Content-Length is '0'", {"tail": b"x"}),
    ("matches no request", {"Via": "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKother"}),
)


@pytest.mark.parametrize("words,changes", WRONG_RESPONSE)
def test_wrong_response(make, words, changes):
    server, client = make()
    client.subscribe()
    notify, changes = client.read(), dict(changes)
    status, tail = changes.pop("status", 200), changes.pop("tail", b"")
    client.answer(notify, status, {k: v.format(branch=notify.via.branch) for k, v in changes.items()}, tail)
    accused(server, words)


def test_a_response_from_another_address(make):
    server, client = make()
    client.subscribe()
    other = Client(server)
    other.answer(client.read())
    accused(server, "response: comes from")
    other.close()


def test_a_request_that_is_sent_for_ever(make):
    server, client = make()
    raw = client.request("OPTIONS")
    for _ in range(11):
        assert client.response().status == 200
        client.send(raw)
    accused(server, "sent 12 times")


# ---- digest


def test_digest_examples_of_the_standards():
    given = ("Mufasa", "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html",
             "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
             "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth")
    assert sip_digest.digest_response("MD5", *given) == "8ca523f5e9506fed4657c9700eebdbec"
    assert (sip_digest.digest_response("SHA-256", *given)
            == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
    older = ("Mufasa", "testrealm@host.com", "CircleOfLife", "GET", "/dir/index.html",
             "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    assert sip_digest.digest_response("MD5", *older) == "1949323746fe6a43ef61f9606e7febea"


@pytest.mark.parametrize("options", ({}, {"algorithms": ("SHA-256",)}, {"algorithms": ("SHA-256", "MD5")},
                                     {"proxy": True}, {"qop": False}), ids=str)
def test_digest(make, options):
    server, client = make()
    server.require_digest({"watcher": "secret"}, **options)
    challenges = client.subscribe()
    asks, answers = (("proxy-authenticate", "Proxy-Authorization") if options.get("proxy")
                     else ("www-authenticate", "Authorization"))
    values = [v for n, v in challenges.headers if n == asks]
    assert challenges.status == (407 if options.get("proxy") else 401)
    assert [v.partition("algorithm=")[2].partition(",")[0] for v in values] == list(options.get("algorithms", ("MD5",)))
    assert client.subscribe(changes={answers: client.authorization(values[0])}).status == 200
    client.notified()
    uri = client.target
    assert client.subscribe(changes={answers: client.authorization(values[0], uri)}).status == 200
    assert server.violations == []


@pytest.mark.parametrize("stale", (True, False))
def test_digest_nonce_that_expires(make, stale):
    server, client = make()
    server.require_digest({"watcher": "secret"}, uses=1, stale=stale)
    challenge = client.subscribe().header("www-authenticate")
    for _ in range(2):
        uri = client.target or ANN
        assert client.subscribe(changes={"Authorization": client.authorization(challenge, uri)}).status == 200
        client.notified()
        uri = client.target
        again = client.subscribe(changes={"Authorization": client.authorization(challenge, uri)})
        challenge = again.header("www-authenticate")
        assert again.status == 401 and ("stale=true" in challenge) == stale
    assert server.violations == [] and server.counters["challenge"] == 3


def test_digest_refused(make):
    server, client = make()
    digest = server.require_digest({"watcher": "secret"}, refuse=True)
    challenge = client.subscribe().header("www-authenticate")
    for _ in range(3):
        answer = client.subscribe(changes={"Authorization": client.authorization(challenge)})
        challenge = answer.header("www-authenticate")
        assert answer.status == 401 and "stale" not in challenge
    assert server.violations == []
    client.subscribe(changes={"Authorization": client.authorization(challenge)})
    accused(server, "credentials were refused 4 times")
    digest.refuse = False


WRONG_DIGEST = (
    ("realm", {"realm": '"other"'}), ("nonce", {"nonce": '"other"'}), ("is not the Request-URI", {"uri": '"sip:x@y"'}),
    ("response is wrong", {"response": '"00"'}), ("response is wrong", {"password": "other"}),
    ("username", {"username": '"else"'}), ("opaque", {"opaque": None}),
    ("algorithm 'SHA-256'", {"algorithm": "SHA-256"}),
    ("algorithm is quoted", {"algorithm": '"MD5"'}), ("qop is quoted", {"qop": '"auth"'}),
    ("realm is not quoted", {"realm": "example.test"}), ("qop is None", {"qop": None}), ("cnonce is", {"cnonce": None}),
    ("is not 8 small", {"nc": "1"}), ("begins at 2", {"nc": "00000002"}),
)


@pytest.mark.parametrize("words,changes", WRONG_DIGEST, ids=[f"{w}-{c}" for w, c in WRONG_DIGEST])
def test_wrong_digest(make, words, changes):
    server, client = make()
    server.require_digest({"watcher": "secret"})
    challenge = client.subscribe().header("www-authenticate")
    client.request(changes={"Authorization": client.authorization(challenge, **changes)})
    accused(server, words)


def test_wrong_digest_that_takes_two(make):
    server, client = make()
    server.require_digest({"watcher": "secret"}, algorithms=("MD5", "SHA-256"))
    challenges = [v for n, v in client.subscribe().headers if n == "www-authenticate"]
    client.request(changes={"Authorization": client.authorization(challenges[0])})
    server.wait(lambda: server.subscriptions(), "a subscription")
    assert server.violations == []
    other = Client(server)
    other.request(changes={"Authorization": client.authorization(challenges[0], nc="00000001")})
    accused(server, "nc 1 does not rise")
    other.request(changes={"Authorization": client.authorization(challenges[1])})
    accused(server, "was not the first algorithm")
    other.request(changes={"Proxy-Authorization": "Digest x=y"})
    accused(server, "credentials are not in authorization")
    other.request(changes={"Authorization": "Basic x=y"})
    accused(server, "scheme is 'Basic'")
    other.request(changes={"Authorization": "Digest x=y\r\nAuthorization: Digest x=y"})
    accused(server, "more than one set of credentials")
    server.require_digest({"watcher": "secret"}, qop=False)
    fresh = Client(server)
    challenge = fresh.subscribe().header("www-authenticate")
    fresh.close()
    other.request(changes={"Authorization": client.authorization(challenge, qop="auth")})
    accused(server, "though no qop was offered")
    other.close()


def test_nonces_that_are_expired_by_order(make):
    server, client = make()
    digest = server.require_digest({"watcher": "secret"})
    challenge = client.subscribe().header("www-authenticate")
    digest.expire()
    answer = client.subscribe(changes={"Authorization": client.authorization(challenge)})
    assert answer.status == 401 and "stale=true" in answer.header("www-authenticate")
    challenge = answer.header("www-authenticate")
    server.digest = None
    server.require_digest({"watcher": "secret"}, realm="other", algorithms=("SHA-256",), qop=False)
    answer = client.subscribe(changes={"Authorization": client.authorization(challenge)})
    assert "stale=true" in answer.header("www-authenticate")
    server.require_digest({"watcher": "secret"}, proxy=True)
    challenge = answer.header("www-authenticate")
    assert client.subscribe(changes={"Authorization": client.authorization(challenge)}).status == 407
    assert server.violations == []


# ---- misbehaviour


@pytest.mark.parametrize("code,headers", ((403, {}), (404, {}), (423, {"Min-Expires": "900"}), (480, {}), (481, {}),
                                          (489, {"Allow-Events": "dialog"}), (500, {}), (503, {"Retry-After": "9"}),
                                          (408, {}), (600, {})))
def test_any_answer(make, code, headers):
    server, client = make()
    server.misbehave("status", times=1, user="ann", code=code, headers=headers)
    answer = client.subscribe()
    assert answer.status == code and all(answer.header(k) == v for k, v in headers.items())
    assert client.subscribe().status == 200


def test_orders_by_user_and_phase(make):
    server, client = make()
    for_bob = server.misbehave("status", user="bob", code=403)
    refresh = server.misbehave("status", times=1, phase="refresh", code=481)
    assert client.subscribe().status == 200 and for_bob.used == 0
    client.notified()
    assert client.subscribe().status == 481 and refresh.used == 1 and server.subscriptions() == []
    for_bob.cancel()
    server.behave()
    with pytest.raises(ValueError):
        server.misbehave("nonsense")


def test_timing_of_answers(make):
    server, client = make()
    server.misbehave("trying", times=1)
    server.misbehave("late", times=1, seconds=0.3)
    server.misbehave("accepted", times=1)
    began = time.monotonic()
    client.request()
    assert client.response().status == 100 and client.response().status == 202
    assert 0.3 <= time.monotonic() - began < 2
    client.notified()
    other = Client(server)
    server.misbehave("swallow", times=1)
    other.send(other.request())
    assert other.response(0.3) is None and other.skipped == []
    assert server.violations == []
    other.close()


def test_lost_datagrams(make):
    server, client = make()
    server.misbehave("lose", times=1, copies=2)
    raw = client.request()
    client.send(raw)
    assert client.response(0.2) is None
    client.send(raw)
    assert client.response().status == 200
    second = Client(server)
    server.misbehave("lose_answer", times=1)
    raw = second.request()
    assert second.response(0.2) is None and len(second.skipped) == 1
    second.send(raw)
    assert second.response().status == 200
    assert server.violations == []
    second.close()


def test_order_of_answer_and_notify(make):
    server, client = make("tcp")
    server.misbehave("notify_first", times=1, gap=0.1)
    client.request()
    assert client.read().method == "NOTIFY" and client.read().status == 200
    other = Client(server)
    server.misbehave("no_notify", times=1)
    server.misbehave("expires", times=1, value=60)
    assert other.subscribe().header("expires") == "60"
    assert other.read(0.2) is None
    third = Client(server)
    server.misbehave("expires", times=1, value=None)
    assert third.subscribe().count("expires") == 0
    other.close()
    third.close()


def test_a_subscription_that_is_not_refreshed(make):
    server, client = make()
    client.subscribe(changes={"Expires": "1"})
    client.notified()
    assert client.notified().header("subscription-state") == "terminated;reason=timeout"
    assert len(server.expired) == 1 and not server.subscriptions()


@pytest.mark.parametrize("state", ("pending;expires=9", "active", "odd;expires=5", "terminated;reason=deactivated",
                                   "terminated;reason=probation;retry-after=9", "terminated", "terminated;reason=zzz"))
def test_subscription_states(make, state):
    server, client = make()
    server.misbehave("state", times=1, value=state)
    client.subscribe()
    assert client.notified().header("subscription-state") == state
    assert len(server.subscriptions()) == (not state.startswith("terminated"))


def test_terminate_and_notify(make):
    server, client = make()
    server.set_state("presence", ANN, BODY)
    client.subscribe()
    client.notified()
    server.set_state("presence", ANN, b"<x/>", notify=False)
    server.notify("presence", ANN, headers=[("X-Odd", "1")])
    odd = client.notified()
    assert odd.header("x-odd") == "1" and odd.body == b"<x/>"
    server.terminate("presence", ANN, "giveup", 7)
    assert client.notified().header("subscription-state") == "terminated;reason=giveup;retry-after=7"
    server.wait(lambda: server.notifies[-1].status == 200, "an answer")
    assert server.violations == []


@pytest.mark.parametrize("kind,options,holds", (
    ("empty_body", {}, lambda m: m.body == b"" and not m.count("content-type")),
    ("malformed_body", {}, lambda m: m.body == sip_faults.MALFORMED),
    ("body", {"value": b"<y/>", "content_type": "a/b"},
     lambda m: (m.body, m.header("content-type")) == (b"<y/>", "a/b")),
    ("wrong_type", {}, lambda m: m.body == BODY and m.header("content-type") == "text/plain"),
    ("big_body", {}, lambda m: len(m.body) >= 200 * 1024),
    ("headers", {"value": {"X-A": "b"}}, lambda m: m.header("x-a") == "b")))
def test_documents(make, kind, options, holds):
    server, client = make("tcp")
    server.set_state("presence", ANN, BODY)
    server.misbehave(kind, times=1, **options)
    client.subscribe()
    assert holds(client.notified())


@pytest.mark.parametrize("kind,holds", (
    ("low_cseq", lambda a, b: b.cseq[0] == a.cseq[0] - 1 and b.body == b"<old/>"),
    ("same_cseq", lambda a, b: b.cseq == a.cseq and b.via.branch != a.via.branch),
    ("repeat", lambda a, b: b.raw == a.raw),
    ("fork", lambda a, b: b.from_.tag != a.from_.tag and b.call_id == a.call_id),
    ("unknown_dialog", lambda a, b: b.call_id != a.call_id and b.to.tag != a.to.tag),
    ("wrong_event", lambda a, b: b.event == "reg")))
def test_additional_notifies(make, kind, holds):
    server, client = make("tcp")
    server.set_state("presence", ANN, BODY)
    server.misbehave(kind, times=1, body=b"<old/>")
    client.subscribe()
    proper, extra = client.notified(), client.notified()
    assert proper.body == BODY and holds(proper, extra)
    server.notify()
    assert client.notified().cseq[0] > proper.cseq[0] and server.violations == []


def test_notifies_that_do_not_wait_for_each_other(make):
    server, client = make("tcp")
    client.subscribe()
    server.set_state("presence", ANN, BODY)
    first = client.read()
    assert first.body == b"" and client.read(0.2) is None
    client.answer(first)
    client.notified()
    server.one_at_a_time = False
    for _ in range(2):
        server.set_state("presence", ANN, BODY)
    assert client.read().cseq[0] + 1 == client.read().cseq[0]


@pytest.mark.parametrize("close", (False, True))
def test_forgotten_subscriptions(make, close):
    server, client = make("tcp")
    client.subscribe()
    client.notified()
    server.forget(close=close)
    assert server.subscriptions() == []
    if close:
        with pytest.raises(EOFError):
            client.read()
    else:
        assert client.subscribe().status == 481
    assert server.violations == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_freeze(make, transport):
    server, client = make(transport)
    client.subscribe()
    client.notified()
    server.wait(lambda: server.notifies[0].status, "an answer")
    server.freeze()
    server.set_state("presence", ANN, BODY)
    client.request()
    assert client.read(0.3) is None
    server.thaw()
    assert client.response().status == 200
    assert [client.notified().body, client.notified().body][-1] == BODY
    assert len(server.requests) == 2 and server.violations == []


def test_connections_closed_and_refused(make):
    server, client = make("tcp")
    client.subscribe()
    server.stop_listening()
    server.close_connections(reset=True)
    with pytest.raises((EOFError, ConnectionResetError)):
        while client.read():
            pass
    with pytest.raises(ConnectionRefusedError):
        Client(server)
    server.listen_again()
    other = Client(server)
    assert other.subscribe().status == 200 and server.connections() == 1 and server.counters["accepted"] == 2
    other.close()


def parsed(raw):
    """The message, or None."""
    try:
        return Message(raw)
    except Malformed:
        return None


def frames(raw):
    """What a stream of these bytes is cut into, or None."""
    try:
        return list(Framer().feed(raw))
    except Malformed:
        return None


def lengths(raw):
    return [value for name, value in parsed(raw).headers if name == "content-length"]


# What is wrong with the bytes, and what becomes of them on a stream.
BROKEN = {
    "random": (lambda raw: len(raw) == 404 and parsed(raw) is None, None),
    "half": (lambda raw: raw.startswith(b"NOTIFY sip:") and b"\r\n\r\n" not in raw, "more"),
    "negative_length": (lambda raw: lengths(raw) == ["-5"], None),
    "contradicting_length": (lambda raw: lengths(raw) == ["7", str(len(BODY))], None),
    "huge_length": (lambda raw: int(*lengths(raw)) > 1 << 64, None),
    "lf_only": (lambda raw: raw.startswith(b"NOTIFY sip:") and b"\r" not in raw and b"\n\n" in raw, None),
    "big_head": (lambda raw: raw.startswith(b"NOTIFY sip:") and raw.count(b"\r\nX-Filler: ") > 2000, None),
    "nul": (lambda raw: b"\0" in raw and parsed(raw).faults == ["NUL byte in the head"], "whole"),
    "no_start": (lambda raw: raw.startswith(b"Via: ") and parsed(raw) is None, "whole")}


@pytest.mark.parametrize("kind", sip_faults.GARBAGE)
@pytest.mark.parametrize("transport", ("udp", "tcp"))
def test_garbage(make, transport, kind):
    wrong, cut = BROKEN[kind]
    server, client = make(transport)
    server.set_state("presence", ANN, BODY)
    client.subscribe()
    client.notified()
    client.sock.settimeout(5)

    server.garbage(kind)
    server.inject(b"hello")

    data = client.sock.recv(1 << 21)
    if transport == "udp":
        assert client.sock.recv(1 << 21) == b"hello"
    else:
        while not data.endswith(b"hello"):
            data += client.sock.recv(1 << 21)
        data = data.removesuffix(b"hello")
        assert frames(data) == {"more": [], "whole": [data], None: None}[cut]
        assert kind != "big_head" or len(data) > 1 << 19
    assert wrong(data)
    assert server.violations == []


def test_garbage_without_a_subscription(make):
    server, client = make("tcp")
    server.wait(server.connections, "the connection")
    server.garbage("negative_length")
    client.sock.settimeout(5)
    assert b"Content-Length: -5" in client.sock.recv(4096)


def test_client_that_disowns_a_notify(make):
    server, client = make()
    client.subscribe()
    client.notified(481)
    server.wait(lambda: not server.subscriptions(), "the end of the subscription")
    assert server.notifies[0].status == 481 and server.violations == []


def test_no_way_to_the_client(make):
    server, client = make("tcp")
    client.subscribe()
    client.notified()
    client.close()
    server.wait(lambda: not server.connections(), "the loss")
    server.set_state("presence", ANN, BODY)
    assert server.counters["undeliverable"] == 1 and server.notifies[1].status == 503
    assert len(server.subscriptions()) == 1 and server.violations == []


def test_big_document_in_a_datagram(make):
    server, client = make()
    server.misbehave("big_body", times=1)
    client.subscribe()
    assert 50000 < len(client.notified().raw) < 60000


def test_wait_says_what_did_not_happen(make):
    server, _ = make()
    with pytest.raises(AssertionError, match="a miracle"):
        server.wait(lambda: False, "a miracle", 0.1)


def test_lists_and_framing():
    assert split_list('"a, \\" b" <sip:x,y>;c=d , e,') == ['"a, \\" b" <sip:x,y>;c=d', "e"]
    framer, whole = Framer(), build("OPTIONS sip:a SIP/2.0", [("X", "1")], b"body")
    pieces = b"\r\n" + whole + b"\r\n\r\n" + whole
    got = [frame for n in range(len(pieces)) for frame in framer.feed(pieces[n:n + 1])]
    assert got == [whole, Framer.PING, whole]
    for bad in (b"X\r\nl: -1\r\n\r\n", b"X\n\nY\r\n\r\n", b"X" * 70000):
        with pytest.raises(Malformed):
            list(Framer().feed(bad))


def test_odd_record_route(make):
    server, client = make()
    server.record_route_text = "<sip:p1>;lr, <sip:p2>"
    assert client.subscribe().header("record-route") == server.record_route_text
    assert client.notified().header("record-route") == server.record_route_text
