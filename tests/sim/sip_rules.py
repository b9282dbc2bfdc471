"""What the simulated SIP server holds against its client: one small function a rule, each yields sentences.

SPDX-License-Identifier: MIT
"""

import ipaddress
import re

from sip_message import TOKEN, Via, parse_uri, split_list

COOKIE = "z9hG4bK"
LARGEST_UDP = 1300
ANSWER_WITHIN = 2.0
COPIES = 11  # timer E sends a request at most so often before timer F fires
ONCE = ("from", "to", "call-id", "cseq", "max-forwards", "event", "expires", "content-length", "content-type")
MANDATORY = ("via", "max-forwards", "to", "from", "call-id", "cseq")
PACKAGES = {"presence": "application/pidf+xml", "dialog": "application/dialog-info+xml"}
ANY = ("OPTIONS", "SUBSCRIBE")
SUBSCRIBE = ("SUBSCRIBE",)


class Given:
    """What we gave the client when we made a dialog, kept even after the server forgot the subscription."""

    def __init__(self, contact, routes, event):
        self.contact, self.routes, self.event = contact, routes, event


class Call:
    """What is remembered of the requests with one Call-ID."""

    def __init__(self, message):
        self.from_, self.to, self.cseq = message.from_, message.to, -1
        self.tags = {}
        self.refused = 0


def start_line(_memory, message, _call):
    if message.version != "SIP/2.0":
        yield f"request line: version is {message.version}"
    if not parse_uri(message.uri):
        yield f"request line: {message.uri!r} is not a SIP URI"
    if message.method not in ANY:
        yield f"request line: method {message.method} is not expected"


def mandatory_headers(_memory, message, _call):
    for name in MANDATORY:
        if not message.count(name):
            yield f"header {name} is missing"
    for name in ONCE:
        if message.count(name) > 1:
            yield f"header {name} is there {message.count(name)} times"


def via(memory, message, _call):
    top = message.via
    if len(message.all("via")) != 1:
        yield f"Via: {len(message.all('via'))} of them from the sender of the request"
    if top.transport != memory.transport.upper():
        yield f"Via: transport is {top.transport or 'unreadable'}, not {memory.transport.upper()}"
    if not re.fullmatch(re.escape(COOKIE) + TOKEN, top.branch):
        yield f"Via: branch {top.branch!r} is not {COOKIE} and more"
    if memory.transport == "udp" and "rport" not in top.params:
        yield "Via: rport is missing"
    if top.params.get("rport"):
        yield "Via: rport has a value in a request"


def identities(_memory, message, _call):
    for name, address in (("From", message.from_), ("To", message.to)):
        if message.count(name) and not parse_uri(address.uri):
            yield f"{name}: {address.uri!r} is not a SIP URI"
    if not message.from_.tag:
        yield "From: tag is missing"
    if not re.fullmatch(r"[^\s@]+(@[^\s@]+)?", message.call_id):
        yield f"Call-ID: {message.call_id!r} is not word or word@word"


def cseq(_memory, message, call):
    number, method = message.cseq
    if number < 0 or number >= 2 ** 31:
        yield f"CSeq: {message.header('cseq')!r} is not a number below 2**31 and a method"
    elif method != message.method:
        yield f"CSeq: method {method} is not {message.method}"
    elif number <= call.cseq:
        yield f"CSeq: {number} does not rise, {call.cseq} came before"
    call.cseq = max(call.cseq, number)


def max_forwards(_memory, message, _call):
    value = message.header("max-forwards")
    if not re.fullmatch(r"[0-9]+", value) or not 1 <= int(value) <= 255:
        yield f"Max-Forwards: {value!r} is not 1 to 255"


def content(memory, message, _call):
    """On a stream the framing has already refused a missing or contradicting Content-Length."""
    length = message.header("content-length")
    if length and (not re.fullmatch(r"[0-9]+", length) or int(length) != len(message.body)):
        yield f"Content-Length: {length!r}, but the body has {len(message.body)} bytes"
    if message.body and not message.count("content-type"):
        yield "Content-Type is missing though there is a body"
    if memory.transport == "udp" and len(message.raw) > LARGEST_UDP:
        yield f"size: {len(message.raw)} bytes are too much for UDP"


def same_identity(_memory, message, call):
    if message.from_.tag != call.from_.tag:
        yield f"From: tag is {message.from_.tag}, it was {call.from_.tag} with this Call-ID"
    if (message.from_.uri, message.to.uri) != (call.from_.uri, call.to.uri):
        yield "From or To: the URI is another one than before with this Call-ID"


def contact(memory, message, _call):
    values = message.all("contact")
    if len(values) != 1:
        yield f"Contact: {len(values)} of them"
        return
    uri = parse_uri(message.contact.uri)
    if not uri:
        yield f"Contact: {message.contact.uri!r} is not a SIP URI"
        return
    yield from reachable(memory.transport, uri)


