"""The SIP peers of the other tests, against each other: a real Kamailio, a publisher, and a watcher of bytes.

SPDX-License-Identifier: MIT
"""

import hashlib
import itertools
import pathlib
import random
import re
import select
import socket
import ssl
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from kamailio import Failed, Kamailio  # noqa: E402
from waiting import Deadline, until  # noqa: E402
from publisher import Publisher, Refused, Unanswered, dialog_info, pidf  # noqa: E402

ANSWER_TIME = 10.0
ALICE = "sip:alice@example.test"
CREDENTIALS = ("watcher", 's"e\\c$ret #1')


# ---- a watcher ------------------------------------------------------------------------------


class Message:
    """A SIP message: the first line, headers (lower case names, the topmost of each) and the body."""

    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.first, *self.lines = head.decode().split("\r\n")
        self.headers = {}
        for line in self.lines:
            name, _, value = line.partition(":")
            self.headers.setdefault(name.strip().lower(), value.strip())
        self.status = int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else None

    def __getitem__(self, name):
        return self.headers.get(name, "")

    @property
    def state(self):
        return self["subscription-state"].split(";")[0]


def digest(challenge, credentials, method, uri):
    """The Authorization header that answers a WWW-Authenticate header."""
    field = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    algorithm = field.get("algorithm", "MD5")

    def hashed(*words):
        return hashlib.new({"MD5": "md5", "SHA-256": "sha256"}[algorithm], ":".join(words).encode()).hexdigest()

    user, password = credentials
    one, two = hashed(user, field["realm"], password), hashed(method, uri)
    answer = hashed(one, field["nonce"], "00000001", "c0ffee", "auth", two)
    return (f'Authorization: Digest username="{user}", realm="{field["realm"]}", nonce="{field["nonce"]}", uri="{uri}",'
            f' response="{answer}", algorithm={algorithm}, qop=auth, nc=00000001, cnonce="c0ffee"')


