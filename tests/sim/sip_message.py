"""SIP messages for the simulated server: parsing, framing of streams, URIs, addresses, parameters.

The parser forgives what it can read and notes in `faults` what a strict reader would not have read.

SPDX-License-Identifier: MIT
"""

import re
import time

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
           "c": "content-type", "o": "event", "u": "allow-events", "k": "supported", "e": "content-encoding",
           "s": "subject"}
MAX_HEAD = 65536
TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
REQUEST_LINE = re.compile(rf"^({TOKEN}) (\S+) (SIP/\d+\.\d+)$")
STATUS_LINE = re.compile(r"^(SIP/\d+\.\d+) (\d{3}) (.*)$")
URI = re.compile(r"^(?P<scheme>sips?):(?:(?P<user>[^@<>\s]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+)"
                 r"(?::(?P<port>\d+))?(?P<params>(?:;[^?<>\s]*)?)(?:\?[^<>\s]*)?$", re.I)
NAME_ADDR = re.compile(r'^\s*(?P<display>"(?:\\.|[^"\\])*"|[^<"]*?)\s*<(?P<uri>[^<>]*)>(?P<params>.*)$', re.S)
VIA = re.compile(r"^SIP\s*/\s*2\.0\s*/\s*(?P<transport>\w+)\s+(?P<by>[^\s;]+)\s*(?P<params>;.*)?$")


class Malformed(ValueError):
    """These bytes are not a SIP message, or the stream cannot be cut into messages any more."""


def split_list(value, mark=","):
    """Cut at commas (or another mark) that are outside of quotes and angle brackets."""
    parts, part, quoted, depth, escaped = [], "", False, 0, False
    for char in value:
        if char == '"' and not escaped:
            quoted = not quoted
        depth += (char == "<") - (char == ">") if not quoted else 0
        escaped = quoted and char == "\\" and not escaped
        if char == mark and not quoted and depth <= 0:
            parts.append(part.strip())
            part = ""
        else:
            part += char
    return [p for p in [*parts, part.strip()] if p]


def parse_params(text):
    """';a=b;c' as {'a': 'b', 'c': None}."""
    params = {}
    for part in split_list(text or "", ";"):
        name, sign, value = part.partition("=")
        params[name.strip().lower()] = value.strip() if sign else None
    return params


class Address:
    """A name-addr or addr-spec with header parameters: From, To, Contact, Route."""

    def __init__(self, text):
        match = NAME_ADDR.match(text)
        self.brackets = bool(match)
        if match:
            self.display, self.uri = match["display"].strip('" '), match["uri"]
            self.params = parse_params(match["params"])
        else:
            self.display, (self.uri, _, rest) = "", text.strip().partition(";")
            self.params = parse_params(rest)

    @property
    def tag(self):
        return self.params.get("tag")

    def same(self, other):
        return (self.uri, self.tag, self.display) == (other.uri, other.tag, other.display)


class Via:
    """One Via value; `transport` is empty when it cannot be read."""

    def __init__(self, text):
        match = VIA.match(text.strip())
        self.transport = match["transport"].upper() if match else ""
        self.by = match["by"] if match else ""
        self.params = parse_params(match["params"]) if match else {}
        self.branch = self.params.get("branch") or ""

    def same(self, other):
        """Equal but for what the receiver of a request may add."""
        added = ("rport", "received")
        mine, theirs = ({k: v for k, v in via.params.items() if k not in added} for via in (self, other))
        return (self.transport, self.by, mine) == (other.transport, other.by, theirs)


def parse_uri(text):
    """A dict of scheme, user, host, port (int or None), params, or None."""
    match = URI.match(text or "")
    if not match:
        return None
    return {"scheme": match["scheme"].lower(), "user": match["user"], "host": match["host"].lower().strip("[]"),
            "port": int(match["port"]) if match["port"] else None, "params": parse_params(match["params"])}


