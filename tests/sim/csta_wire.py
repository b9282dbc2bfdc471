"""Frames of CSTA XML over TCP, and the sockets of the simulated switch: one loop, plain or TLS.

A frame: two zero bytes, the length of the whole frame, four digits of invoke id, one XML document.

SPDX-License-Identifier: MIT
"""

import contextlib
import random
import socket
import ssl

from sip_net import READ, WAIT, WRITE, Loop  # noqa: F401

HEAD = 8
LONGEST = 65535
EVENT_ID = "9999"
HALF_A_FRAME = 30.0


class Broken(Exception):
    """What cannot be a frame."""


def frame(document, invoke_id):
    """The bytes of one frame."""
    body = document.encode() if isinstance(document, str) else document
    length = len(body) + HEAD
    if length > LONGEST:
        raise ValueError(f"a document of {len(body)} bytes does not fit in a frame")
    return b"\0\0" + length.to_bytes(2, "big") + invoke_id.encode() + body


class Framer:
    """Bytes in, (invoke id as bytes, document as bytes) out."""

    def __init__(self):
        self.rest = bytearray()

    def feed(self, data):
        """The frames that are now complete, as a list, and why the stream broke after them, or None."""
        self.rest += data
        found, start, rest = [], 0, self.rest
        broken = None
        while len(rest) - start >= 4:
            if rest[start] or rest[start + 1]:
                broken = f"bytes 0-1 of a frame are {rest[start]:02x} {rest[start + 1]:02x}, not zero"
                break
            length = rest[start + 2] << 8 | rest[start + 3]
            if length < HEAD:
                broken = f"a frame of {length} bytes is shorter than its head"
                break
            if len(rest) - start < length:
                break
            found.append((bytes(rest[start + 4:start + HEAD]), bytes(rest[start + HEAD:start + length])))
            start += length
        del rest[:start]
        return found, broken


class Link:
    """One connection of a client. The owner hears frames(link, list), broken(link, why), lost(link, why).

    segments: "whole" (each frame is written at once), "joined" (frames wait a little and leave together), "bytes"
    (one byte at a time), "pieces" (a few bytes at a time).
    """

    def __init__(self, net, sock, address, tls):
        self.net, self.address, self.alive = net, address, True
        self.framer, self.out, self.corked, self.joining = Framer(), bytearray(), False, False
        self.size, self.mask, self.half = 0, None, None
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.shaking = sock, bool(tls)
        if tls:
            self.sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._watch()

    def send(self, data):
        """Write this, as soon as the socket takes it."""
        if not self.alive:
            return
        self.out += data
        if self.net.segments == "joined":
            if not self.joining:
                self.joining = True
                self.net.loop.after(0.02, self._joined)
        elif not self.corked:
            self._guarded(self._flush)

    def _joined(self):
        self.joining = False
        self._guarded(self._flush)

    def uncork(self):
        self.corked = False
        if self.out and not self.joining:
            self._guarded(self._flush)

    def close(self, why="closed by the switch", reset=False):
        """End now; what is not written yet is tried once."""
        if not self.alive:
            return
        if self.out and not reset:
            with contextlib.suppress(OSError):
                self._flush()
        self.alive = False
        if self.half:
            self.half.cancel()
        self.net.loop.forget(self.sock)
        with contextlib.suppress(OSError):
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.sock.close()
        self.net.owner.lost(self, why)

    def _watch(self, wants_write=False):
        mask = READ | (WRITE if wants_write else 0)
        if mask != self.mask:
            self.mask = mask
            self.net.loop.watch(self.sock, mask, self._ready)

    def _ready(self, _mask):
        self._guarded(self._progress)

    def _guarded(self, run):
        if not self.alive or self.net.loop.frozen_at:
            return
        try:
            run()
        except WAIT as wait:
            if self.alive:
                self._watch(isinstance(wait, ssl.SSLWantWriteError) or bool(self.out))
        except OSError as error:
            self.close(f"{type(error).__name__}: {error}")

    def _progress(self):
        if self.shaking:
            self.sock.do_handshake()
            self.shaking = False
        if self.out:
            with contextlib.suppress(*WAIT):
                self._flush()
        self._read()

    def _flush(self):
        if self.shaking:
            return
        sizes = {"bytes": 1, "pieces": 7}.get(self.net.segments)
        while self.out:
            # what TLS could not write has to be offered again, no shorter
            self.size = self.size or (random.randint(1, sizes) if sizes else 1 << 18)
            sent = self.sock.send(bytes(self.out[:self.size]))
            del self.out[:sent]
            self.size = 0
        self._watch()

    def _read(self):
        while self.alive and not self.net.loop.frozen_at:
            data = self.sock.recv(1 << 18)
            if not data:
                self.close("closed by the client")
                return
            found, broken = self.framer.feed(data)
            self._patience()
            if found:
                self.corked = True
                self.net.owner.frames(self, found)
                self.uncork()
            if broken:
                self.net.owner.broken(self, broken)
                self.close(broken)

    def _patience(self):
        """Half a frame may not stay half for ever."""
        if self.half:
            self.half.cancel()
            self.half = None
        if self.framer.rest:
            self.half = self.net.loop.after(HALF_A_FRAME, self._too_slow)

    def _too_slow(self):
        self.net.owner.broken(self, f"half a frame for {HALF_A_FRAME:.0f} s")
        self.close("half a frame")


class Net:
    """The listener and its links."""

    def __init__(self, loop, transport, port, certificate, owner, segments="whole"):
        self.loop, self.owner, self.segments = loop, owner, segments
        self.links, self.tls, self.port, self.socket = [], None, port, None
        if transport == "tls":
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
        self.listen()

    def listen(self):
        """Open the port; with port 0, a free one, which stays ours."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        self.port = self.socket.getsockname()[1]
        self.socket.setblocking(False)
        self.socket.listen(128)
        self.loop.watch(self.socket, READ, self._accept)

    def stop_listening(self):
        if self.socket:
            self.loop.forget(self.socket)
            self.socket.close()
            self.socket = None

    def close(self):
        self.stop_listening()
        for link in list(self.links):
            link.close("the switch stops")
        self.links.clear()

    def live(self):
        self.links = [link for link in self.links if link.alive]
        return list(self.links)

    def _accept(self, _mask):
        with contextlib.suppress(BlockingIOError):
            while self.socket and not self.loop.frozen_at:
                sock, address = self.socket.accept()
                self.live()
                link = Link(self, sock, address, self.tls)
                self.links.append(link)
                self.owner.accepted(link)
