"""A SIP PUBLISH client over UDP (RFC 3903), and builders for the documents it publishes.

    with Publisher("127.0.0.1", k.port, "example.test") as publisher:
        publisher.publish("alice", pidf("sip:alice@example.test", activities=("on-the-phone",)))
        publisher.remove("alice")

Each Publisher is one publisher to the server: it has one publication for a user and event, and changes that.

SPDX-License-Identifier: MIT
"""

import collections
import contextlib
import heapq
import itertools
import random
import select
import socket
import time
from xml.sax.saxutils import escape, quoteattr

CONTENT_TYPES = {"presence": "application/pidf+xml", "dialog": "application/dialog-info+xml"}
T1, T2 = 0.5, 4.0  # RFC 3261: the first retransmission, and the longest pause between two
TIMEOUT = 64 * T1


class Refused(AssertionError):
    """The server answered with an error."""

    def __init__(self, status, reason, user, event):
        super().__init__(f"PUBLISH of {event} of {user}: {status} {reason}")
        self.status, self.reason, self.user, self.event = status, reason, user, event


class Unanswered(AssertionError):
    """The server did not answer at all."""


# ---- one request ----------------------------------------------------------------------------


class Request:
    """A publication on its way: what to send, and when to send it again."""

    def __init__(self, user, body, event, expires):
        self.user, self.body, self.event, self.expires = user, body, event, expires
        self.key = user, event
        self.branch = ""
        self.data = b""
        self.pause = T1
        self.end = 0.0


def parse_response(data):
    """Status, reason and headers (lower case names, the topmost of each) of a response, or None."""
    head = data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    first, *lines = head.split("\r\n")
    words = first.split(" ", 2)
    if words[0] != "SIP/2.0" or len(words) < 2:
        return None
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return int(words[1]), words[2] if len(words) > 2 else "", headers


def branch_of(headers):
    """The branch of the topmost Via, which says what request a response belongs to."""
    for parameter in headers.get("via", headers.get("v", "")).split(",")[0].split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "branch":
            return value.strip()
    return ""


class Publisher:
    """Publishes the state of many users. Not for several threads at once."""

    def __init__(self, host, port, domain, timeout=TIMEOUT):
        self.domain = domain
        self.timeout = timeout
        self.etags = {}  # of our publications, by (user, event)
        self.requests = self.retransmissions = 0  # since the beginning
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setblocking(False)
        self.socket.connect((host, port))
        self.address = "{}:{}".format(*self.socket.getsockname())
        self.word = f"{random.getrandbits(48):x}"
        self.numbers = itertools.count(1)
        self.pending = {}  # requests without an answer, by branch
        self.timers = []  # heap of (when, branch)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the socket. Publications stay until they expire."""
        self.socket.close()

    # -- what tests call

    def publish(self, user, body, event="presence", expires=3600):
        """Publish a document, in place of what this publisher had published for the user and event."""
        self.run([Request(user, body, event, expires)], 1)

    def remove(self, user, event="presence"):
        """Take back what this publisher has published."""
        if (user, event) not in self.etags:
            raise KeyError(f"nothing published: {event} of {user}")
        self.run([Request(user, None, event, 0)], 1)

    def publish_many(self, publications, in_flight=32, expires=3600):
        """Publish each (user, body, event), with so many requests at once; those of one user and event in order.

        Raises the first refusal, after all that were sent have been answered. With several hundreds at once the
        server's socket overflows where the kernel does not allow large buffers, and that makes it slow.
        """
        self.run((Request(user, body, event, expires) for user, body, event in publications), in_flight)

    # -- requests

    def run(self, requests, in_flight):
        """Carry out all requests."""
        source = iter(requests)
        later = collections.defaultdict(collections.deque)  # requests whose user and event are busy
        failure = None
        window = 0
        while True:
            while window < in_flight and not failure and (request := next(source, None)):
                window += 1
                if request.key in later:
                    later[request.key].append(request)
                else:
                    later[request.key] = collections.deque()
                    self.start(request)
            if not self.pending:
                break
            for request, error in self.finished():
                window -= 1
                failure = failure or error
                waiting = later[request.key]
                if waiting and not failure:
                    self.start(waiting.popleft())
                else:
                    del later[request.key]
        if failure:
            raise failure

    def start(self, request):
        """Send a request for the first time, as a new transaction."""
        number = next(self.numbers)
        request.branch = f"z9hG4bK{self.word}.{number}"
        request.data = self.message(request, number)
        request.pause = T1
        now = time.monotonic()
        request.end = now + self.timeout
        self.pending[request.branch] = request
        heapq.heappush(self.timers, (now + T1, request.branch))
        self.requests += 1
        self.send(request.data)

    def message(self, request, number):
        uri = f"sip:{request.user}@{self.domain}"
        lines = [f"PUBLISH {uri} SIP/2.0", f"Via: SIP/2.0/UDP {self.address};branch={request.branch};rport",
                 f"From: <{uri}>;tag={self.word}", f"To: <{uri}>", f"Call-ID: {number}.{self.word}", "CSeq: 1 PUBLISH",
                 "Max-Forwards: 70", f"Event: {request.event}", f"Expires: {request.expires}"]
        if request.key in self.etags:
            lines.append(f"SIP-If-Match: {self.etags[request.key]}")
        body = (request.body or "").encode()
        if body:
            lines.append(f"Content-Type: {CONTENT_TYPES[request.event]}")
        lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def send(self, data):
        """Send a datagram. One that cannot be sent is like one that got lost: it is sent again later."""
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            try:
                self.socket.send(data)
            except ConnectionRefusedError:  # about an earlier datagram; this one was not sent
                self.socket.send(data)

    def finished(self):
        """Wait for something, and give what is finished by it: requests, each with an exception or None."""
        pause = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else 0.0
        select.select([self.socket], [], [], pause)
        done = list(self.receive())
        done += self.expire(time.monotonic())
        return done

    def receive(self):
        """All responses that have arrived."""
        while True:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue  # the server is down; perhaps it comes back
            response = parse_response(data)
            if response is None:
                continue
            request = self.pending.get(branch_of(response[2]))
            if request and response[0] >= 200:
                del self.pending[request.branch]
                yield from self.answered(request, *response)

    def answered(self, request, status, reason, headers):
        """What a final response means. One that says that our publication is gone starts the request anew."""
        if 200 <= status < 300:
            if request.expires == 0:
                self.etags.pop(request.key, None)
            elif "sip-etag" in headers:
                self.etags[request.key] = headers["sip-etag"]
            else:
                return [(request, Refused(status, "without SIP-ETag", request.user, request.event))]
            return [(request, None)]
        if status == 412 and self.etags.pop(request.key, None):
            if request.body is None:
                return [(request, None)]  # it shall be gone, and is
            self.start(request)
            return []
        return [(request, Refused(status, reason, request.user, request.event))]

    def expire(self, now):
        """Send again what has no answer yet; give those up whose time is over."""
        done = []
        while self.timers and self.timers[0][0] <= now:
            _, branch = heapq.heappop(self.timers)
            request = self.pending.get(branch)
            if not request:
                continue
            if now >= request.end:
                del self.pending[branch]
                done.append((request, Unanswered(f"PUBLISH of {request.event} of {request.user}: no answer")))
                continue
            request.pause = min(2 * request.pause, T2)
            heapq.heappush(self.timers, (min(now + request.pause, request.end), branch))
            self.retransmissions += 1
            self.send(request.data)
        return done


