#!/usr/bin/python3
"""A small bridge client for presenced: the half of presenced-bridge(7) that runs beside the telephone lines.

It keeps a table of lines. What it reads from standard input changes the table and is passed on to presenced; what
presenced asks for is answered from the table. Read it as an example, or use the class Bridge in your own program.

SPDX-License-Identifier: MIT
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import select
import socket
import ssl
import sys
import threading
import time

LONGEST, LINES_AT_ONCE = 65536, 100  # bytes of a line, with its end; lines in one lineOpen
REFUSED = 60.0  # seconds until the next attempt after a refusal


class Bridge:
    """A bridge to presenced: push() what happens, and run() in a thread of its own.

    address: path of a Unix socket, or (host, port). ca_file: TLS, and whom to believe. log: is given sentences.
    `lines` is the table: what lineOpen and lineState say of each line, but its calls by their ids. push() changes it.
    """

    def __init__(self, address, token=None, ca_file=None, cert_host=None, host=None, log=lambda sentence: None):
        self.address, self.token, self.ca_file, self.cert_host, self.log = address, token, ca_file, cert_host, log
        instance = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}/{os.getpid()}"
        self.who = {"host": host or socket.gethostname(), "instance": instance}
        self.lines, self.closed = {}, {}  # closed: line -> reason
        self.welcomed = threading.Event()
        self._queue, self._stopping, self._resyncs = collections.deque(), False, 0
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)

    # --- for the program: from any thread

    def push(self, message):
        """Something has happened: a message of the host without seq, of those about lines."""
        self._queue.append(message)
        self._wake()

    def stop(self):
        """Let run() say what was pushed, then goodbye, and return."""
        self._stopping = True
        self._wake()

    def _wake(self):
        with contextlib.suppress(BlockingIOError):  # full: it is awake
            self._wake_out.send(b"x")

    def run(self):
        """Connect, and again after each loss, with growing pauses, until stop()."""
        pause = 1.0
        while True:
            began = time.monotonic()
            try:
                return self._connection()
            except (OSError, ValueError, KeyError, TypeError) as error:
                pause = 1.0 if time.monotonic() - began > 60 else pause
                wait = random.uniform(0.8, 1.2) * (REFUSED if isinstance(error, PermissionError) else pause)
                self.log(f"{error}; next attempt in {wait:.1f} s")
            until, pause = time.monotonic() + wait, min(2 * pause, 30.0)
            self.welcomed.clear()
            while time.monotonic() < until:
                if self._stopping:
                    return
                select.select([self._wake_in], [], [], max(0.0, until - time.monotonic()))
                self._take_pushed()

    # --- one connection

    def _connect(self):
        if isinstance(self.address, tuple):
            sock = socket.create_connection(self.address, 10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.ca_file:
                context = ssl.create_default_context(cafile=self.ca_file)
                sock = context.wrap_socket(sock, server_hostname=self.cert_host or self.address[0])
            return sock
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.address)
        sock.settimeout(10)
        return sock

    def _connection(self):
        with self._connect() as self._sock:
            self._seq, self._incoming, self._open, self._interval = 0, b"", set(), 2.0
            self._heard = self._said = time.monotonic()
            self._say({"type": "hello", "version": 1, "token": self.token, **self.who})
            self._take_pushed()
            while not (self._stopping and self.welcomed.is_set()):  # always looked at after _take_pushed()
                self._wait()
                now = time.monotonic()
                if now - self._heard > 2.5 * self._interval:
                    raise ConnectionError("presenced is silent")
                if now - self._said > self._interval:
                    self._say({"type": "ping", "n": self._seq})
                self._take_pushed()
            self._take_pushed()
            self._say({"type": "bye", "reason": "The bridge is stopped."})

    def _wait(self):
        """Until something comes, from presenced or from the program, or it is time for a ping."""
        pending = getattr(self._sock, "pending", lambda: 0)()  # TLS: what was received is not seen by select()
        due = min(self._said + self._interval, self._heard + 2.5 * self._interval)
        patience = 0.0 if pending else max(0.0, due - time.monotonic())
        if self._sock not in select.select([self._sock, self._wake_in], [], [], patience)[0] and not pending:
            return
        self._sock.settimeout(0)
        try:
            data = self._sock.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        finally:
            self._sock.settimeout(10)
        if not data:
            raise ConnectionError("presenced has closed the connection")
        self._heard = time.monotonic()
        *lines, self._incoming = (self._incoming + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _say(self, message):
        """Number a message, and send it. What cannot be sent has a number too, and presenced sees the gap."""
        self._seq += 1
        line = json.dumps({**message, "seq": self._seq}, ensure_ascii=False).encode() + b"\n"
        if len(line) > LONGEST:
            return self.log(f"a {message['type']} is too long and was not sent")
        self._sock.sendall(line)
        self._said = time.monotonic()

    # --- what presenced says

    def _take(self, message):
        kind = message["type"]
        if kind == "welcome":
            self._welcome(message)
        elif kind == "resyncRequest":
            self._resync(message["id"], self._open & set(message.get("lines") or self._open))
        elif kind == "ping":
            self._say({"type": "pong", "n": message["n"]})
        elif kind == "error":
            self.log(f"presenced: {message['code']}: {message['message']}")
            if message["code"] in ("badToken", "version", "replaced"):
                raise PermissionError(message["message"])
            if message["code"] == "unknownLine" and message.get("line") in self._open:  # its lineOpen was lost
                self._open_lines([message["line"]], first=False)
        elif kind == "bye":
            raise ConnectionError(f"presenced says goodbye: {message['reason']}")

    def _welcome(self, message):
        first, self._interval = not self.welcomed.is_set(), message["pingInterval"]
        self._wanted = (lambda line: True) if message["want"] == "*" else set(message["want"]).__contains__
        self.log(f"wanted: {message['want']}")
        for line in sorted(line for line in self._open if not self._wanted(line)):
            self._open.discard(line)
            self._say({"type": "lineClose", "line": line, "reason": "unwanted"})
        for line in () if message["want"] == "*" else message["want"]:
            if line not in self.lines:  # closed, or this host does not have it
                self._say({"type": "lineClose", "line": line, "reason": self.closed.get(line, "REMOVED")})
        self._open_lines([line for line in self.lines if self._wanted(line) and line not in self._open], first)
        self.welcomed.set()

    def _open_lines(self, names, first):
        """Open lines and tell their state; the first time in a connection that is a full resync."""
        for i in range(0, max(1 if first else 0, len(names)), LINES_AT_ONCE):
            self._say({"type": "lineOpen", "lines": [
                {name: value for name, value in self.lines[line].items() if name not in ("calls", "entries", "on")}
                for line in names[i:i + LINES_AT_ONCE]]})
        self._open.update(names)
        if first:
            self._resyncs += 1
            self._resync(self._resyncs, self._open)
        else:
            for line in names:
                self._say(self._state(line))

    def _resync(self, number, names):
        self._say({"type": "resync", "phase": "begin", "id": number})
        for line in sorted(names):
            self._say(self._state(line))
        self._say({"type": "resync", "phase": "end", "id": number, "lines": len(names)})

    def _state(self, line):
        found = self.lines[line]
        return {"type": "lineState", "line": line, "inService": found["inService"], "entries": found["entries"],
                "on": found["on"], "calls": list(found["calls"].values())}

    # --- what the program says

    def _take_pushed(self):
        """Before the welcome it changes the table only, of which everything is said then."""
        with contextlib.suppress(BlockingIOError):
            self._wake_in.recv(4096)
        while self._queue:
            message = self._queue.popleft()
            try:
                fresh = self._remember(message)
            except (KeyError, TypeError, AttributeError) as error:
                self.log(f"not understood: {message} ({error!r})")
                continue
            if not self.welcomed.is_set():
                continue
            self._open_lines([line for line in fresh if self._wanted(line)], first=False)
            if message.get("line") in self._open:
                self._say(message)
                if message["type"] == "lineClose":
                    self._open.discard(message["line"])

    def _remember(self, message):
        """Change the table. The names of lines that are new, or anew, in it."""
        kind = message["type"]
        if kind == "lineOpen":
            for offer in message["lines"]:
                old = self.lines.get(offer["line"], {"calls": {}, "entries": None, "on": None})
                self.lines[offer["line"]] = {**old, **offer}
                self.closed.pop(offer["line"], None)
            return [offer["line"] for offer in message["lines"]]
        line = self.lines[message["line"]]
        if kind == "lineClose":
            del self.lines[message["line"]]
            self.closed[message["line"]] = message.get("reason", "CLOSE")
        elif kind == "lineState":
            line.update({name: message.get(name) for name in ("entries", "on")}, inService=message["inService"],
                        calls={call["call"]: call for call in message["calls"]})
        elif kind == "lineCallState":
            call = {**line["calls"].get(message["call"], {}), "mode": None, **message}
            line["calls"][message["call"]] = {name: value for name, value in call.items()
                                              if value is not None and name not in ("type", "line")}
            if message["state"] in ("IDLE", 1):
                del line["calls"][message["call"]]
        elif kind in ("lineForward", "lineDnd"):
            line.update({name: message[name] for name in ("entries", "on") if name in message})
        elif kind == "lineDevState" and message["state"] in ("INSERVICE", 0x40):
            line["inService"] = True
        elif kind == "lineDevState" and message["state"] in ("OUTOFSERVICE", 0x80, "MAINTENANCE", 0x100):
            line.update(inService=False, calls={})
        return []


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description="""\
Push the state of telephone lines to presenced, as presenced-bridge(7) describes.

