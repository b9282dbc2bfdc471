"""The event loop and the sockets of the simulated SIP server: one thread, timers, datagrams, streams, TLS.

SPDX-License-Identifier: MIT
"""

import concurrent.futures
import contextlib
import heapq
import itertools
import queue
import selectors
import socket
import ssl
import struct
import threading
import time
import traceback

from sip_message import Framer, Malformed

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
LONGEST_DATAGRAM = 60000
WAIT = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)


class Timer:
    def __init__(self, run):
        self.run = run

    def cancel(self):
        self.run = None


class Loop:
    """A thread that runs what sockets, timers and other threads give it. Frozen, it hears only other threads."""

    def __init__(self, failed):
        self.failed = failed
        self.selector = selectors.DefaultSelector()
        self.timers, self.count = [], itertools.count()
        self.commands = queue.SimpleQueue()
        self.wake_in, self.wake_out = socket.socketpair()
        self.wake_in.setblocking(False)
        self.selector.register(self.wake_in, READ, None)
        self.changed, self.turns = threading.Condition(), 0
        self.frozen_at, self.ending = None, False
        self.thread = threading.Thread(target=self._main, name="sip-server", daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        def end():
            self.ending = True

        self.call(end)
        self.thread.join(10)
        self.selector.close()
        self.wake_in.close()
        self.wake_out.close()

    def call(self, run):
        """Run this in the loop's thread and give back what it returns."""
        if threading.current_thread() is self.thread:
            return run()
        future = concurrent.futures.Future()
        self.commands.put((run, future))
        self.wake_out.send(b"x")
        return future.result(20)

    def after(self, seconds, run):
        timer = Timer(run)
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.count), timer))
        return timer

    def freeze(self):
        self.frozen_at = self.frozen_at or time.monotonic()

    def thaw(self):
        if self.frozen_at:
            late = time.monotonic() - self.frozen_at
            self.timers = [(when + late, count, timer) for when, count, timer in self.timers]
            self.frozen_at = None

    def watch(self, sock, events, ready):
        with contextlib.suppress(KeyError):
            self.selector.unregister(sock)
        self.selector.register(sock, events, ready)

    def forget(self, sock):
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(sock)

    def _main(self):
        while not self.ending:
            if self._turn():
                with self.changed:
                    self.turns += 1
                    self.changed.notify_all()

    def _turn(self):
        """True if something other than a command was run."""
        if self.frozen_at:
            self._command(*self.commands.get())
            return False
        left = self.timers[0][0] - time.monotonic() if self.timers else 1.0
        busy = False
        for key, mask in self.selector.select(max(0.0, min(left, 1.0))):
            if key.data is None:
                self._commands()
            elif not self.frozen_at and self.selector.get_map().get(key.fd) is key:
                busy = True
                self._guarded(lambda ready=key.data, mask=mask: ready(mask))
        while self.timers and self.timers[0][0] <= time.monotonic() and not self.frozen_at:
            run = heapq.heappop(self.timers)[2].run
            if run:
                busy = True
                self._guarded(run)
        return busy

    def _commands(self):
        with contextlib.suppress(BlockingIOError):
            self.wake_in.recv(4096)
        with contextlib.suppress(queue.Empty):
            while True:
                self._command(*self.commands.get_nowait())

    def _command(self, run, future):
        try:
            future.set_result(run())
        except Exception as error:
            future.set_exception(error)

    def _guarded(self, run):
        try:
            run()
        except Exception:
            self.failed("the simulator itself failed: " + traceback.format_exc())


class Datagrams:
    """A peer reached by datagrams: an address behind the server's one socket."""
    alive, incoming = True, True

    def __init__(self, net, address):
        self.net, self.address = net, address

    def send(self, data):
        self.net.socket.sendto(data[:LONGEST_DATAGRAM], self.address)