# ---- documents ------------------------------------------------------------------------------

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def pidf(entity, basic="open", activities=("busy",), note=None, priority=None, idle=False, tuple_id="t1"):
    """A presence document: one tuple, and a person with RPID activities (RFC 3863, 4479, 4480).

    Kamailio merges the documents of several publishers; the same tuple id replaces.
    """
    contact = f"<contact priority={quoteattr(str(priority))}>{escape(entity)}</contact>" if priority is not None else ""
    person = ""
    if activities:
        person += "<rpid:activities>" + "".join(f"<rpid:{one}/>" for one in activities) + "</rpid:activities>"
    if idle:
        person += "<rpid:user-input>idle</rpid:user-input>"
    if note is not None:
        person += f"<dm:note>{escape(note)}</dm:note>"
    return (f'{XML}<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
            f' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity={quoteattr(entity)}>'
            f"<tuple id={quoteattr(tuple_id)}><status><basic>{escape(basic)}</basic></status>{contact}</tuple>"
            f'<dm:person id={quoteattr("p" + tuple_id)}>{person}</dm:person></presence>\n')


def one_dialog(entity, dialog):
    """A dialog of a dialog-info document; only `id` and `state` are needed."""
    direction = f" direction={quoteattr(dialog['direction'])}" if dialog.get("direction") else ""
    local = f"<identity>{escape(entity)}</identity>"
    if dialog.get("held") is not None:
        rendering = "no" if dialog["held"] else "yes"
        local += f'<target uri={quoteattr(entity)}><param pname="+sip.rendering" pval="{rendering}"/></target>'
    remote = ""
    if dialog.get("remote"):
        display = f" display={quoteattr(dialog['display'])}" if dialog.get("display") else ""
        remote = f"<remote><identity{display}>{escape(dialog['remote'])}</identity></remote>"
    return (f"<dialog id={quoteattr(str(dialog['id']))}{direction}><state>{escape(dialog['state'])}</state>"
            f"<local>{local}</local>{remote}</dialog>")


def dialog_info(entity, version, dialogs=(), state="full"):
    """A dialog document (RFC 4235). A dialog is a dict: id, state, direction, remote, display, held."""
    return (f'{XML}<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}"'
            f' state={quoteattr(state)} entity={quoteattr(entity)}>'
            + "".join(one_dialog(entity, dialog) for dialog in dialogs) + "</dialog-info>\n")