class Watcher:
    """A subscriber that speaks in bytes. It answers each NOTIFY with 200, and does not retransmit."""

    numbers = itertools.count(1)  # of all watchers, so that another one can go on with a dialog

    def __init__(self, server, transport="UDP", contact_port=None):
        self.domain, self.transport = server.domain, transport
        port = server.tls_port if transport == "TLS" else server.port
        if transport == "UDP":
            self.end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.end.connect(("127.0.0.1", port))
        else:
            self.end = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIME)
        if transport == "TLS":
            self.end = ssl.create_default_context(cafile=server.ca_file).wrap_socket(self.end,
                                                                                     server_hostname=server.domain)
        self.port = self.end.getsockname()[1]
        contact_transport = "" if transport == "UDP" else f";transport={transport.lower()}"
        self.contact = f"<sip:watcher@127.0.0.1:{contact_port or self.port}{contact_transport}>"
        self.buffer = b""
        self.responses, self.notifies = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end.close()

    # -- bytes

    def messages(self, data):
        """Whole messages: a datagram is one, a stream is cut by Content-Length."""
        if self.transport == "UDP":
            yield Message(data)
            return
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head = self.buffer.partition(b"\r\n\r\n")[0]
            length = len(head) + 4 + int(re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)[1])
            if len(self.buffer) < length:
                return
            message, self.buffer = self.buffer[:length], self.buffer[length:]
            yield Message(message)

    def receive(self, deadline):
        """Take in what arrives, and wait for something if there is nothing yet."""
        self.end.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.end.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            raise Deadline("nothing arrived") from None
        if not data:
            raise Deadline("the server has closed the connection")
        for message in self.messages(data):
            if message.status:
                self.responses.append(message)
            elif message.first.startswith("NOTIFY "):
                copied = [line for line in message.lines
                          if line.split(":")[0].lower() in ("via", "from", "to", "call-id", "cseq")]
                self.end.send("\r\n".join(["SIP/2.0 200 OK", *copied, "Content-Length: 0\r\n\r\n"]).encode())
                self.notifies.append(message)

    def request(self, method, uri, lines, credentials=None):
        """Send a request, answer its challenge if there are credentials, and return the last response."""
        word = f"{random.getrandbits(64):x}"
        head = [f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/{self.transport} 127.0.0.1:{self.port};branch=z9hG4bK{word}",
                f"CSeq: {next(self.numbers)} {method}", "Max-Forwards: 70", f"Contact: {self.contact}", *lines]
        self.end.send("\r\n".join([*head, "Content-Length: 0\r\n\r\n"]).encode())
        deadline = time.monotonic() + ANSWER_TIME
        while not (found := [one for one in self.responses if word in one["via"] and one.status >= 200]):
            self.receive(deadline)
        self.responses.clear()
        if found[0].status == 401 and credentials:
            return self.request(method, uri, [*lines, digest(found[0]["www-authenticate"], credentials, method, uri)])
        return found[0]

    # -- what tests call

    def options(self, uri, credentials=None):
        word = f"{random.getrandbits(64):x}"
        return self.request("OPTIONS", uri, [f"From: <sip:watcher@{self.domain}>;tag={word}", f"To: <{uri}>",
                                             f"Call-ID: {word}"], credentials)

    def subscribe(self, user, event="presence", expires=600, credentials=None):
        """A new subscription: (dialog to refresh it with, response)."""
        word, uri = f"{random.getrandbits(64):x}", f"sip:{user}@{self.domain}"
        dialog = {"uri": uri, "call": word, "to": f"<{uri}>", "event": event}
        return dialog, self.refresh(dialog, expires, credentials)

    def refresh(self, dialog, expires=600, credentials=None):
        """SUBSCRIBE in a dialog, or the one that makes it."""
        response = self.request("SUBSCRIBE", dialog["uri"], [
            f"From: <sip:watcher@{self.domain}>;tag={dialog['call']}", f"To: {dialog['to']}",
            f"Call-ID: {dialog['call']}", f"Event: {dialog['event']}", f"Expires: {expires}"], credentials)
        if 200 <= response.status < 300:
            dialog["to"] = response["to"]
            dialog["uri"] = response["contact"].strip("<>")
        return response

    def notify(self, word="", within=ANSWER_TIME):
        """The next NOTIFY that has `word` somewhere in its body."""
        deadline = time.monotonic() + within
        while True:
            while self.notifies:
                message = self.notifies.pop(0)
                if word.encode() in message.body:
                    return message
            self.receive(deadline)


@pytest.fixture(scope="module")
def server():
    with Kamailio() as one:
        yield one


def publisher_of(server, **options):
    return Publisher("127.0.0.1", server.port, server.domain, **options)


# ---- watching -------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_watch_presence(server, transport):
    with Watcher(server, transport) as watcher, publisher_of(server) as publisher:
        _, response = watcher.subscribe(f"bob{transport}")
        assert response.status == 200
        assert watcher.notify().state == "active"
        uri = f"sip:bob{transport}@example.test"
        publisher.publish(f"bob{transport}", pidf(uri, note="<&>", priority=0.5, idle=True))
        message = watcher.notify("busy")
        assert message["content-type"] == "application/pidf+xml"
        for part in (b"&lt;&amp;&gt;", b'priority="0.5"', b"idle", b"open"):
            assert part in message.body
        publisher.publish(f"bob{transport}", pidf(uri, "closed", ["on-the-phone", "meeting"]))
        assert b"meeting" in watcher.notify("on-the-phone").body
        publisher.remove(f"bob{transport}")
        assert b"on-the-phone" not in watcher.notify("closed").body


