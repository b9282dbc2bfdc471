"""Lines of a simulated TAPI host: the constants of TAPI, the calls of a line, and what a presence daemon should say.

The numbers are those of tapi.h. Line.truth() is written from the tables of presenced-bridge(7) and knows nothing of how
the program under test computes the same.

SPDX-License-Identifier: MIT
"""

CALL_STATES = {"IDLE": 0x1, "OFFERING": 0x2, "ACCEPTED": 0x4, "DIALTONE": 0x8, "DIALING": 0x10, "RINGBACK": 0x20,
               "BUSY": 0x40, "SPECIALINFO": 0x80, "CONNECTED": 0x100, "PROCEEDING": 0x200, "ONHOLD": 0x400,
               "CONFERENCED": 0x800, "ONHOLDPENDCONF": 0x1000, "ONHOLDPENDTRANSFER": 0x2000, "DISCONNECTED": 0x4000,
               "UNKNOWN": 0x8000}
CONNECTED_MODES = {"ACTIVE": 0x1, "INACTIVE": 0x2, "ACTIVEHELD": 0x4, "INACTIVEHELD": 0x8, "CONFIRMED": 0x10}
OFFERING_MODES = {"ACTIVE": 0x1, "INACTIVE": 0x2}
DISCONNECT_MODES = {"NORMAL": 0x1, "FORWARDED": 0x10, "BUSY": 0x20, "NOANSWER": 0x40, "DONOTDISTURB": 0x40000,
                    "CANCELLED": 0x80000}
MODES = {"CONNECTED": CONNECTED_MODES, "OFFERING": OFFERING_MODES, "DISCONNECTED": DISCONNECT_MODES}
ORIGINS = {"OUTBOUND": 0x1, "INTERNAL": 0x2, "EXTERNAL": 0x4, "UNKNOWN": 0x10, "INBOUND": 0x80}
REASONS = {"DIRECT": 0x1, "FWDBUSY": 0x2, "FWDNOANSWER": 0x4, "FWDUNCOND": 0x8, "PICKUP": 0x10}
FORWARD_MODES = {"UNCOND": 0x1, "UNCONDINTERNAL": 0x2, "UNCONDEXTERNAL": 0x4, "UNCONDSPECIFIC": 0x8, "BUSY": 0x10,
                 "BUSYINTERNAL": 0x20, "BUSYEXTERNAL": 0x40, "BUSYSPECIFIC": 0x80, "NOANSW": 0x100,
                 "NOANSWINTERNAL": 0x200, "NOANSWEXTERNAL": 0x400, "NOANSWSPECIFIC": 0x800, "BUSYNA": 0x1000,
                 "BUSYNAINTERNAL": 0x2000, "BUSYNAEXTERNAL": 0x4000, "BUSYNASPECIFIC": 0x8000, "UNKNOWN": 0x10000,
                 "UNAVAIL": 0x20000}
DEVICE_STATES = {"OTHER": 0x1, "RINGING": 0x2, "CONNECTED": 0x4, "DISCONNECTED": 0x8, "MSGWAITON": 0x10,
                 "MSGWAITOFF": 0x20, "INSERVICE": 0x40, "OUTOFSERVICE": 0x80, "MAINTENANCE": 0x100, "OPEN": 0x200,
                 "CLOSE": 0x400, "NUMCALLS": 0x800, "NUMCOMPLETIONS": 0x1000, "TERMINALS": 0x2000, "ROAMMODE": 0x4000,
                 "BATTERY": 0x8000, "SIGNAL": 0x10000, "DEVSPECIFIC": 0x20000, "REINIT": 0x40000, "LOCK": 0x80000,
                 "CAPSCHANGE": 0x100000, "CONFIGCHANGE": 0x200000, "TRANSLATECHANGE": 0x400000, "COMPLCANCEL": 0x800000,
                 "REMOVED": 0x1000000}
# Ways b and c of Do Not Disturb: lamp mode of the button, third parameter of the vendor's message -> on.
LAMP_MODES = {"DUMMY": None, "OFF": False, "STEADY": True, "WINK": True, "FLASH": True, "FLUTTER": True,
              "BROKENFLUTTER": True, "UNKNOWN": None}
VENDOR_STATES = {0: None, 1: True, 2: False}

RINGING, DIALING, HELD = ("OFFERING", "ACCEPTED"), ("DIALTONE", "DIALING", "PROCEEDING", "RINGBACK", "BUSY",
                                                    "SPECIALINFO"), ("ONHOLD", "ONHOLDPENDCONF", "ONHOLDPENDTRANSFER")