class Message:
    """A request or a response. `header` and `all` take names in any case; compact forms are expanded."""

    def __init__(self, raw):
        self.raw, self.time, self.faults, self.peer, self.copies = raw, time.monotonic(), [], None, 1
        head, mark, self.body = raw.partition(b"\r\n\r\n")
        if not mark:
            raise Malformed("there is no empty line (CRLF CRLF) after the headers")
        if b"\0" in head:
            self.faults.append("NUL byte in the head")
        if re.search(rb"(?<!\r)\n|\r(?!\n)", head):
            self.faults.append("a line of the head does not end with CRLF")
        try:
            text = head.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("the head is not UTF-8") from None
        start, *lines = re.sub(r"\r\n[ \t]+", " ", text).split("\r\n")
        self.method = self.uri = self.version = self.phrase = None
        self.status = 0
        self._read_start(start)
        self.headers = [pair for pair in map(self._read_header, lines) if pair]

    def _read_start(self, start):
        request, status = REQUEST_LINE.match(start), STATUS_LINE.match(start)
        if status:
            self.version, self.status, self.phrase = status[1], int(status[2]), status[3]
        elif request:
            self.method, self.uri, self.version = request.groups()
        else:
            raise Malformed(f"neither a request line nor a status line: {start[:80]!r}")

    def _read_header(self, line):
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(TOKEN, name.rstrip()):
            self.faults.append(f"not a header line: {line[:60]!r}")
            return None
        name = name.strip().lower()
        return COMPACT.get(name, name), value.strip()

    def header(self, name, default=""):
        return next((v for n, v in self.headers if n == name.lower()), default)

    def count(self, name):
        return sum(n == name.lower() for n, _ in self.headers)

    def all(self, name):
        """The values of a list header, whether they came in one line or in several."""
        return [part for n, v in self.headers if n == name.lower() for part in split_list(v)]

    @property
    def via(self):
        return Via((self.all("via") or [""])[0])

    @property
    def from_(self):
        return Address(self.header("from"))

    @property
    def to(self):
        return Address(self.header("to"))

    @property
    def contact(self):
        return Address((self.all("contact") or [""])[0])

    @property
    def call_id(self):
        return self.header("call-id")

    @property
    def cseq(self):
        """(number, method); the number is -1 if it cannot be read."""
        match = re.fullmatch(rf"(\d{{1,10}})\s+({TOKEN})", self.header("cseq"))
        return (int(match[1]), match[2]) if match else (-1, "")

    @property
    def event(self):
        return self.header("event").partition(";")[0].strip()

    @property
    def expires(self):
        """The number of Expires, or None."""
        value = self.header("expires")
        return int(value) if re.fullmatch(r"[0-9]{1,10}", value) else None

    def __repr__(self):
        return f"<{self.method or self.status} {self.uri or ''} {self.call_id} {self.header('cseq')}>"


class Framer:
    """Cuts a stream into messages and keep-alives.

    pongs   so many answers to pings of ours are due: each of the next CRLFs is one, and no half of a ping
    """
    PING, PONG = b"\r\n\r\n", b"\r\n"

    def __init__(self):
        self.buffer = b""
        self.pongs = 0

    def feed(self, data):
        """Yields whole messages, PINGs and PONGs; raises Malformed where the stream cannot be cut."""
        self.buffer += data
        while self._pong_is_next() or self.buffer not in (b"", b"\r", b"\r\n", b"\r\n\r"):
            if self._pong_is_next():
                self.buffer = self.buffer[2:]
                self.pongs -= 1
                yield self.PONG
            elif self.buffer.startswith(self.PING):
                self.buffer = self.buffer[4:]
                yield self.PING
            elif self.buffer.startswith(b"\r\n"):
                self.buffer = self.buffer[2:]
            else:
                end = self._end_of_message()
                if end is None:
                    return
                raw, self.buffer = self.buffer[:end], self.buffer[end:]
                yield raw

    def _pong_is_next(self):
        return self.pongs and self.buffer.startswith(self.PONG)

    def _end_of_message(self):
        head, mark, rest = self.buffer.partition(b"\r\n\r\n")
        if b"\n\n" in head or len(head) > MAX_HEAD:
            raise Malformed("the head is longer than 64 KB, or its lines end with LF only")
        if not mark:
            return None
        lengths = set(re.findall(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$", head))
        if len(lengths) != 1 or not re.fullmatch(rb"\d{1,7}", next(iter(lengths))):
            raise Malformed(f"no single numeric Content-Length on a stream: {sorted(lengths)}")
        length = int(next(iter(lengths)))
        return len(head) + 4 + length if len(rest) >= length else None


def build(start, headers, body=b""):
    """The bytes of a message; Content-Length is added."""
    lines = [start, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
