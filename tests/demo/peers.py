"""What the demo has on its side of presenced's sockets: a small loop and a console.

SPDX-License-Identifier: MIT
"""

import contextlib
import heapq
import itertools
import json
import os
import selectors
import socket
import time


class Loop:
    """Timers, stories (generators that yield seconds) and lines that arrive."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.timers = []
        self.count = itertools.count()

    def after(self, seconds, call):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.count), call))

    def play(self, story):
        seconds = next(story, None)
        if seconds is not None:
            self.after(seconds, lambda: self.play(story))

    def turn(self, longest=0.1):
        """Wait for what comes next, and do it."""
        left = self.timers[0][0] - time.monotonic() if self.timers else longest
        for key, _ in self.selector.select(max(0.0, min(left, longest))):
            if key.fd in self.selector.get_map():  # an earlier one may have closed it
                key.data()
        for _ in range(len(self.timers)):
            if not self.timers or self.timers[0][0] > time.monotonic():
                return
            heapq.heappop(self.timers)[2]()


class Lines:
    """Lines from a descriptor to take(line); lost() when there will be no more."""

    def __init__(self, loop, end, take, lost):
        self.loop, self.end, self.take, self.lost = loop, end, take, lost
        self.buffer = b""
        loop.selector.register(end, selectors.EVENT_READ, self.read)

    def read(self):
        try:
            data = os.read(self.end.fileno(), 65536)
        except OSError:
            data = b""
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            if self.end is not None:
                self.take(line.decode("utf-8", "replace"))
        if not data and self.end is not None:
            self.close()
            self.lost()

    def send(self, *objects):
        with contextlib.suppress(OSError):  # that it has gone is read
            self.end.sendall(b"".join(json.dumps(one).encode() + b"\n" for one in objects))

    def close(self):
        if self.end is not None:
            self.loop.selector.unregister(self.end)
            self.end.close()
            self.end = None


def connect(path):
    """A connected socket, or None."""
    end = socket.socket(socket.AF_UNIX)
    end.settimeout(5)
    try:
        end.connect(path)
    except OSError:
        end.close()
        return None
    return end


class Console:
    """A subscription that makes demand, and the presence of those whom it names."""

    def __init__(self, loop, end, lost):
        self.table, self.synced, self.count = {}, False, 0
        self.lines = Lines(loop, end, self.take, lost)

    def subscribe(self, **whom):
        self.count += 1
        self.lines.send({"jsonrpc": "2.0", "id": self.count, "method": "presence.subscribe", "params": whom})

    def take(self, line):
        message = json.loads(line)
        if "error" in message:
            raise RuntimeError(f"presenced refuses: {message['error']['message']}")
        if message.get("method") == "presence.changed":
            self.table[message["params"]["user"]] = message["params"]
        elif message.get("method") == "presence.synced":
            self.synced = True

    def has_all(self):
        """Whether the sources have answered for everybody in the subscription."""
        return self.synced and not any(presence[half]["status"] == "requesting" for presence in self.table.values()
                                       for half in ("rich", "telephony"))
