"""A simulated SIP/SIMPLE server (notifier) for tests: strict with its client, and misbehaving on command.

    with SipServer("tcp") as server:
        server.set_state("presence", "sip:ann@example.test", body)
        ... the program under test subscribes to sip:ann@127.0.0.1:{server.port} ...
        server.wait(lambda: server.subscriptions(), "a subscription")
        server.misbehave("status", times=2, user="ann", code=503, headers={"Retry-After": "5"})
        assert server.violations == []

Independent of the program under test: RFC 3261, 6665, 3856, 4235, 7616, 8760, 5626, 3581. The kinds of misbehaviour
are in sip_faults.py, the strictness in sip_rules.py and sip_digest.py, sockets in sip_net.py.

SPDX-License-Identifier: MIT
"""

import collections
import itertools
import os
import pathlib
import random
import re
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import sip_faults  # noqa: E402
import sip_rules  # noqa: E402
from sip_digest import EXPIRED, GOOD, WRONG, Digest  # noqa: E402
from sip_message import Framer, Malformed, Message, build, parse_uri  # noqa: E402
from sip_net import Datagrams, Loop, Net  # noqa: E402

PHRASES = {100: "Trying", 200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
           404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
           408: "Request Timeout", 423: "Interval Too Brief", 480: "Temporarily Unavailable",
           481: "Subscription does not exist", 489: "Bad Event", 500: "Server Internal Error",
           503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere"}
ENDS_SUBSCRIPTION = {404, 405, 410, 416, *range(480, 486), 489, 501, 604}
T1, T2, TIMER_F = 0.5, 4.0, 32.0

Subscribed = collections.namedtuple("Subscribed", "event uri expires call_id")


class Transaction:
    """A request of the client and our answer to it."""

    def __init__(self, request, peer):
        self.request, self.peer, self.time = request, peer, time.monotonic()
        self.answer, self.final, self.mute = None, None, False
        self.parked, self.copies_to_lose = None, 0


class Sent:
    """A NOTIFY of ours: the message, its bytes, and what became of it (status 0: nothing yet)."""

    def __init__(self, raw, peer, subscription, must_answer):
        self.raw, self.message, self.peer, self.subscription = raw, Message(raw), peer, subscription
        self.must_answer, self.status, self.response, self.copies = must_answer, 0, None, 1
        self.time, self.answered, self.timers, self.proceeding = time.monotonic(), None, [], False

    @property
    def state(self):
        return self.message.header("subscription-state")

    def settle(self, status):
        for timer in self.timers:
            timer.cancel()
        self.status, self.answered = self.status or status, time.monotonic()


class Subscription:
    def __init__(self, request, uri, tag, contact):
        self.event, self.event_header, self.uri = request.event, request.header("event"), uri
        self.call_id, self.remote, self.local_tag = request.call_id, request.header("from"), tag
        self.remote_tag = request.from_.tag
        self.local = f"<{request.to.uri}>;tag={tag}"
        self.contact, self.cseq = contact, random.randint(1, 1000)
        self.routes = request.all("record-route")
        self.target, self.peer, self.until, self.timer = request.contact.uri, None, 0.0, None
        self.sending, self.waiting = None, collections.deque()

    def next_cseq(self):
        self.cseq += 1
        return self.cseq


class SipServer:
    """See above. Attributes that may be changed while it runs:

    second_connection  NOTIFY goes over a connection of ours to the Contact's host and port (tcp, tls)
    record_route       True, or a list of URIs: the route set of new dialogs as the client has to send it
    record_route_text  raw Record-Route value for answers and NOTIFYs instead (to be odd)
    max_in_flight      so many unanswered requests at a time are allowed (None: any)
    keep_alive         whether CRLF CRLF is answered
    one_at_a_time      the next NOTIFY of a dialog waits for the answer to the one before
    min_expires, max_expires
    """

    def __init__(self, transport="udp", port=0, domain="example.test", certificate=None, *, second_connection=False,
                 record_route=False, max_in_flight=None, keep_alive=True):
        self.transport, self.port, self.domain, self.certificate = transport, port, domain, certificate
        self.second_connection, self.record_route, self.record_route_text = second_connection, record_route, None
        self.max_in_flight, self.keep_alive = max_in_flight, keep_alive
        self.min_expires, self.max_expires, self.one_at_a_time = 0, 3600, True
        self.violations, self.requests, self.notifies, self.expired = [], [], [], []
        self.counters = collections.Counter()
        self.digest = None
        self.peak_in_flight = 0
        self._memory = sip_rules.Memory(transport)
        self._states, self._faults, self._subscriptions, self._transactions = {}, [], {}, {}
        self._sent, self._outgoing, self._addresses, self._open, self._thawing = {}, {}, {}, {}, []
        self._nonces = {}
        self._names = itertools.count(1)
        self._disturbed = False
        self._loop = self._net = None

    # ---- life

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Begin to listen; after stop(), again on the same port, without subscriptions."""
        self._loop = Loop(self._complain)
        self._net = Net(self._loop, self.transport, self.port, self.certificate, self)
        self.port = self._net.port
        self._loop.start()

    def stop(self):
        if self._loop:
            self._loop.call(self._end)
            self._loop.stop()
            self._loop = None

    def _end(self):
        self._disturbed = True
        self._forget(None)
        self._net.close()
        self._addresses.clear()

    # ---- for the test: states

    def set_state(self, event, uri, body, notify=True):
        """The state of a user; None: nothing is known. Subscriptions hear of it, unless notify is false."""
        self._do(lambda: self._set_state(event, self.canonical(uri), body, notify))

    def notify(self, event=None, uri=None, **plan):
        """NOTIFY the matching subscriptions now; plan: state, body, content_type, headers, cseq, tag, must_answer.."""
        self._do(lambda: [self._notify(sub, "update", **plan) for sub in self._matching(event, uri)])

    def terminate(self, event=None, uri=None, reason=None, retry_after=None):
        """End the matching subscriptions with a NOTIFY that gives the reason."""
        state = "terminated" + (f";reason={reason}" if reason else "")
        self.notify(event, uri, state=state + (f";retry-after={retry_after}" if retry_after is not None else ""))

    # ---- for the test: misbehaviour

    def misbehave(self, kind, times=None, user=None, method=None, phase=None, **options):
        """Order a misbehaviour of sip_faults.py, for the next `times` (None: until cancelled), user(s) or all.

        method: OPTIONS, * or SUBSCRIBE; phase: initial, refresh, unsubscribe, fetch (of a SUBSCRIBE), options, answer
        (the NOTIFY that a SUBSCRIBE causes), update (any other NOTIFY). Requests without credentials do not count.
        """
        method = method or ("NOTIFY" if kind in sip_faults.NOTIFY_KINDS else "SUBSCRIBE")
        fault = sip_faults.Fault(kind, times, user, method, phase, options)
        self._faults.append(fault)
        return fault

    def behave(self, kind=None):
        """Cancel the orders of a kind, or all."""
        self._faults[:] = [fault for fault in self._faults if kind not in (None, fault.kind)]

    def require_digest(self, users, **options):
        """Challenge from now on; the options are those of Digest. Nonces given before are expired."""
        self.digest = Digest(users, options.pop("realm", self.domain), nonces=self._nonces, **options)
        return self.digest

    def forget(self, close=False, uri=None):
        """Drop the subscriptions without a word; their refreshes get 481."""
        self._loop.call(lambda: self._forget(uri))
        if close:
            self.close_connections()

    def freeze(self):
        """Like a stopped process: nothing is read, accepted or said until thaw()."""
        self._disturbed = True
        self._loop.call(self._loop.freeze)

    def thaw(self):
        self._loop.call(self._thaw)

    def close_connections(self, reset=False):
        self._disturbed = True
        self._loop.call(lambda: [link.close(reset=reset) for link in self._net.live_links()])

    def stop_listening(self):
        """New connections (or any datagram) are refused by the kernel."""
        self._disturbed = True
        self._loop.call(self._net.stop_listening)

    def listen_again(self):
        self._loop.call(lambda: self._net.socket or self._net.listen())

    def inject(self, data, times=1):
        """Send these bytes as they are, over every connection or to every client's address."""
        self._loop.call(lambda: [peer.send(data) for _ in range(times) for peer in self._peers()])

    def ping(self, times=1):
        """Send CRLF CRLF (RFC 5626) over every connection; counters["pong"] counts what is answered."""
        self._loop.call(lambda: [self._ping(link) for _ in range(times) for link in self._net.live_links()])

    def garbage(self, kind, times=1):
        """Send broken bytes of a kind of sip_faults.GARBAGE, made of a NOTIFY for each subscription, else of none."""
        self._loop.call(lambda: [self._garbage(kind) for _ in range(times)])

    # ---- for the test: assertions

    def subscriptions(self, event=None, uri=None):
        """The active ones: event, uri, seconds left, call_id."""
        now = time.monotonic()
        return [Subscribed(s.event, s.uri, s.until - now, s.call_id)
                for s in self._matching(event, uri) if s.until > now]

    def connections(self):
        """How many stream connections are open."""
        return sum(link.alive for link in list(self._net.links))

    def in_flight(self):
        """Requests without a final answer whose sender may still wait for one."""
        now = time.monotonic()
        return sum(now - t.time < TIMER_F and t.peer.alive for t in list(self._open.values()))

    def wait(self, condition, what, deadline=30):
        """Until condition() gives something true, which is returned; asked again whenever something happened here."""
        end = time.monotonic() + deadline
        while True:
            loop = self._loop
            seen = loop.turns if loop else 0
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not within {deadline} s: {what}; violations: {self.violations}")
            if loop:
                with loop.changed:
                    loop.changed.wait_for(lambda: loop.turns != seen, 0.05)

    # ---- what the sockets tell

    def frame(self, raw, peer):
        if raw == Framer.PING:
            self.counters["ping"] += 1
            if self.keep_alive and self.transport != "udp":
                peer.send(Framer.PONG)
            return
        if raw == Framer.PONG and self.transport != "udp":
            self.counters["pong"] += 1
            return
        try:
            message = Message(raw)
        except Malformed as error:
            self.unreadable(str(error), peer)
            return
        message.peer = peer
        if message.status:
            self._response(message, peer)
        else:
            self._request(message, peer)

    def unreadable(self, why, _peer):
        self._complain(f"unreadable: {why}")

    def lost(self, link, why):
        self.counters["lost"] += 1
        if not link.incoming and link.connecting:
            self._complain(f"Contact: {link.address[0]}:{link.address[1]} is not reachable: {why}")
        for sent in [s for s in self._sent.values() if s.peer is link and not s.status]:
            self._settled(sent, 503)

    def _complain(self, sentence, message=None):
        self.violations.append(sentence + (f" [{message!r}]" if message else ""))

    # ---- requests

    def _request(self, message, peer):
        if not all(message.count(name) for name in ("via", "from", "to", "call-id", "cseq")):
            for sentence in self._memory.request(message):
                self._complain(sentence, message)
            return
        key = (message.via.branch, message.via.by, message.method)
        if key in self._transactions:
            self._copy(self._transactions[key], message)
            return
        transaction = self._transactions[key] = self._open[id(message)] = Transaction(message, peer)
        self.requests.append(message)
        self.counters[message.method] += 1
        if self.transport == "udp":
            self._addresses[peer.address] = peer
        for sentence in self._memory.request(message):
            self._complain(sentence, message)
        self._pace(message)
        handlers = {"OPTIONS": self._options, "SUBSCRIBE": self._subscribe}
        handlers.get(message.method, self._not_allowed)(transaction)

    def _pace(self, message):
        flying = self.in_flight()
        self.peak_in_flight = max(self.peak_in_flight, flying)
        if self.max_in_flight is not None and flying > self.max_in_flight:
            self._complain(f"pace: {flying} unanswered requests, {self.max_in_flight} are allowed", message)

    def _copy(self, transaction, message):
        self.counters["copies"] += 1
        transaction.request.copies += 1
        for sentence in self._memory.copy(transaction.request, message):
            self._complain(sentence, message)
        if transaction.parked and transaction.request.copies > transaction.copies_to_lose:
            run, transaction.parked = transaction.parked, None
            run()
        elif transaction.answer:
            self._to_sender(transaction, transaction.answer)

    def _respond(self, transaction, code, headers=(), phrase=None, tag=None):
        request = transaction.request
        to = request.header("to")
        if code > 100 and not request.to.tag:
            to += f";tag={tag or os.urandom(6).hex()}"
        head = [*(("Via", self._stamped(via, transaction, n == 0)) for n, via in enumerate(request.all("via"))),
                ("From", request.header("from")), ("To", to), ("Call-ID", request.call_id),
                ("CSeq", request.header("cseq")), *headers]
        transaction.answer = build(f"SIP/2.0 {code} {phrase or PHRASES.get(code, 'Whatever')}", head)
        transaction.final = code if code >= 200 else None
        self.counters[code] += 1
        if transaction.final:
            self._open.pop(id(request), None)
        if not transaction.mute:
            self._to_sender(transaction, transaction.answer)

    def _stamped(self, via, transaction, top):
        if not top or self.transport != "udp" or "rport" not in transaction.request.via.params:
            return via
        host, port = transaction.peer.address
        return re.sub(r";\s*rport", f";received={host};rport={port}", via, count=1)

    def _to_sender(self, transaction, data):
        """Over UDP without rport, to the port of Via."""
        peer, via = transaction.peer, transaction.request.via
        if self.transport == "udp" and "rport" not in via.params:
            port = via.by.rpartition(":")[2]
            peer = Datagrams(self._net, (peer.address[0], int(port) if port.isdigit() else 5060))
        self._deliver(peer, data)

    def _deliver(self, peer, data):
        try:
            if peer.alive and self._net.socket or self.transport != "udp":
                peer.send(data)
        except OSError as error:
            self._complain(f"cannot send to {peer.address}: {error}")

    def _not_allowed(self, transaction):
        self._respond(transaction, 405, [("Allow", "OPTIONS, SUBSCRIBE")])

    def _options(self, transaction):
        self._after_faults(transaction, "options", lambda faults: self._answered(transaction, faults) or self._respond(
            transaction, 200, [("Allow", "OPTIONS, SUBSCRIBE"), ("Allow-Events", ", ".join(sip_rules.PACKAGES)),
                               ("Accept", "application/sdp")]))

    def _after_faults(self, transaction, phase, serve):
        """Credentials first; then what was ordered; then serve(faults), perhaps later."""
        if not self._authorized(transaction):
            return
        request = transaction.request
        faults = sip_faults.take(self._faults, sip_faults.ANSWER_KINDS, request.method,
                                 self.canonical(request.uri, request), phase)
        transaction.mute = "lose_answer" in faults
        if "swallow" in faults:
            return
        if "lose" in faults:
            transaction.copies_to_lose = faults["lose"].get("copies", 1)
            transaction.parked = lambda: serve(faults)
            return
        if "trying" in faults:
            self._respond(transaction, 100)
        if "late" in faults:
            self._loop.after(faults["late"]["seconds"], lambda: serve(faults))
        else:
            serve(faults)

    def _authorized(self, transaction):
        digest, request = self.digest, transaction.request
        if not digest or request.method not in digest.methods:
            return True
        verdict, sentences = digest.judge(request, self._disturbed)
        for sentence in itertools.chain(sentences, self._memory.refused(request, verdict == WRONG)):
            self._complain(sentence, request)
        if verdict == GOOD:
            return True
        self.counters["challenge"] += 1
        self._respond(transaction, digest.status, digest.challenge(verdict == EXPIRED))
        return False

    def _answered(self, transaction, faults):
        """An ordered status was given."""
        status = faults.get("status")
        if not status:
            return False
        headers = status.get("headers", ())
        self._respond(transaction, status["code"], headers.items() if isinstance(headers, dict) else headers,
                      status.get("phrase"))
        return True

    # ---- SUBSCRIBE

    def canonical(self, uri, request=None):
        """sip:user@host, with our domain for our own address; the watched URI of a dialog for a request inside it."""
        if request is not None and request.to.tag:
            sub = self._subscriptions.get((request.call_id, request.to.tag))
            uri = sub.uri if sub else request.to.uri
        parts = parse_uri(uri)
        if not parts:
            return uri
        host = self.domain if parts["host"] in ("127.0.0.1", "localhost") else parts["host"]
        return f"sip:{parts['user']}@{host}"

    def _subscribe(self, transaction):
        request = transaction.request
        phases = (("initial", "fetch"), ("refresh", "unsubscribe"))
        phase = phases[request.to.tag is not None][request.expires == 0]
        self._after_faults(transaction, phase, lambda faults: self._serve(transaction, faults))

    def _serve(self, transaction, faults):
        request = transaction.request
        sub = self._subscriptions.get((request.call_id, request.to.tag))
        if sub and faults.get("status", {}).get("code") in ENDS_SUBSCRIPTION:
            self._drop(sub)  # before the answer: who has read it finds us consistent
        if self._answered(transaction, faults):
            return
        refusal = self._refusal(request, sub)
        if refusal:
            self._respond(transaction, *refusal)
            return
        granted = min(self.max_expires if request.expires is None else request.expires, self.max_expires,
                      faults.get("expires", {}).get("value") or self.max_expires)
        if not sub:
            sub = self._new(request)
        self._refreshed(sub, request, transaction.peer, granted)
        self._accept(transaction, sub, granted, faults)

    def _refusal(self, request, sub):
        """(code, headers) of what a proper server refuses, or None."""
        asked = self.max_expires if request.expires is None else request.expires
        uri = parse_uri(request.uri)
        accepted = {value.partition(";")[0].lower() for value in request.all("accept")}
        rules = (
            (request.to.tag is not None and not sub, 481, ()),
            (not uri or not sub and not self.canonical(request.uri).endswith("@" + self.domain), 404, ()),
            (request.event not in sip_rules.PACKAGES, 489, [("Allow-Events", ", ".join(sip_rules.PACKAGES))]),
            (accepted and sip_rules.PACKAGES.get(request.event) not in accepted, 406, ()),
            (0 < asked < min(self.min_expires, 3600), 423, [("Min-Expires", str(self.min_expires))]),
            (not parse_uri(request.contact.uri), 400, ()),
        )
        return next(((code, headers) for holds, code, headers in rules if holds), None)

    def _new(self, request):
        contact = f"sip:notifier-{next(self._names)}@127.0.0.1:{self.port}"
        contact += "" if self.transport == "udp" else f";transport={self.transport}"
        sub = Subscription(request, self.canonical(request.uri), os.urandom(6).hex(), contact)
        sub.route_set = self._route_set()
        self._subscriptions[request.call_id, sub.local_tag] = sub
        self._memory.made(request.call_id, sub.local_tag,
                          sip_rules.Given(contact, None if self.record_route_text else sub.route_set,
                                          request.header("event")))
        return sub

    def _route_set(self):
        if self.record_route is True:
            end = f"@127.0.0.1:{self.port};transport={self.transport};lr"
            return [f"sip:edge{end}", f"sip:core{end}"]
        return list(self.record_route or ())

    def _record_route(self, sub, reverse):
        """Of a response the client turns the order round, of a NOTIFY it does not."""
        if self.record_route_text:
            return [("Record-Route", self.record_route_text)]
        return [("Record-Route", f"<{uri}>") for uri in (reversed(sub.route_set) if reverse else sub.route_set)]

    def _refreshed(self, sub, request, peer, granted):
        sub.target, sub.peer, sub.until = request.contact.uri, peer, time.monotonic() + granted
        if sub.timer:
            sub.timer.cancel()
        sub.timer = self._loop.after(granted, lambda: self._ran_out(sub)) if granted else None

    def _ran_out(self, sub):
        self.expired.append(Subscribed(sub.event, sub.uri, 0, sub.call_id))
        self._notify(sub, "update", state="terminated;reason=timeout")

    def _accept(self, transaction, sub, granted, faults):
        headers = [("Contact", f"<{sub.contact}>"), *self._record_route(sub, True)]
        if faults.get("expires", {}).get("value", 1) is not None:
            headers.append(("Expires", str(granted)))

        def answer():
            self._respond(transaction, 202 if "accepted" in faults else 200, headers, tag=sub.local_tag)

        def notify():
            if "no_notify" not in faults:
                self._notify(sub, "answer", **({} if granted else {"state": "terminated;reason=timeout"}))
            elif not granted:
                self._drop(sub)

        first = faults.get("notify_first")
        if first is None:
            answer()
            notify()
        else:
            notify()
            self._loop.after(first.get("gap", 0), answer)

    # ---- NOTIFY

    def _matching(self, event, uri):
        uri = uri and self.canonical(uri)
        return [s for s in list(self._subscriptions.values()) if event in (None, s.event) and uri in (None, s.uri)]

    def _set_state(self, event, uri, body, notify):
        self._states[event, uri] = body
        for sub in self._matching(event, uri) if notify else ():
            self._notify(sub, "update")

    def _notify(self, sub, phase, **plan):
        """Send a NOTIFY; if one_at_a_time, after the one on its way in this dialog is answered."""
        if self.one_at_a_time and sub.sending and not sub.sending.status:
            sub.waiting.append((phase, plan))
            return
        proper = self._states.get((sub.event, sub.uri)) or b""
        plan["proper_body"] = proper
        faults = sip_faults.take(self._faults, sip_faults.NOTIFY_KINDS, "NOTIFY", sub.uri, phase)
        extras = {kind: options for kind, options in faults.items() if kind in sip_faults.EXTRAS}
        for kind, options in faults.items():
            sip_faults.CHANGES.get(kind, lambda *_: None)(plan, options)
        plan.setdefault("body", proper)
        if "big_body" in faults:
            plan["must_answer"] = False
        ahead = {kind: options for kind, options in extras.items() if options.get("first")}
        self._extra(sub, ahead)
        plan.setdefault("cseq", sub.next_cseq())
        if (plan.get("state") or "").lower().startswith("terminated") or sub.until <= time.monotonic():
            self._drop(sub)
        sub.sending = self._send(sub, **plan)
        for _ in range(faults["repeat"].get("count", 1) if "repeat" in faults else 0):
            self._deliver(sub.sending.peer, sub.sending.raw)
        self._extra(sub, {kind: options for kind, options in extras.items() if kind not in ahead})

    def _extra(self, sub, extras):
        for kind, options in extras.items():
            plan = {name: options[name] for name in sip_faults.EXTRA_OPTIONS if name in options}
            plan.setdefault("body", self._states.get((sub.event, sub.uri)) or b"")
            self._send(sub, **plan, **sip_faults.EXTRAS[kind](sub, options))

    def _bytes(self, sub, body=b"", cseq=0, state=None, content_type=None, tag=None, call_id=None, to_tag=None,
               event=None, headers=(), **_):
        left = max(0, round(sub.until - time.monotonic()))
        via = f"SIP/2.0/{self.transport.upper()} 127.0.0.1:{self.port};branch=z9hG4bK{os.urandom(8).hex()}"
        head = [("Via", via + (";rport" if self.transport == "udp" else "")), ("Max-Forwards", "70"),
                *(("Route", value) for value in sub.routes), *self._record_route(sub, False),
                ("From", sub.local.replace(sub.local_tag, tag) if tag else sub.local),
                ("To", sub.remote.replace(sub.remote_tag, to_tag) if to_tag else sub.remote),
                ("Call-ID", call_id or sub.call_id), ("CSeq", f"{cseq} NOTIFY"), ("Contact", f"<{sub.contact}>"),
                ("Event", event or sub.event_header),
                ("Subscription-State", state or f"active;expires={left}"), *headers]
        if body:
            head.append(("Content-Type", content_type or sip_rules.PACKAGES[sub.event]))
        return build(f"NOTIFY {sub.target} SIP/2.0", head, body)

    def _send(self, sub, must_answer=True, **plan):
        peer = self._way(sub)
        if self.transport == "udp" and len(plan["body"]) > 58000:
            plan["body"] = plan["body"][:58000]
        sent = Sent(self._bytes(sub, **plan), peer, sub, must_answer)
        self._sent[sent.message.via.branch] = sent
        self.notifies.append(sent)
        self.counters["NOTIFY"] += 1
        if peer is None or not peer.alive:
            self.counters["undeliverable"] += 1
            sent.settle(503)
            return sent
        self._deliver(peer, sent.raw)
        sent.timers = [self._loop.after(TIMER_F, lambda: self._settled(sent, 408))]
        if must_answer:
            sent.timers.append(self._loop.after(sip_rules.ANSWER_WITHIN, lambda: self._overdue(sent)))
        if self.transport == "udp":
            self._again(sent, T1)
        return sent

    def _overdue(self, sent):
        self._complain(f"response: none within {sip_rules.ANSWER_WITHIN} s", sent.message)

    def _again(self, sent, wait):
        """Timer E."""
        def run():
            sent.copies += 1
            self.counters["NOTIFY copies"] += 1
            self._deliver(sent.peer, sent.raw)
            self._again(sent, T2 if sent.proceeding else min(2 * wait, T2))

        sent.timers.append(self._loop.after(wait, run))

    def _way(self, sub):
        """The peer that NOTIFYs of a dialog go to; None if there is no way."""
        uri = parse_uri(sub.target) or {"host": "", "port": 0}
        host, port = uri["host"], uri["port"] or (5061 if self.transport == "tls" else 5060)
        try:
            return self._reach(sub, host, port)
        except (OSError, OverflowError) as error:
            self._complain(f"Contact: {host}:{port} is not reachable: {error}")
            return None

    def _reach(self, sub, host, port):
        if self.transport == "udp":
            peer = Datagrams(self._net, (socket.gethostbyname(host), port))
            return self._addresses.setdefault(peer.address, peer)
        if not self.second_connection:
            return sub.peer
        link = self._outgoing.get((host, port))
        if not link or not link.alive:
            link = self._outgoing[host, port] = self._net.connect(host, port)
        return link

    def _response(self, message, peer):
        sent = self._sent.get(message.via.branch)
        if not sent or not sent.peer:
            self._complain("response: matches no request of ours", message)
            return
        if peer.address != sent.peer.address or self.transport != "udp" and peer is not sent.peer:
            self._complain(f"response: comes from {peer.address}, the request went to {sent.peer.address}", message)
        for sentence in sip_rules.response(sent.message, message):
            self._complain(sentence, message)
        sent.response = message
        if message.status < 200:
            sent.proceeding = True
        elif not sent.status:
            self._settled(sent, message.status)

    def _settled(self, sent, status):
        sent.settle(status)
        sub = sent.subscription
        if sent is not sub.sending:
            return
        if status in ENDS_SUBSCRIPTION or status == 408:
            self._drop(sub)
        if sub.waiting:
            phase, plan = sub.waiting.popleft()
            self._notify(sub, phase, **plan)

    # ---- the rest

    def _drop(self, sub):
        self._subscriptions.pop((sub.call_id, sub.local_tag), None)
        sub.waiting.clear()
        if sub.timer:
            sub.timer.cancel()

    def _forget(self, uri):
        for sub in self._matching(None, uri):
            self._drop(sub)
            if sub.sending:
                sub.sending.settle(0)

    def _do(self, run):
        """Now, or when thawed."""
        self._loop.call(lambda: self._thawing.append(run) if self._loop.frozen_at else run())

    def _thaw(self):
        self._loop.thaw()
        for link in self._net.live_links():
            link.ready(0)
        waiting, self._thawing = self._thawing, []
        for run in waiting:
            run()

    def _peers(self):
        return list(self._addresses.values()) if self.transport == "udp" else self._net.live_links()

    def _ping(self, link):
        link.framer.pongs += 1
        link.send(Framer.PING)

    def _garbage(self, kind):
        make, subs = sip_faults.GARBAGE[kind], list(self._subscriptions.values())
        if not subs:
            plain = build("NOTIFY sip:nobody@127.0.0.1 SIP/2.0", [("Max-Forwards", "70")])
            for peer in self._peers():
                self._deliver(peer, make(plain))
        for sub in subs:
            peer = self._way(sub)
            raw = self._bytes(sub, self._states.get((sub.event, sub.uri)) or b"", sub.next_cseq())
            sent = Sent(raw, peer, sub, False)
            self._sent[sent.message.via.branch] = sent
            if peer and peer.alive:
                self._deliver(peer, make(raw))