class Link:
    """A stream connection, with TLS or without, accepted or made by us."""

    def __init__(self, net, sock, address, tls=None, incoming=True):
        self.net, self.address, self.incoming = net, address, incoming
        self.framer, self.out, self.alive, self.connecting = Framer(), b"", True, not incoming
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.shaking = tls is not None
        self.tls, self.sock = tls, sock
        if tls and incoming:
            self._wrap()
        self._watch()

    def _wrap(self):
        self.net.loop.forget(self.sock)
        self.sock = self.tls.wrap_socket(self.sock, server_side=self.incoming, do_handshake_on_connect=False,
                                         suppress_ragged_eofs=True)

    def _watch(self, wants_write=False):
        writing = self.out and not self.shaking or self.connecting or wants_write
        self.net.loop.watch(self.sock, READ | (WRITE if writing else 0), self.ready)

    def send(self, data):
        self.out += data
        if self.alive and not self.connecting and not self.shaking and not self.net.loop.frozen_at:
            self._guarded(self._flush)

    def close(self, why="closed by the server", reset=False):
        if not self.alive:
            return
        self.alive = False
        self.net.loop.forget(self.sock)
        with contextlib.suppress(OSError):
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
        self.net.lost(self, why)

    def ready(self, mask):
        self._guarded(self._progress)

    def _guarded(self, run):
        try:
            run()
        except WAIT as wait:
            self._watch(isinstance(wait, ssl.SSLWantWriteError))
        except OSError as error:
            self.close(f"{type(error).__name__}: {error}")

    def _progress(self):
        if self.connecting:
            error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "cannot connect")
            self.connecting = False
            if self.tls:
                self._wrap()
        if self.shaking:
            self.sock.do_handshake()
            self.shaking = False
        self._flush()
        self._read()

    def _flush(self):
        while self.out:
            self.out = self.out[self.sock.send(self.out):]
        self._watch()

    def _read(self):
        while self.alive and not self.net.loop.frozen_at:
            data = self.sock.recv(65536)
            if not data:
                return self.close("closed by the client")
            try:
                for frame in self.framer.feed(data):
                    self.net.frame(frame, self)
            except Malformed as error:
                self.net.unreadable(str(error), self)
                return self.close("malformed")
        return None


class Net:
    """The server's sockets. The owner hears frame(bytes, peer), unreadable(why, peer) and lost(peer, why)."""

    def __init__(self, loop, transport, port, certificate, owner):
        self.loop, self.transport, self.port = loop, transport, port
        self.frame, self.unreadable, self.lost, self.counters = (
            owner.frame, owner.unreadable, owner.lost, owner.counters)
        self.links = []
        self.tls_server = self.tls_client = None
        if transport == "tls":
            self.tls_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls_server.load_cert_chain(*certificate)
            self.tls_client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.tls_client.check_hostname, self.tls_client.verify_mode = False, ssl.CERT_NONE
            self.tls_client.load_cert_chain(*certificate)
        self.socket = None
        self.listen()

    def listen(self):
        """Open the port; with port 0, a free one, which stays ours."""
        udp = self.transport == "udp"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        if not udp:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", self.port))
        self.port = self.socket.getsockname()[1]
        self.socket.setblocking(False)
        if not udp:
            self.socket.listen(128)
        self.loop.watch(self.socket, READ, self._datagrams if udp else self._accept)

    def stop_listening(self):
        if self.socket:
            self.loop.forget(self.socket)
            self.socket.close()
            self.socket = None

    def close(self):
        self.stop_listening()
        for link in list(self.links):
            link.close()

    def live_links(self):
        self.links = [link for link in self.links if link.alive]
        return list(self.links)

    def connect(self, host, port):
        """A connection to a client's listener."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect((host, port))
        self.links.append(Link(self, sock, (host, port), self.tls_client, incoming=False))
        return self.links[-1]

    def _accept(self, _mask):
        with contextlib.suppress(BlockingIOError):
            while self.socket and not self.loop.frozen_at:
                sock, address = self.socket.accept()
                self.counters["accepted"] += 1
                self.live_links()
                self.links.append(Link(self, sock, address, self.tls_server))

    def _datagrams(self, _mask):
        try:
            while self.socket and not self.loop.frozen_at:
                data, address = self.socket.recvfrom(65536)
                self.frame(data, Datagrams(self, address))
        except (BlockingIOError, ConnectionError):
            pass
