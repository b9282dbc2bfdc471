#!/usr/bin/python3
"""A simulated telephone switch that speaks CSTA XML, for tests: strict with its client, and misbehaving on command.

    with CstaSwitch("tcp", extensions=["201", "202"], session="required", user="u", password="p") as switch:
        ... the program under test connects to 127.0.0.1:{switch.port} ...
        switch.wait(lambda: switch.monitors() == {"201", "202"}, "both monitors")
        call = switch.call("201", "202")
        switch.answer("202")
        switch.misbehave("drop_events", events="ConnectionCleared", device="201")
        assert switch.truth("201")["line"] == "busy" and switch.violations == []

Independent of the program under test. The model is in csta_model.py, one client in csta_peer.py, the documents in
csta_xml.py, the kinds of misbehaviour in csta_faults.py, random life and load in csta_life.py, sockets in csta_wire.py.

SPDX-License-Identifier: MIT
Usage: csta_switch.py [--port P] [--extensions 2001-2999] [--user U --password P] [--random RATE] [--quiet] ...
"""

import argparse
import collections
import dataclasses
import itertools
import pathlib
import random
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import csta_faults  # noqa: E402
import csta_life  # noqa: E402
from csta_model import Call, Event, Habits, Illegal, Model  # noqa: E402,F401
from csta_peer import Peer  # noqa: E402
from csta_wire import EVENT_ID, Loop, Net, frame  # noqa: E402
from csta_xml import Dialect, Writer  # noqa: E402

Sent = collections.namedtuple("Sent", "device name call state cause reference")
Asked = collections.namedtuple("Asked", "name device id time")
KEPT = 200000
LATE = {"Held": ("heldConnection", "holdingDevice", "hold"),
        "Retrieved": ("retrievedConnection", "retrievingDevice", "connected"),
        "Established": ("establishedConnection", "answeringDevice", "connected"),
        "Delivered": ("connection", "alertingDevice", "alerting"),
        "ConnectionCleared": ("droppedConnection", "releasingDevice", "null")}


def extensions_of(text):
    """"201,202,2001-2999" as a list."""
    found = []
    for part in str(text).split(","):
        first, _, last = part.strip().partition("-")
        found += [str(n) for n in range(int(first), int(last or first) + 1)]
    return found