PUBLISHED = {**dict.fromkeys(RINGING, "ringing"), **dict.fromkeys(DIALING, "dialing"), **dict.fromkeys(HELD, "held"),
             "CONNECTED": "connected", "CONFERENCED": "connected"}
ELSEWHERE = {"OFFERING": ("INACTIVE",), "CONNECTED": ("INACTIVE", "INACTIVEHELD")}
DIRECTIONS = {"OUTBOUND": "out", "INTERNAL": "in", "EXTERNAL": "in", "INBOUND": "in"}


class Call:
    def __init__(self, name, origin=None, peer=None, peer_name=None, reason=None):
        self.name, self.state, self.mode, self.connected_since = name, "UNKNOWN", None, None
        self.origin, self.peer, self.peer_name, self.reason = origin, peer, peer_name, reason

    def members(self):
        """The members of lineCallState, without the line."""
        found = {"call": self.name, "state": self.state, "mode": self.mode, "origin": self.origin,
                 "reason": self.reason, "peer": self.peer, "peerName": self.peer_name,
                 "connectedSince": self.connected_since}
        return {name: value for name, value in found.items() if value is not None}

    def counts(self):
        return self.state in PUBLISHED and self.mode not in ELSEWHERE.get(self.state, ())

    def published(self):
        found = {"state": PUBLISHED[self.state], "direction": DIRECTIONS.get(self.origin), "peer": self.peer,
                 "name": self.peer_name}
        return {name: value for name, value in found.items() if value}


class Line:
    """One line device. `closed` is None, or the reason of the lineClose."""

    def __init__(self, name, title=None, can=("forward", "dnd"), in_service=True, entries=(), on=None):
        self.name, self.title, self.can, self.in_service = name, title, list(can), in_service
        self.entries, self.on = None if entries is None else list(entries), on
        self.calls, self.closed, self.error = {}, None, None

    def close(self, reason):
        self.closed = reason
        self.calls.clear()

    def offered(self):
        """An entry of lineOpen."""
        found = {"line": self.name, "inService": self.in_service, "can": self.can}
        return {**found, "name": self.title} if self.title else found

    def state(self):
        """The members of lineState."""
        return {"line": self.name, "inService": self.in_service, "calls": [call.members() for call in
                                                                           self.calls.values()],
                "entries": self.entries, "on": self.on}

    def counting(self):
        """The calls that occupy the person. A part of a conference counts only if nothing else does."""
        counting = [call for call in self.calls.values() if call.counts()]
        return [call for call in counting if call.state != "CONFERENCED"] or counting

    def _line(self):
        states = {PUBLISHED[call.state] for call in self.counting()}
        for wanted, word in (({"connected", "dialing"}, "busy"), ({"ringing"}, "ringing"), ({"held"}, "held")):
            if states & wanted:
                return word
        return None if any(call.state == "UNKNOWN" for call in self.calls.values()) else "idle"

    def _forwards(self):
        """Destinations of what holds for every call; None as destination: not known."""
        found = [entry.get("dest") for entry in self.entries or () if entry["mode"] == "UNCOND"]
        modes = {entry["mode"]: entry.get("dest") for entry in reversed(self.entries or ())}
        if not found and {"UNCONDINTERNAL", "UNCONDEXTERNAL"} <= set(modes):
            found = [modes["UNCONDEXTERNAL"]]
        return found

    def truth(self):
        """The facts as they should be published; what is not known is missing. None: no facts at all."""
        if self.closed or self.error:
            return {"line": "offline", "calls": []} if self.closed == "CLOSE" else None
        facts, forwards = {}, self._forwards()
        if not self.in_service:
            facts = {"line": "offline", "calls": []}
        elif self._line():
            facts = {"line": self._line(), "calls": [call.published() for call in self.counting()]}
        known = self.entries is not None and not any(e["mode"] in ("UNKNOWN", "UNAVAIL") for e in self.entries)
        if self.on or "" in forwards:
            facts["dnd"] = True
        elif "dnd" in self.can and (self.on is False or known):
            facts["dnd"] = False
        targets = [dest for dest in forwards if dest != ""]
        if targets:
            facts["forward"] = {"target": targets[0]} if targets[0] is not None else {}
        elif known and "forward" in self.can:
            facts["forward"] = None
        return facts

    def status(self):
        """The status that the published half should have."""
        if self.error:
            return {"unknownLine": "not_found", "accessDenied": "access_denied"}.get(self.error, "error")
        return {None: "ok", "CLOSE": "ok", "REMOVED": "not_found", "REINIT": "stale"}[self.closed]
