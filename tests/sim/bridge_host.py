"""A simulated Windows host that pushes its TAPI lines over the bridge, for tests: strict, and misbehaving on order.

    with BridgeHost("/run/x/bridge.sock", token="k3", lines={"201": {"title": "Alice"}, "202": {}}) as host:
        call = host.offer("201", peer="+442070846845")
        host.answer(call)
        host.wait(lambda: host.opened("201"), "line 201 is wanted")
        assert host.truth("201") == {"line": "busy", "dnd": False, "forward": None, "calls": [...]}
        host.misbehave("lost")
        assert host.violations == []

Independent of the program under test: presenced-bridge(7). What happens to lines and calls is in
bridge_calls.py, the lines and their constants are in bridge_lines.py.

SPDX-License-Identifier: MIT
"""

import collections
import concurrent.futures
import contextlib
import itertools
import json
import pathlib
import queue
import selectors
import socket
import ssl
import struct
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import bridge_lines  # noqa: E402
from bridge_calls import Telephones  # noqa: E402

LONGEST = 65536  # bytes of a line, with its end
WELCOME_SECONDS = 5.0
SILENCE = 2.5  # times pingInterval
WELCOMES_APART = 0.15  # 200 ms is promised; less what the network may take
ERROR_CODES = {"badToken", "version", "syntax", "unknownType", "unknownLine", "tooLong", "replaced"}
LAST_WORDS = {"badToken", "version", "tooLong", "replaced"}
REQUIRED = {"welcome": {"version": int, "pingInterval": (int, float), "want": (str, list)},
            "resyncRequest": {"id": int, "reason": str}, "ping": {"n": int}, "pong": {"n": int},
            "error": {"code": str, "message": str}, "bye": {"reason": str}}
WAIT = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)
KINDS = {  # misbehave(): what it is about
    "skip", "lost", "duplicate", "step_back", "resync_without_end", "resync_wrong_count",  # the next messages of lines
    "silence", "no_pong", "raw_integers", "crlf", "mixed_resync",  # all that follows
    "wrong_token", "wrong_version", "no_hello", "no_token", "early",  # the next connections
    "garbage", "long_line", "unknown_type", "unknown_line", "unknown_member", "hello_twice", "half_line", "empty_lines",
    "no_seq", "second_connection"}  # now


class Link:
    """One connection to the daemon: its numbers, what was opened over it, and what the daemon may say next."""

    def __init__(self, sock):
        self.sock, self.incoming, self.out, self.alive = sock, b"", b"", True
        self.seq, self.opened, self.offered, self.removed = 0, set(), set(), set()
        self.began = self.heard = self.said = time.monotonic()
        self.hello_at = self.welcome_at = self.ended_by = None
        self.want, self.interval, self.silent, self.good, self.over = None, 20.0, False, True, False
        self.pings, self.requests, self.errors, self.received = {}, set(), [], []