class CstaSwitch:
    """See above. Every operation of Model is a method here too, safe from any thread.

    extensions: a list of numbers, {number: name}, "2001-2999" or a count (from 2001). session: required, optional,
    absent. dialect, habits: an object or a dict of what differs from the default. Attributes, also constructor
    options, that may be changed while it runs:

    versions          the protocolVersions that are accepted (None: any)
    session_duration  the longest session in seconds; session_grace: it is ended after so many times its duration
    heartbeat         seconds between SystemStatus requests (None: none); answer_within: for these, in seconds
    collide           requests of the switch use the invoke id that the client used last
    unsupported       names of requests that get serviceNotSupported
    max_in_flight, max_starts  requests without an answer at a time, MonitorStart within a second (None: any)
    monitor_limit     so many monitors in all (None: any); double_monitor: second or refuse
    greeting          a systemStatus told to every client that connects (None: none)
    segments          whole, joined, bytes, pieces: how frames are written to the sockets
    """

    def __init__(self, transport="tcp", extensions=("201", "202", "203", "204"), session="optional", user=None,
                 password=None, certificate=None, port=0, *, dialect=None, habits=None, segments="whole", **options):
        self.transport, self.port, self.certificate, self.session = transport, port, certificate, session
        self.user, self.password = user, password
        self.dialect = Dialect(**dialect) if isinstance(dialect, dict) else dialect or Dialect()
        self.habits = Habits(**habits) if isinstance(habits, dict) else habits or Habits()
        self.versions, self.session_duration, self.session_grace = None, 180, 1.0
        self.heartbeat, self.answer_within, self.collide = None, 10.0, False
        self.unsupported, self.max_in_flight, self.max_starts = set(), None, None
        self.monitor_limit, self.double_monitor, self.greeting = None, "second", None
        for name, value in options.items():
            if not hasattr(self, name) or callable(getattr(self, name)):
                raise TypeError(f"no such option: {name}")
            setattr(self, name, value)
        self.violations, self.counters, self.status, self.peak_in_flight = [], collections.Counter(), "normal", 0
        self.requests, self.sent = collections.deque(maxlen=KEPT), collections.deque(maxlen=KEPT)
        self.listeners, self.derived = [], 0
        self.monitors_of, self.references, self.session_ids = {}, itertools.count(1), itertools.count(4711)
        self.model = Model(self._event, self.habits)
        self.writer = Writer(self.dialect, self.model)
        self._segments, self._faults, self._peers, self._loads = segments, [], {}, []
        self._loop = self._net = None
        if isinstance(extensions, int):
            extensions = [str(2001 + n) for n in range(extensions)]
        elif isinstance(extensions, str):
            extensions = extensions_of(extensions)
        for number in extensions:
            self.model.add_device(number, extensions[number] if isinstance(extensions, dict) else None)

    # ---- life

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Begin to listen; after stop(), again on the same port, without sessions and monitors."""
        self._loop = Loop(self.complain)
        self._net = Net(self._loop, self.transport, self.port, self.certificate, self, self._segments)
        self.port = self._net.port
        self._loop.start()

    def stop(self):
        """Close everything; the model stays, and may be changed meanwhile."""
        if self._loop:
            for load in list(self._loads):
                load.stop()
            self._loop.call(self._net.close)
            self._loop.stop()
            self._loop = None

    def restart(self, while_down=None):
        """stop(), what is to happen meanwhile, start()."""
        self.stop()
        if while_down:
            while_down()
        self.start()

    def do(self, run):
        """Run this in the switch's own thread: nothing else happens meanwhile."""
        return self._loop.call(run) if self._loop else run()

    def after(self, seconds, run):
        return self._loop.after(seconds, run)

    @property
    def segments(self):
        return self._segments

    @segments.setter
    def segments(self, value):
        self._segments = value
        if self._loop:
            self.do(lambda: setattr(self._net, "segments", value))

    # ---- for the test: the state of the switch, connections, misbehaviour

    def set_status(self, value):
        """The systemStatus from now on, told to everybody; disabled and initializing void all monitors."""
        self.do(lambda: self._set_status(value))

    def _set_status(self, value):
        if value in ("disabled", "initializing", "enabled", "normal", "partiallyDisabled"):
            self.status = value
        if value in ("disabled", "initializing"):
            for peer in self._peers.values():
                peer.forget_all()
        for peer in self._living():
            peer.status(value)

    def misbehave(self, kind, times=1, device=None, **options):
        """Order a misbehaviour of csta_faults.py, for the next `times` (None: until cancelled), or at once."""
        fault = csta_faults.Fault(kind, times, device, options)

        def order():
            if kind in csta_faults.DEEDS:
                for _ in range(times or 1):
                    fault.use()
                    getattr(self, "_deed_" + kind)(fault.device, **options)
            elif kind in csta_faults.DOCUMENTS or kind in csta_faults.BYTES:
                for _ in range(times or 1):
                    fault.use()
                    self._garbage(kind, fault.device, options)
            elif kind in csta_faults.MODEL_KINDS:
                self.model.reuse = times or 1 << 30
            else:
                self._faults.append(fault)

        self.do(order)
        return fault

    def behave(self, kind=None):
        """Cancel the orders of a kind, or all."""
        def cancel():
            self._faults[:] = [fault for fault in self._faults if kind not in (None, fault.kind)]
            if kind in (None, "reuse_call_id"):
                self.model.reuse = 0

        self.do(cancel)

    def close_connections(self, reset=False):
        self.do(lambda: [link.close(reset=reset) for link in self._net.live()])

    def stop_listening(self):
        """New connections are refused by the kernel."""
        self.do(self._net.stop_listening)

    def listen_again(self):
        self.do(lambda: self._net.socket or self._net.listen())

    def freeze(self):
        """Like a stopped process: nothing is read, accepted or said until thaw()."""
        self.do(self._loop.freeze)

    def thaw(self):
        def melt():
            self._loop.thaw()
            for link in self._net.live():
                link.uncork()

        self.do(melt)

    # ---- for the test: random life

    def random_step(self, rng=random, devices=None):
        """One legal random operation; gives the sentence that says which."""
        return self.do(lambda: csta_life.step(self.model, rng, devices))

    def load(self, events_per_second, seconds=None, rng=None, devices=None, mixed=0.0):
        """Random calls at that rate of events, in the switch's thread. Gives a Load: stop(), events, wait()."""
        load = csta_life.Load(self, events_per_second, seconds, rng or random.Random(1), devices, mixed)
        self._loads.append(load)
        self.do(load.start)
        return load

    # ---- for the test: assertions

    def monitors(self):
        """The set of monitored devices."""
        return {number for number, monitors in list(self.monitors_of.items()) if monitors}

    def monitor_count(self):
        return sum(len(peer.monitors) for peer in self._peers.values())

    def connections(self):
        return sum(peer.link.alive for peer in list(self._peers.values()))

    def sessions(self):
        """The ids of the sessions that are alive."""
        return [peer.session.id for peer in list(self._peers.values()) if peer.session]

    def in_flight(self):
        """Requests that we have not answered yet."""
        return sum(len(peer.waiting) for peer in list(self._peers.values()))

    def unanswered(self):
        """Requests of ours that the client has not answered yet."""
        return sum(len(peer.mine) for peer in list(self._peers.values()))

    def truths(self):
        """{device: truth} at one moment."""
        return self.do(lambda: {number: self.model.truth(number) for number in self.model.devices})

    def wait(self, condition, what, timeout=30):
        """Until condition() gives something true, which is returned; asked again whenever something happened here."""
        end = time.monotonic() + timeout
        while True:
            loop = self._loop
            seen = loop.turns if loop else 0
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not within {timeout} s: {what}; violations: {self.violations}")
            if loop:
                with loop.changed:
                    loop.changed.wait_for(lambda: loop.turns != seen, 0.05)

    def complain(self, sentence):
        self.violations.append(sentence)

    # ---- what the sockets tell

    def accepted(self, link):
        self.counters["accepted"] += 1
        faults = self.take_faults(lambda f: f.kind in csta_faults.ACCEPT_KINDS and f.left != 0)
        if "hello" in faults:
            link.send(faults["hello"].get("data", csta_faults.BER))
        if "hang_up" in faults:
            self._peers[link] = Peer(self, link)
            link.close()
            return
        peer = self._peers[link] = Peer(self, link)
        if self.greeting:
            peer.status(self.greeting)

    def frames(self, link, found):
        if link in self._peers:
            self._peers[link].take(found)

    def broken(self, _link, why):
        self.complain(why)

    def lost(self, link, _why):
        self.counters["lost"] += 1
        peer = self._peers.pop(link, None)
        if peer:
            for _, timer, _ in peer.mine.values():
                timer.cancel()
            peer.mine.clear()
            if peer.session and peer.session.timer:
                peer.session.timer.cancel()
            peer.forget_all()
            peer.session = None

    def heard(self, request):
        self.counters[request.name] += 1
        self.requests.append(Asked(request.name, request.device, request.id, request.time))

    # ---- events

    def _event(self, event):
        for listener in self.listeners:
            listener(event)
        self.derived += len(event.targets)
        if self.status in ("disabled", "initializing"):
            return
        body = None
        for number, state in event.targets:
            monitors = self.monitors_of.get(number)
            if not monitors:
                continue
            if body is None or self.dialect.split_call_ids:
                body = self.writer.event_body(event, number)
            for monitor in list(monitors):
                self._to_monitor(monitor, event, state, body)

    def _to_monitor(self, monitor, event, state, body):
        text = self.writer.event(event, monitor.reference, body, state)
        sent = Sent(monitor.device, event.name, event.call and event.call.id, state, event.cause, monitor.reference)
        if event.call:
            self._remember(monitor, event, state, text)
        faults = self._faults and self.take_faults(lambda f: f.on_event(event, monitor.device))
        if not faults:
            self._send_event(monitor, sent, text)
        elif "drop_events" in faults:
            self.counters["dropped"] += 1
            return
        elif "reorder" in faults:
            monitor.held.append((sent, text))
            return
        else:
            self._odd_event(monitor, sent, text, event, state, body, faults)
        while monitor.held:
            self._send_event(monitor, *monitor.held.pop(0))

    @staticmethod
    def _remember(monitor, event, state, text):
        """The last event of each call that goes on, and of the one that ended last."""
        for over in [value[0] for _, kind, value in event.fields if kind == "old"]:
            monitor.late = (over, monitor.spoken.pop(over, text))
        if event.name == "CallCleared":
            return
        if state == "null":
            monitor.late = (event.call.id, monitor.spoken.pop(event.call.id, text))
        else:
            monitor.spoken[event.call.id] = text

    def _odd_event(self, monitor, sent, text, event, state, body, faults):
        if "unknown_cross_ref" in faults:
            text = self.writer.event(event, "m-0", body, state)
        if "raw_event" in faults:
            text = faults["raw_event"]["document"].replace("{ref}", monitor.reference)
        if "delay" in faults:
            self.after(faults["delay"].get("seconds", 0.2), lambda: self._send_event(monitor, sent, text))
        else:
            for _ in range(1 + (faults["duplicate"].get("count", 1) if "duplicate" in faults else 0)):
                self._send_event(monitor, sent, text)

    def _send_event(self, monitor, sent, text):
        if monitor.peer.link.alive:
            self.sent.append(sent)
            self.counters["events"] += 1
            monitor.peer.send_event(text)

    # ---- misbehaviour

    def take_faults(self, applies):
        return csta_faults.take(self._faults, applies) if self._faults else {}

    def _living(self):
        """The clients that have said something, so that they can be spoken to."""
        return [peer for peer in list(self._peers.values())
                if peer.link.alive and (peer.session or self.session != "required")]

    def _monitors(self, device):
        return [monitor for peer in list(self._peers.values()) for monitor in list(peer.monitors.values())
                if device in (None, monitor.device)]

    def _garbage(self, kind, device, options):
        for peer in self._living():
            reference = next((m.reference for m in peer.monitors.values() if device in (None, m.device)), "none")
            if kind in csta_faults.DOCUMENTS:
                peer.send(csta_faults.DOCUMENTS[kind](self.writer, reference, options))
                continue
            document = self.writer.document("AgentReadyEvent", self.writer.t("monitorCrossRefID", reference))
            peer.link.send(csta_faults.BYTES[kind](frame(document, EVENT_ID), options))
            if kind in csta_faults.CLOSING:
                peer.link.close(kind)

    def _deed_messages_lost(self, _device):
        self._set_status("messagesLost")

    def _deed_overload(self, _device, status="overloadReached"):
        self._set_status(status)

    def _deed_status(self, _device, value="normal"):
        for peer in self._living():
            peer.status(value)

    def _deed_monitor_stop(self, device):
        for monitor in self._monitors(device):
            monitor.peer.stop_monitor(monitor)

    def _deed_restart_announced(self, _device, gap=0.0):
        for n, value in enumerate(("disabled", "initializing", "enabled")):
            if gap and n:
                self.after(gap * n, lambda value=value: self._set_status(value))
            else:
                self._set_status(value)

    def _deed_session_terminated(self, _device):
        for peer in [peer for peer in self._peers.values() if peer.session]:
            peer.terminate()

    def _deed_late_event(self, device, event=None):
        for monitor in [monitor for monitor in self._monitors(device) if monitor.late]:
            call_id, text = monitor.late
            if event:
                connection, which, state = LATE[event]
                fields = [(connection, "connection", monitor.device), (which, "device", monitor.device)]
                late = Event(event, Call(call_id, monitor.device, None, True), fields, "normal", [])
                text = self.writer.event(late, monitor.reference, self.writer.event_body(late, monitor.device), state)
            sent = Sent(monitor.device, event or "late", call_id, None, None, monitor.reference)
            self._send_event(monitor, sent, text)

    def remove_device(self, number):
        """The device is deleted, and the switch ends its monitors."""
        def remove():
            self.model.remove_device(number)
            self._deed_monitor_stop(str(number))

        self.do(remove)