Standard input is one JSON object a line: the messages of the host about lines, without seq. They may come at
any time. Say first which lines there are, then what happens:

  {"type":"lineOpen","lines":[{"line":"201","inService":true,"can":["forward","dnd"]}]}
  {"type":"lineState","line":"201","inService":true,"calls":[],"entries":[],"on":false}
  {"type":"lineCallState","line":"201","call":"c1","state":"OFFERING","origin":"EXTERNAL","peer":"+442070846845"}
  {"type":"lineCallState","line":"201","call":"c1","state":"IDLE"}
  {"type":"lineForward","line":"201","entries":[{"mode":"UNCOND","dest":"8000"}]}
  {"type":"lineDnd","line":"201","on":true}

Numbers, pings, resyncs, the wishes of presenced and reconnection are done here.""")
    parser.add_argument("address", help="path of a Unix socket, or HOST:PORT")
    parser.add_argument("--token-file", metavar="FILE", help="file with the token on its first line")
    parser.add_argument("--ca-file", metavar="FILE", help="use TLS, and believe these authorities (PEM)")
    parser.add_argument("--cert-host", metavar="NAME", help="name that the certificate must be for, if not HOST")
    parser.add_argument("--stay", action="store_true", help="stay when the input has ended; else say goodbye")
    parser.add_argument("-v", "--verbose", action="store_true", help="say on standard error what happens")
    arguments = parser.parse_args()
    address, token = arguments.address, None
    if "/" not in address:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            parser.error("the address is neither a path nor HOST:PORT")
        address = host.strip("[]"), int(port)
    if arguments.token_file:
        token = pathlib.Path(arguments.token_file).read_text(encoding="utf-8").split("\n")[0].strip()
    bridge = Bridge(address, token, arguments.ca_file, arguments.cert_host,
                    log=lambda sentence: arguments.verbose and print(sentence, file=sys.stderr, flush=True))

    def read():
        for line in sys.stdin:
            try:
                bridge.push(json.loads(line))
            except ValueError as error:
                print(f"not JSON: {error}", file=sys.stderr)
        if not arguments.stay:
            bridge.stop()

    threading.Thread(target=read, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        bridge.run()


if __name__ == "__main__":
    main()