class BridgeHost(Telephones):
    """See above. All may be called from any thread.

    connect     path of a Unix socket, or (host, port)
    tls         file of the authority, True (believe everybody), or an SSLContext; name: to expect in the certificate
    lines       names, or a dict of name -> arguments of bridge_lines.Line

    violations  sentences about what the daemon did wrong
    received    all messages of the daemon; errors: those of type error
    closed      for each connection that ended: by ("daemon", "host"), seconds, errors (codes)
    counters    connections, refused (by the network), welcomes, pongs, resync_requests, byes
    reconnect   whether it connects again by itself after a loss; retry: after how many seconds
    raw, crlf   integers instead of names; CR before LF
    """

    def __init__(self, connect, tls=None, token=None, lines=(), *, host="TAPI01", name=None, retry=0.05,
                 reconnect=True):
        super().__init__(lines)
        self.connect_to, self.tls, self.token, self.host, self.server_name = connect, tls, token, host, name
        self.retry, self.reconnect, self.raw, self.crlf = retry, reconnect, False, False
        self.violations, self.received, self.errors, self.closed = [], [], [], []
        self.counters = collections.Counter()
        self._faults, self._link, self._links, self._retry_at = collections.Counter(), None, [], 0.0
        self._numbers, self._resyncs, self._instances = (itertools.count(1) for _ in range(3))
        self._commands, self._thread, self._ending, self._frozen = queue.SimpleQueue(), None, False, False
        self._changed, self._turns = threading.Condition(), 0
        self.restart()

    def restart(self):
        """The program of the host is another instance from the next connection on."""
        self.instance = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}/{next(self._instances)}"

    # ---- life

    def __enter__(self):
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._main, name="bridge-host", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        def end():
            self._ending, self._frozen = True, False
            for link in list(self._links):
                self._close(link, "host")

        self._do(end)
        self._thread.join(10)
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()
        self._thread = None

    def _do(self, run):
        """Run this in the host's thread and give back what it returns."""
        if self._thread is None or threading.current_thread() is self._thread:
            return run()
        future = concurrent.futures.Future()
        self._commands.put((run, future))
        self._wake_out.send(b"x")
        return future.result(20)

    def _main(self):
        while not self._ending:
            try:
                busy = self._turn()
            except Exception:
                busy = True
                self._complain("the simulator itself failed: " + traceback.format_exc())
            if busy:
                with self._changed:
                    self._turns += 1
                    self._changed.notify_all()

    def _turn(self):
        """True if something other than a command was done."""
        if self._frozen:
            self._command(*self._commands.get())
            return False
        busy = False
        for link in self._links:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.out else 0)
            self._selector.modify(link.sock, events, link)
        for key, _ in self._selector.select(self._patience()):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._wake_in.recv(4096)
            elif key.data.alive:
                busy = True
                self._flush(key.data)
                self._read(key.data)
        with contextlib.suppress(queue.Empty):
            while True:
                self._command(*self._commands.get_nowait())
        for link in list(self._links):
            self._clock(link)
        if self._connects() and not self._ending and time.monotonic() >= self._retry_at:
            busy = True
            self._connect()
        return busy

    @staticmethod
    def _command(run, future):
        try:
            future.set_result(run())
        except Exception as error:
            future.set_exception(error)

    def _connects(self):
        return not self._link and (self.reconnect or not self.counters["connections"])

    def _patience(self):
        now, until = time.monotonic(), [time.monotonic() + 1.0]
        if self._connects():
            until.append(self._retry_at)
        for link in self._links:
            if link.welcome_at:
                until.append(link.heard + link.interval * SILENCE)
            if link.welcome_at and not link.silent:
                until.append(link.said + link.interval * 0.9)
            if link.hello_at and link.good and not link.welcome_at:
                until.append(link.hello_at + WELCOME_SECONDS)
        return max(0.0, min(until) - now)

    def _clock(self, link):
        now = time.monotonic()
        if link.hello_at and link.good and not link.welcome_at and now - link.hello_at > WELCOME_SECONDS:
            self._complain("no welcome within 5 s")
            self._close(link, "host")
        elif link.welcome_at and now - link.heard > link.interval * SILENCE:
            self._complain(f"the daemon was silent for {now - link.heard:.1f} s")
            self._close(link, "host")
        elif link.welcome_at and now - link.said > link.interval * 0.9 and not link.silent:
            self._ping(link)

    # ---- connections

    def _open(self):
        family = socket.AF_UNIX if isinstance(self.connect_to, (str, pathlib.Path)) else socket.AF_INET
        if family == socket.AF_UNIX:
            sock = socket.socket(family)
            sock.settimeout(5)
            sock.connect(str(self.connect_to))
        else:
            sock = socket.create_connection(self.connect_to, 5)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            context = self.tls
            if not isinstance(context, ssl.SSLContext):
                context = ssl.create_default_context(cafile=None if context is True else str(context))
                if self.tls is True:
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock, server_hostname=self.server_name or str(self.connect_to[0]))
        sock.setblocking(False)
        return sock

    def _connect(self):
        try:
            link = Link(self._open())
        except OSError as error:
            self.counters["refused"] += 1
            self.last_refusal = str(error)
            self._retry_at = time.monotonic() + self.retry
            return
        self.counters["connections"] += 1
        self._selector.register(link.sock, selectors.EVENT_READ, link)
        self._links.append(link)
        self._link = link
        if self._take("no_hello"):
            link.good = False
            return
        link.hello_at = time.monotonic()
        if self._take("early"):
            link.good = False
            self._say("lineDnd", link, line="201", on=True)
        self._hello(link)

    def _hello(self, link):
        hello = {"version": 1, "token": self.token, "host": self.host, "instance": self.instance, "tapi": "2.2",
                 "providers": ["SIM.TSP"]}
        for fault, change in (("wrong_token", {"token": "x" + (self.token or "")}), ("wrong_version", {"version": 99}),
                              ("no_token", {"token": None})):
            if self._take(fault):
                link.good = False
                hello.update(change)
        self._say("hello", link, **{name: value for name, value in hello.items() if value is not None})

    def _close(self, link, by, reset=False):
        if not link.alive:
            return
        if by == "host":
            self._flush(link)
        link.alive = False
        self._selector.unregister(link.sock)
        if reset:
            link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.sock.close()
        self._links.remove(link)
        if link.incoming and by == "daemon":
            self._complain(f"the daemon closed within a line: {link.incoming[:80]!r}")
        self.closed.append({"by": by, "seconds": time.monotonic() - link.began,
                            "errors": [error["code"] for error in link.errors]})
        if link is self._link:
            self._link, self._retry_at = None, time.monotonic() + self.retry

    def _flush(self, link):
        with contextlib.suppress(*WAIT, OSError):
            while link.out:
                link.out = link.out[link.sock.send(link.out):]

    def _read(self, link):
        while link.alive:
            try:
                data = link.sock.recv(65536)
            except WAIT:
                return
            except OSError:
                data = b""
            if not data:
                self._close(link, "daemon")
                return
            link.heard = time.monotonic()
            link.incoming += data
            *lines, link.incoming = link.incoming.split(b"\n")
            for line in lines:
                if link.alive:
                    self._frame(link, line)
            if len(link.incoming) >= LONGEST:
                self._complain("a line of more than 64 KiB")
                self._close(link, "host")

    # ---- what the daemon says

    def _complain(self, sentence):
        self.violations.append(sentence)

    def _frame(self, link, line):
        if len(line) >= LONGEST:
            self._complain("a line of more than 64 KiB")
        try:
            message = json.loads(line.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
        except (ValueError, RecursionError) as error:
            self._complain(f"not JSON: {error}: {line[:200]!r}")
            return
        if line.endswith(b"\r"):
            self._complain(f"CR before LF: {line[:80]!r}")
        if not isinstance(message, dict) or message.get("type") not in REQUIRED:
            self._complain(f"unknown type: {line[:200]!r}")
            return
        self.received.append(message)
        link.received.append(message)
        kind = message["type"]
        for member, wanted in REQUIRED[kind].items():
            if not isinstance(message.get(member), wanted) or isinstance(message.get(member), bool):
                self._complain(f"{kind}: {member} is missing or wrong: {message}")
                return
        if link.over:
            self._complain(f"{kind} after the last word: {message}")
        if not link.welcome_at and kind not in ("welcome", "error", "bye"):
            self._complain(f"{kind} before welcome")
        getattr(self, "_on_" + kind)(link, message)

    def _on_welcome(self, link, message):
        now = time.monotonic()
        if not link.hello_at or not link.good:
            self._complain("welcome without a good hello")
        if link.welcome_at and now - link.welcome_at < WELCOMES_APART:
            self._complain(f"two welcomes within {1000 * (now - link.welcome_at):.0f} ms")
        if message["version"] != 1 or message["pingInterval"] <= 0:
            self._complain(f"welcome: wrong values: {message}")
        want = message["want"]
        if want != "*" and not (isinstance(want, list) and all(isinstance(line, str) and line for line in want)
                                and len(set(want)) == len(want)):
            self._complain(f"welcome: want is neither * nor a list of lines: {want!r:.200}")
            return
        first, link.welcome_at, link.interval, link.want = not link.welcome_at, now, message["pingInterval"], want
        self.counters["welcomes"] += 1
        if link.silent:
            return
        wanted = set(self.lines) if want == "*" else set(want)
        for name in sorted(link.opened - wanted):
            link.opened.discard(name)
            self._say("lineClose", link, line=name, reason="unwanted")
        self._open_lines(link, sorted(wanted - link.opened), first)

    def _open_lines(self, link, names, first=False):
        opening = []
        for name in names:
            line = self.lines.get(name)
            if line is None or line.closed:
                if name not in link.removed:
                    link.removed.add(name)
                    self._say("lineClose", link, line=name, reason=line.closed if line else "REMOVED")
            elif line.error:
                self._say("error", link, line=name, code=line.error, message="The line cannot be opened.")
            else:
                opening.append(line)
        for line in opening:
            link.opened.add(line.name)
            link.offered.add(line.name)
            link.removed.discard(line.name)
        if opening or first:
            for i in range(0, len(opening) or 1, 200):
                self._say("lineOpen", link, lines=[line.offered() for line in opening[i:i + 200]])
        if first:
            self._resync(link, next(self._resyncs), sorted(link.opened))
        else:
            for line in opening:
                self._say("lineState", link, **line.state())

    def _on_resyncRequest(self, link, message):
        if message["id"] in link.requests:
            self._complain(f"resyncRequest: the id {message['id']} was used before")
        link.requests.add(message["id"])
        self.counters["resync_requests"] += 1
        names = message.get("lines")
        if names is not None:
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                self._complain(f"resyncRequest: lines is no list of texts: {names!r:.200}")
                return
            strange = [name for name in names if name not in link.offered]
            if strange:
                self._complain(f"resyncRequest for lines that were not offered: {strange}")
        if not link.silent:
            self._resync(link, message["id"], sorted(link.opened if names is None else link.opened & set(names)))

    def _on_ping(self, link, message):
        if not self._faults["no_pong"]:
            self._say("pong", link, n=message["n"])

    def _on_pong(self, link, message):
        if message["n"] not in link.pings:
            self._complain(f"pong without ping: {message['n']}")
        link.pings.pop(message["n"], None)
        self.counters["pongs"] += 1

    def _on_error(self, link, message):
        if message["code"] not in ERROR_CODES:
            self._complain(f"unknown error code: {message}")
        link.errors.append(message)
        self.errors.append(message)
        link.over = link.over or message["code"] in LAST_WORDS
        if message["code"] == "unknownLine" and not isinstance(message.get("line"), str):
            self._complain(f"unknownLine without the line: {message}")
        elif message["code"] == "unknownLine" and message["line"] in link.opened:  # its lineOpen was lost
            self._open_lines(link, [message["line"]])

    def _on_bye(self, link, _message):
        link.over = True
        self.counters["byes"] += 1
        self._close(link, "host")

    # ---- what the host says

    def _take(self, kind):
        if self._faults[kind] > 0:
            self._faults[kind] -= 1
            return True
        return False

    def _say(self, kind, link=None, **members):
        link = link or self._link
        if not link or not link.alive or not link.hello_at or link.silent:
            return
        about_lines = kind.startswith("line") or kind == "resync"
        if about_lines and self._take("skip"):
            link.seq += 1
        if about_lines and self._take("step_back"):
            link.seq = max(0, link.seq - 3)
        link.seq += 1
        if about_lines and self._take("lost"):
            return
        message = {"type": kind, "seq": link.seq, **members}
        if self.raw or self._faults["raw_integers"]:
            raw_integers(message)
        for _ in range(2 if about_lines and self._take("duplicate") else 1):
            self._write(link, json.dumps(message, ensure_ascii=False).encode())

    def _write(self, link, line):
        link.out += line + (b"\r\n" if self.crlf or self._faults["crlf"] else b"\n")
        link.said = time.monotonic()
        self._flush(link)

    def _ping(self, link):
        n = next(self._numbers)
        link.pings[n] = time.monotonic()
        self._say("ping", link, n=n)

    def _resync(self, link, number, names):
        self._say("resync", link, phase="begin", id=number)
        for name in names:
            line = self.lines[name]
            if self._faults["mixed_resync"]:
                self._say("lineDnd", link, line=name, on=not line.on)
            self._say("lineState", link, **line.state())
            if self._faults["mixed_resync"]:
                self._say("lineDnd", link, line=name, on=not line.on)
                self._say("lineDnd", link, line=name, on=line.on)
        if not self._take("resync_without_end"):
            self._say("resync", link, phase="end", id=number,
                      lines=len(names) + (1 if self._take("resync_wrong_count") else 0))

    def _about(self, line, kind, **members):
        """Something of a line, if it is open."""
        if self._link and line.name in self._link.opened:
            self._say(kind, line=line.name, **members)

    # ---- for the test: misbehaviour

    def misbehave(self, kind, times=1):
        """Order a misbehaviour: KINDS says when it happens. times None: until behave()."""
        assert kind in KINDS, kind
        self._do(lambda: self._misbehave(kind, times))

    def _misbehave(self, kind, times):
        now, link = getattr(self, "_now_" + kind, None), self._link
        if now is None:
            self._faults[kind] += 1000000 if times is None else times
            return
        if link is None:
            raise AssertionError(f"{kind}: not connected")
        for _ in range(times or 1):
            now(link)

    def behave(self, kind=None):
        """Cancel the orders of a kind, or all."""
        def run():
            for name in [kind] if kind else list(self._faults):
                self._faults[name] = 0
            if kind in (None, "silence"):
                for link in self._links:
                    link.silent = False

        self._do(run)

    def _now_silence(self, link):
        link.silent = True

    def _now_garbage(self, link):
        self._write(link, b'{"type":"lineDnd","seq":')

    def _now_long_line(self, link):
        self._say("lineDevState", link, line="x" * (65 * 1024), state="INSERVICE")

    def _now_unknown_type(self, link):
        self._say("lineDance", link, line="201")

    def _now_unknown_line(self, link):
        self._say("lineDnd", link, line="no such line", on=True)

    def _now_unknown_member(self, link):
        self._say("lineDevState", link, line=sorted(link.opened)[0], state="INSERVICE", colour={"deep": [[[1]]]})

    def _now_no_seq(self, link):
        self._write(link, b'{"type":"ping","n":1}')

    def _now_hello_twice(self, link):
        self._hello(link)

    def _now_half_line(self, link):
        link.out += b'{"type":"lineDnd","seq":%d,"li' % (link.seq + 1)
        self._close(link, "host")

    def _now_empty_lines(self, link):
        self._write(link, b"")
        self._write(link, b"\r")

    def _now_second_connection(self, _link):
        """The host's program was started twice: the new connection counts from now on."""
        self.restart()
        self._connect()

    # ---- for the test: connections

    def inject(self, data):
        """Send these bytes as they are."""
        def run():
            self._link.out += data
            self._flush(self._link)

        self._do(run)

    def say(self, kind, **members):
        """Any message, with its number, whatever the lines are."""
        self._do(lambda: self._say(kind, **members))

    def ping(self):
        self._do(lambda: self._ping(self._link))

    def bye(self, reason="The host is stopped."):
        """Say goodbye and close."""
        def run():
            self._say("bye", reason=reason)
            self._close(self._link, "host")

        self._do(run)

    def drop(self, reset=False):
        """Lose the connection; it comes again by itself after `retry`, if `reconnect`."""
        self._do(lambda: self._link and self._close(self._link, "host", reset))

    def freeze(self):
        """Like a stopped process: nothing is read or said until thaw()."""
        self._do(lambda: setattr(self, "_frozen", True))

    def thaw(self):
        def run():
            self._frozen = False
            for link in self._links:
                link.heard = link.said = time.monotonic()

        self._do(run)

    # ---- for the test: assertions

    def connected(self):
        """Welcomed, and not closed since."""
        return self._do(lambda: bool(self._link and self._link.welcome_at))

    def want(self):
        """What the daemon wants: "*", a list, or None before its welcome."""
        return self._do(lambda: self._link and self._link.want)

    def opened(self, *lines):
        """Whether these lines are open now for the daemon; without any, all that are."""
        return self._do(lambda: set(lines) <= self._link.opened if lines and self._link else
                        not lines and set(self._link.opened if self._link else ()))

    def truth(self, line):
        """The facts that should be published; what is not known is missing. None: no facts, status() tells more."""
        return self._do(lambda: self.lines[line].truth())

    def status(self, line):
        """The status that should be published for an open line: ok, not_found, access_denied, error, stale."""
        return self._do(lambda: self.lines[line].status())

    def agrees(self, line, half):
        """Whether a published telephony half says what is true; since and kind are not compared."""
        truth = self.truth(line)
        if half.get("status") != self.status(line) or truth is None:
            return half.get("status") == self.status(line)
        seen = {name: half[name] for name in ("line", "dnd", "forward", "calls") if name in half}
        for facts in (seen, truth):
            if facts.get("forward"):
                facts["forward"] = {name: value for name, value in facts["forward"].items() if name == "target"}
            if "calls" in facts:
                facts["calls"] = sorted(({name: value for name, value in call.items() if name != "since"}
                                         for call in facts["calls"]), key=lambda call: sorted(call.items()))
        return seen == truth

    def wait(self, condition, what, deadline=30):
        """Until condition() gives something true, which is returned; asked again whenever something happened here."""
        end = time.monotonic() + deadline
        while True:
            seen = self._turns
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not within {deadline} s: {what}; violations: {self.violations}; "
                                     f"errors: {self.errors[-3:]}; closed: {self.closed[-3:]}")
            with self._changed:
                self._changed.wait_for(lambda: self._turns != seen, 0.05)


def unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def refuse(word):
    raise ValueError(f"{word} is no JSON")


def raw_integers(message):
    """The numbers of TAPI in place of their names."""
    kind = message["type"]
    for call in message.get("calls") or ([message] if kind == "lineCallState" else []):
        modes = bridge_lines.MODES.get(call["state"], {})
        for member, names in (("mode", modes), ("origin", bridge_lines.ORIGINS), ("reason", bridge_lines.REASONS),
                              ("state", bridge_lines.CALL_STATES)):
            if call.get(member) in names:
                call[member] = names[call[member]]
        if isinstance(call["state"], int):
            call["state"] |= 0x05000000  # device specific bits, to be masked
    if message.get("entries"):
        numbers = bridge_lines.FORWARD_MODES
        message["entries"] = [{**entry, "mode": numbers[entry["mode"]]} for entry in message["entries"]]
    if kind == "lineDevState":
        message["state"] = bridge_lines.DEVICE_STATES.get(message["state"], message["state"])