def test_where_a_notify_goes_by_tcp(server):
    """On the watcher's own connection if that is the Contact, and if not, by a new connection to the Contact."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(ANSWER_TIME)
        with Watcher(server, "TCP", contact_port=listener.getsockname()[1]) as watcher:
            assert watcher.subscribe("bob")[1].status == 200
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(ANSWER_TIME)
                assert accepted.recv(65536).startswith(b"NOTIFY ")
            assert not watcher.notifies


def test_watch_dialogs(server):
    with Watcher(server) as watcher, publisher_of(server) as publisher:
        assert watcher.subscribe("carol", "dialog")[1].status == 200
        watcher.notify()
        call = {"id": "d1", "state": "confirmed", "direction": "initiator", "remote": "sip:bob@example.test",
                "display": 'B & "B"', "held": True}
        publisher.publish("carol", dialog_info("sip:carol@example.test", 1, [call]), "dialog")
        message = watcher.notify("confirmed")
        assert message["content-type"] == "application/dialog-info+xml"
        for part in (b"initiator", b"sip:bob@example.test", b"+sip.rendering", b"&amp;"):
            assert part in message.body


def test_fetch(server):
    with Watcher(server) as watcher, publisher_of(server) as publisher:
        publisher.publish("dave", pidf("sip:dave@example.test"))
        publisher.publish("dave", dialog_info("sip:dave@example.test", 1, [{"id": 1, "state": "early"}]), "dialog")
        for event, word in (("presence", "busy"), ("dialog", "early")):
            assert watcher.subscribe("dave", event, expires=0)[1].status == 200
            assert watcher.notify(word).state == "terminated"
        assert not [key for key in server.subscriptions() if "dave" in key[1]]


def test_refusals(server):
    with Watcher(server, "TCP") as watcher:
        assert watcher.subscribe("missing1")[1].status == 404
        assert watcher.subscribe("forbidden1")[1].status == 403
        for event in ("weather", "message-summary", "xcap-diff"):
            assert watcher.subscribe("alice", event)[1].status == 489
        assert watcher.options("sip:anybody@anywhere.invalid").status == 200


def test_expires():
    with Kamailio(max_expires=30, min_expires=10) as server, Watcher(server) as watcher:
        _, brief = watcher.subscribe("alice", expires=5)
        assert (brief.status, brief["min-expires"]) == (423, "10")
        _, long = watcher.subscribe("alice", expires=600)
        assert (long.status, long["expires"]) == (200, "30")


# ---- counting -------------------------------------------------------------------------------


def test_subscriptions_are_counted():
    with Kamailio() as server, Watcher(server) as watcher:
        assert not server.subscriptions()
        one, _ = watcher.subscribe("alice")
        two, _ = watcher.subscribe("alice")
        watcher.subscribe("alice", "dialog")
        for number in range(50):
            watcher.subscribe(f"user{number}")
        assert server.subscriptions()["presence", ALICE] == 2
        assert server.subscriptions()["dialog", ALICE] == 1
        assert server.subscriptions().total() == 53
        watcher.refresh(one)
        watcher.refresh(two, expires=0)
        assert server.subscriptions()["presence", ALICE] == 1
        watcher.refresh(one, expires=1)
        until(lambda: ("presence", ALICE) not in server.subscriptions(), "the end of a subscription")


# ---- restarts -------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("how", ["kill", "stop"])
def test_restart(how, transport):
    with Kamailio() as server, Watcher(server, transport) as watcher, publisher_of(server) as publisher:
        dialog, _ = watcher.subscribe("alice")
        publisher.publish("alice", pidf(ALICE))
        watcher.notify("busy")
        port = server.port
        getattr(server, how)()
        assert not server.pids()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        server.start()
        assert server.port == port
        assert not server.subscriptions()
        with Watcher(server, transport) as another:
            assert another.refresh(dialog).status == 481
            another.subscribe("alice")
            publisher.publish("alice", pidf(ALICE, activities=["away"]))  # its ETag is unknown now
            assert another.notify("away")


def test_freeze():
    with Kamailio() as server, Watcher(server) as watcher:
        server.freeze()
        with publisher_of(server, timeout=1) as publisher, pytest.raises(Unanswered):
            publisher.publish("alice", pidf(ALICE))
        server.thaw()
        assert watcher.subscribe("alice")[1].status == 200


def test_close_leaves_nothing():
    with Kamailio() as server:
        server.freeze()
        group, folder = server.pids(), server.folder
        assert len(group) > 3
    assert not folder.exists()
    assert not [pid for pid in group if alive(pid)]


def alive(pid):
    """Whether a process runs; one that has ended may still be waiting for its parent."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_failed_start_tells_why():
    with pytest.raises(Failed, match="nonsense"):
        with Kamailio(parameters={("presence", "nonsense"): 1}):
            pass