def _operation(name):
    def run(self, *arguments, **options):
        return self.do(lambda: getattr(self.model, name)(*arguments, **options))

    run.__name__, run.__doc__ = name, getattr(Model, name).__doc__
    return run


for _name in Model.OPERATIONS:
    if not hasattr(CstaSwitch, _name):
        setattr(CstaSwitch, _name, _operation(_name))


def sentence(event):
    """An event in words."""
    who = ", ".join(number + (f" is {state}" if state else "") for number, state in event.targets) or "nobody hears"
    call = f" of call {event.call.id}" if event.call else ""
    device = "".join(f", {name} {value}" for name, kind, value in event.fields if not event.call and kind != "device")
    return f"{event.name}{call}{device}: {who}" + (f" ({event.cause})." if event.cause else ".")


def main(arguments=None):
    parser = argparse.ArgumentParser(description="A simulated telephone switch that speaks CSTA XML.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--extensions", default="2001-2999")
    parser.add_argument("--session", choices=("required", "optional", "absent"), default="optional")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--certificate", nargs=2, metavar=("CERT", "KEY"), help="TLS instead of plain TCP")
    parser.add_argument("--heartbeat", type=float)
    parser.add_argument("--random", type=float, metavar="RATE", help="random life: events per second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet", action="store_true", help="nothing but the port")
    parser.add_argument("--dialect", nargs="*", default=[], metavar="NAME=VALUE", help="of Dialect, e.g. devices=tel")
    options = parser.parse_args(arguments)
    kinds = {field.name: field.type for field in dataclasses.fields(Dialect)}
    dialect = {}
    for name, _, value in (text.partition("=") for text in options.dialect):
        if name not in kinds:
            parser.error(f"no such thing in a dialect: {name}")
        dialect[name] = value == "true" if kinds[name] in (bool, "bool") else value or None
    switch = CstaSwitch("tls" if options.certificate else "tcp", options.extensions, options.session, options.user,
                        options.password, options.certificate, options.port, dialect=dialect,
                        heartbeat=options.heartbeat)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    if not options.quiet:
        switch.listeners.append(lambda event: print(sentence(event), flush=True))
    with switch:
        print(f"port {switch.port}", flush=True)
        if options.random:
            switch.load(options.random, rng=random.Random(options.seed), mixed=0.3)
        told = 0
        while not ended.wait(0.2):
            for violation in [] if options.quiet else switch.violations[told:]:
                print(f"The client is wrong: {violation}.", flush=True)
            told = len(switch.violations)
    return 0


if __name__ == "__main__":
    sys.exit(main())
