"""What happens to the telephones of a simulated TAPI host: calls, features, lines that come and go.

SPDX-License-Identifier: MIT
"""

import itertools

import bridge_lines
from bridge_lines import Call, Line


class Telephones:
    """The half of BridgeHost that a test plays with. Everything is done in the host's thread, by _do(); what happens to
    a line that is open for the daemon is told by _about(), else it is only remembered.
    """

    def __init__(self, lines):
        self._names = itertools.count(1)
        self.lines = {line: Line(line, **(lines[line] if isinstance(lines, dict) else {})) for line in lines}

    # ---- for the test: calls. A call is named by what offer(), dial() and the like give back.

    def _call(self, line, *path, **about):
        def run():
            call = Call(f"c{next(self._names)}", **about)
            self.lines[line].calls[call.name] = call
            for state, mode in path:
                self._move(call.name, state, mode)
            return call.name

        return self._do(run)

    def _move(self, name, state, mode=None, **members):
        line, call = self._find(name)
        call.state, call.mode = state, mode
        if state == "IDLE":
            del line.calls[name]
        self._about(line, "lineCallState", **call.members(), **members)

    def _find(self, name):
        for line in self.lines.values():
            if name in line.calls:
                return line, line.calls[name]
        raise KeyError(f"no call {name}")

    def calls(self, line):
        """Names of the calls of a line."""
        return self._do(lambda: list(self.lines[line].calls))

    def move(self, call, state, mode=None, **members):
        """LINE_CALLSTATE: any state, any mode. What is given besides is sent as it is."""
        self._do(lambda: self._move(call, state, mode, **members))

    def offer(self, line, peer=None, name=None, origin="EXTERNAL", reason=None, mode="ACTIVE"):
        """A call comes in. mode INACTIVE: at another station of the line."""
        return self._call(line, ("OFFERING", mode), peer=peer, peer_name=name, origin=origin, reason=reason)

    def dial(self, line, peer=None, name=None, upto="PROCEEDING"):
        """Off the hook: dial tone, dialling, proceeding; upto one of them or RINGBACK, BUSY, SPECIALINFO."""
        path = ["DIALTONE", "DIALING", "PROCEEDING"]
        path = path[:path.index(upto) + 1] if upto in path else [*path, upto]
        return self._call(line, *((state, None) for state in path), peer=peer, peer_name=name, origin="OUTBOUND")

    def accept(self, call):
        self.move(call, "ACCEPTED")

    def answer(self, call, mode="ACTIVE"):
        """Connected: by us, or by the far end. mode INACTIVE: somebody else talks on a shared line."""
        self.move(call, "CONNECTED", mode)

    def ringback(self, call):
        self.move(call, "RINGBACK")

    def busy_tone(self, call):
        self.move(call, "BUSY")

    def hold(self, call):
        self.move(call, "ONHOLD")

    def retrieve(self, call):
        self.move(call, "CONNECTED", "ACTIVE")

    def far_hold(self, call):
        """The other side holds us."""
        self.move(call, "CONNECTED", "ACTIVEHELD")

    def lose(self, call):
        """The provider does not know the state any more."""
        self.move(call, "UNKNOWN")

    def consult(self, call, peer, pending="TRANSFER"):
        """The call waits for a transfer (or CONF), a second one goes out: its name."""
        def run():
            self._move(call, "ONHOLDPEND" + pending)
            return self.dial(self._find(call)[0].name, peer, upto="RINGBACK")

        return self._do(run)

    def transfer(self, call, second):
        """Both end here."""
        self.idle(call)
        self.idle(second)

    def conference(self, call, second):
        """Both are parts of a third, whose name it gives back."""
        def run():
            third = self._call(self._find(call)[0].name, ("CONNECTED", "ACTIVE"))
            for part in (call, second):
                self._move(part, "CONFERENCED")
            return third

        return self._do(run)

    def disconnect(self, call, mode="NORMAL"):
        """The call has ended; it is idle() when it is gone."""
        self.move(call, "DISCONNECTED", mode)

    def idle(self, call):
        self.move(call, "IDLE")

    def call_info(self, call, peer, name=None):
        """LINE_CALLINFO: who calls is known now."""
        def run():
            line, found = self._find(call)
            found.peer, found.peer_name = peer, name
            self._about(line, "lineCallState", **found.members())

        self._do(run)

    # ---- for the test: lines

    def dnd(self, line, on, way="a"):
        """Do Not Disturb by way a (forward without target), b (lamp: a word of LAMP_MODES, or a truth) or c (vendor's
        message: 0, 1, 2 as in its third parameter, or a truth)."""
        def run():
            found = self.lines[line]
            if way == "a":
                rest = [entry for entry in found.entries or () if entry["mode"] != "UNCOND"]
                self.forward_list(line, rest + ([{"mode": "UNCOND", "dest": ""}] if on else []))
                return
            words = bridge_lines.LAMP_MODES if way == "b" else bridge_lines.VENDOR_STATES
            found.on = on if on is None or isinstance(on, bool) else words[on]
            self._about(found, "lineDnd", on=found.on)

        self._do(run)

    def forward(self, line, target, mode="UNCOND"):
        """Set the forward of a mode, or with None cancel it."""
        def run():
            rest = [entry for entry in self.lines[line].entries or () if entry["mode"] != mode]
            self.forward_list(line, rest + ([] if target is None else [{"mode": mode, "dest": target}]))

        self._do(run)

    def forward_list(self, line, entries):
        """All entries at once; None: they cannot be read."""
        def run():
            self.lines[line].entries = entries
            self._about(self.lines[line], "lineForward", entries=entries)

        self._do(run)

    def device_state(self, line, state):
        """LINE_LINEDEVSTATE with a word of DEVICE_STATES."""
        def run():
            found = self.lines[line]
            if state in ("OUTOFSERVICE", "MAINTENANCE"):
                found.in_service = False
                found.calls.clear()
            elif state == "INSERVICE":
                found.in_service = True
            self._about(found, "lineDevState", state=state)

        self._do(run)

    def out_of_service(self, line):
        self.device_state(line, "OUTOFSERVICE")

    def in_service(self, line):
        self.device_state(line, "INSERVICE")

    def close_line(self, line, reason="CLOSE"):
        """LINE_CLOSE; REMOVED: the line is gone for good."""
        def run():
            found = self.lines[line]
            self._about(found, "lineClose", reason=reason)
            found.close(reason)
            if self._link:
                self._link.opened.discard(line)
                self._link.removed.add(line)

        self._do(run)

    def fail_line(self, line, code):
        """The line cannot be opened: error with unknownLine, accessDenied or another code."""
        def run():
            self.lines[line].error = code
            self._say("error", line=line, code=code, message="The line cannot be opened.")
            if self._link:
                self._link.opened.discard(line)

        self._do(run)

    def reopen(self, line, **options):
        """Open a line that was closed or failed, or is new; options are those of bridge_lines.Line."""
        def run():
            old = self.lines.get(line)
            if old is None or options:
                old = self.lines[line] = Line(line, **options)
            old.closed = old.error = None
            link = self._link
            if link and link.want is not None and (link.want == "*" or line in link.want):
                self._open_lines(link, [line])

        self._do(run)

    def reinit(self):
        """LINEDEVSTATE_REINIT: all lines close, TAPI starts anew, everything is opened and said again."""
        def run():
            link = self._link
            again = sorted(link.opened) if link else []
            for name in again:
                self._say("lineClose", line=name, reason="REINIT")
                link.opened.discard(name)
            for line in self.lines.values():
                line.calls.clear()
            if link and link.welcome_at:
                self._open_lines(link, again, first=True)

        self._do(run)

    def resync(self, lines=None):
        """Say everything again of one's own accord."""
        self._do(lambda: self._link and self._resync(self._link, next(self._resyncs), sorted(
            self._link.opened if lines is None else lines)))

    def random_step(self, rng):
        """Something that may happen to a telephone: what was done, for the log of a test."""
        def run():
            if rng.random() < 0.01:
                self.reinit()
                return "reinit"
            line = rng.choice(sorted(self.lines))
            found = self.lines[line]
            if found.closed or found.error:
                self.reopen(line)
                return f"reopen {line}"
            return rng.choice((self._call_step, self._call_step, self._line_step))(found, rng)

        return self._do(run)

    def _call_step(self, line, rng):
        if not line.in_service:
            self.in_service(line.name)
            return f"in service {line.name}"
        if not line.calls or len(line.calls) < 4 and rng.random() < 0.3:
            start = rng.choice((self.offer, self.dial))
            peer = rng.choice(("205", "+442070846845", None))
            return f"{start.__name__} {line.name} {start(line.name, peer)}"
        name = rng.choice(list(line.calls))
        if line.calls[name].state in ("DISCONNECTED", "CONFERENCED"):
            self.idle(name)
            return f"idle {line.name} {name}"
        step = rng.choice((self.accept, self.answer, self.hold, self.retrieve, self.far_hold, self.ringback, self.idle,
                           self.busy_tone, self.disconnect, self.idle, self.lose, self._elsewhere, self._three))
        step(name)
        return f"{step.__name__} {line.name} {name}"

    def _elsewhere(self, call):
        self._move(call, "CONNECTED", "INACTIVE")

    def _three(self, call):
        second = self.consult(call, "209", "CONF")
        self.conference(call, second)

    def _line_step(self, line, rng):
        entry = rng.choice(("UNCOND", "UNCONDINTERNAL", "UNCONDEXTERNAL", "BUSY", "NOANSWEXTERNAL", "UNKNOWN"))
        step = rng.choice([lambda: self.dnd(line.name, rng.choice((True, False)), "a"),
                           lambda: self.dnd(line.name, rng.choice(tuple(bridge_lines.LAMP_MODES)), "b"),
                           lambda: self.dnd(line.name, rng.choice((0, 1, 2)), "c"),
                           lambda: self.forward(line.name, rng.choice(("8000", "205", None)), entry),
                           lambda: self.forward(line.name, None, entry), lambda: self.forward_list(line.name, []),
                           lambda: self.out_of_service(line.name), lambda: self.in_service(line.name),
                           lambda: self.close_line(line.name), lambda: self.device_state(line.name, "MSGWAITON")])
        step()
        return f"line {line.name}: {line.truth()}"