def test_two_at_once(server):
    with Kamailio() as other:
        assert other.port != server.port
        with Watcher(other) as watcher:
            watcher.subscribe("erin")
        assert ("presence", "sip:erin@example.test") not in server.subscriptions()


# ---- security -------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_authentication(algorithm):
    with Kamailio(auth=algorithm, accounts=dict([CREDENTIALS])) as server:
        with Watcher(server) as watcher, publisher_of(server) as publisher:
            challenge = watcher.subscribe("alice")[1]
            assert challenge.status == 401
            assert challenge["www-authenticate"].endswith(f"algorithm={algorithm}")
            assert watcher.subscribe("alice", credentials=("watcher", "wrong"))[1].status == 401
            assert watcher.subscribe("alice", credentials=("nobody", "secret"))[1].status == 401
            assert watcher.options(ALICE).status == 401
            assert watcher.options(ALICE, CREDENTIALS).status == 200
            publisher.publish("alice", pidf(ALICE))
            dialog, response = watcher.subscribe("alice", credentials=CREDENTIALS)
            assert response.status == 200
            watcher.notify("busy")
            assert watcher.refresh(dialog).status == 401
            assert watcher.refresh(dialog, credentials=CREDENTIALS).status == 200
            assert watcher.subscribe("missing", credentials=CREDENTIALS)[1].status == 404


def test_tls():
    with Kamailio(tls=True) as server, publisher_of(server) as publisher:
        publisher.publish("alice", pidf(ALICE))
        with Watcher(server, "TLS") as watcher:
            assert watcher.subscribe("alice")[1].status == 200
            watcher.notify("busy")
        server.kill()
        server.start()
        with Watcher(server, "TLS") as watcher:
            assert watcher.subscribe("alice")[1].status == 200


def test_tls_with_another_name():
    with Kamailio(tls=True, tls_name="other.test") as server:
        with pytest.raises(ssl.SSLCertVerificationError, match="example.test"):
            Watcher(server, "TLS")


# ---- many -----------------------------------------------------------------------------------


def test_many_publications(server):
    with publisher_of(server) as publisher, Watcher(server) as watcher:
        for activity in ("away", "meal", "travel"):
            publisher.publish_many((f"many{number}", pidf(f"sip:many{number}@example.test", activities=[activity]),
                                    "presence") for number in range(2000))
        assert len(publisher.etags) == 2000
        for number in (0, 999, 1999):
            watcher.subscribe(f"many{number}", expires=0)
            assert watcher.notify("travel")


def test_publications_of_one_user_stay_in_order(server):
    with publisher_of(server) as publisher, Watcher(server) as watcher:
        publisher.publish_many(("frank", pidf("sip:frank@example.test", note=f"note {number}"), "presence")
                               for number in range(100))
        watcher.subscribe("frank", expires=0)
        assert watcher.notify("note ").body.count(b"note 99<") == 1


def test_refused_publication(server):
    with publisher_of(server) as publisher:
        with pytest.raises(Refused) as refused:
            publisher.publish_many([("gina", pidf("sip:gina@example.test"), "presence"), ("gina", "?", "presence")])
        assert (refused.value.status, refused.value.user) == (415, "gina")
        with pytest.raises(KeyError):
            publisher.remove("nobody")


def test_lost_datagrams_are_sent_again(server):
    with publisher_of(server) as publisher:
        copies = []
        send = publisher.send

        def lose(data):
            """Lose the first request, and the response to the second."""
            copies.append(data)
            if len(copies) > 1:
                send(data)
            if len(copies) == 2:
                assert select.select([publisher.socket], [], [], ANSWER_TIME)[0]
                publisher.socket.recv(65536)

        publisher.send = lose
        publisher.publish("heidi", pidf("sip:heidi@example.test"))
        assert (publisher.requests, publisher.retransmissions) == (1, 2)
        assert len(set(copies)) == 1