def reachable(transport, uri):
    try:
        unspecified = ipaddress.ip_address(uri["host"]).is_unspecified
    except ValueError:
        unspecified = uri["host"].endswith(".invalid")
    if unspecified or uri["port"] is not None and not 0 < uri["port"] < 65536:
        yield f"Contact: {uri['host']}:{uri['port']} is not reachable"
    if uri["scheme"] == "sips" and transport == "tls":
        return
    named = (uri["params"].get("transport") or "udp").lower()
    if named != transport or uri["scheme"] != "sip":
        yield f"Contact: scheme {uri['scheme']} and transport {named} do not fit to {transport}"


def package(_memory, message, _call):
    if not message.event:
        yield "Event is missing"
    accepted = [split_list(value, ";")[0].lower() for value in message.all("accept")]
    if not accepted:
        yield "Accept is missing"
        return
    mine = PACKAGES.get(message.event)
    if mine and mine not in accepted:
        yield f"Accept: {mine} is missing, Event is {message.event}"
    for other in set(PACKAGES.values()) - {mine}:
        if mine and other in accepted:
            yield f"Accept: {other} does not belong to Event {message.event}"


def expires(_memory, message, _call):
    if message.expires is None or message.expires >= 2 ** 32:
        yield f"Expires: {message.header('expires') or 'nothing'!r} is not a number"


def outside_dialog(_memory, message, call):
    if message.to.tag is None and call.tags:
        yield "To: tag is missing in a request of a dialog that exists"


def inside_dialog(_memory, message, call):
    if message.to.tag is None:
        return
    given = call.tags.get(message.to.tag)
    if not given:
        yield f"To: tag {message.to.tag} is not one of ours for this Call-ID"
        return
    if message.uri != given.contact:
        yield f"Request-URI: {message.uri} is not our Contact {given.contact}"
    routes = [re.search(r"<([^>]*)>", value)[1] if "<" in value else value for value in message.all("route")]
    if given.routes not in (None, routes):
        yield f"Route: {routes}, not {given.routes}"
    if message.header("event") != given.event:
        yield f"Event: {message.header('event')!r}, it was {given.event!r} in this dialog"


RULES = (
    (ANY, start_line), (ANY, mandatory_headers), (ANY, via), (ANY, identities), (ANY, max_forwards), (ANY, content),
    (ANY, same_identity), (ANY, cseq), (SUBSCRIBE, contact), (SUBSCRIBE, package), (SUBSCRIBE, expires),
    (SUBSCRIBE, outside_dialog), (SUBSCRIBE, inside_dialog),
)


class Memory:
    """Applies the rules to what arrives; remembers what later requests are compared with."""

    def __init__(self, transport):
        self.transport, self.calls = transport, {}

    def request(self, message):
        """Sentences about a new request (not a copy)."""
        call = self.calls.setdefault(message.call_id, Call(message))
        found = list(message.faults)
        for methods, rule in RULES:
            if message.method in methods or methods is ANY:
                found += rule(self, message, call)
        return found

    def copy(self, first, again):
        """Sentences about a request whose branch and method came before."""
        if first.raw != again.raw:
            yield f"Via: branch {again.via.branch} came before, with other bytes"
        elif self.transport != "udp":
            yield "a request is sent again over a stream"
        elif first.copies > COPIES:
            yield f"a request is sent {first.copies} times"

    def made(self, call_id, tag, given):
        if call_id in self.calls:
            self.calls[call_id].tags[tag] = given

    def refused(self, message, refused):
        """Credentials were judged; yields a sentence when the client does not give up."""
        call = self.calls[message.call_id]
        call.refused = call.refused + 1 if refused else 0
        if call.refused > 3:
            yield f"credentials were refused {call.refused} times and are sent again"


def response(sent, message):
    """Sentences about the response to a request of ours."""
    yield from message.faults
    if message.version != "SIP/2.0" or not 100 <= message.status < 700:
        yield f"response: status line {message.version} {message.status}"
    vias = message.all("via")
    if len(vias) != 1 or not sent.via.same(Via(vias[0])):
        yield f"response: Via is {', '.join(vias) or 'missing'}, not as in the request"
    for name in ("from", "to"):
        mine, theirs = (getattr(m, "from_" if name == "from" else name) for m in (sent, message))
        if not mine.same(theirs):
            yield f"response: {name} is {message.header(name)!r}, not {sent.header(name)!r}"
    if message.call_id != sent.call_id or message.cseq != sent.cseq:
        yield f"response: Call-ID or CSeq is {message.call_id} {message.header('cseq')}"
    length = message.header("content-length")
    if length and length != str(len(message.body)):
        yield f"response: Content-Length is {length!r}, the body has {len(message.body)} bytes"
