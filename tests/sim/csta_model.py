"""The truth of the simulated switch: devices, calls, forwards, Do Not Disturb, and how each change becomes events.

Nothing here knows of sockets or XML. Each operation changes the model and tells the listener Event tuples: the event's
own elements, and for each device concerned the state, after the event, of its own connection to the call.

SPDX-License-Identifier: MIT
"""

import collections
import dataclasses
import itertools

import csta_truth
from csta_truth import ANSWERED, OFF_HOOK

AGENT_EVENTS = ("LoggedOn", "LoggedOff", "NotReady", "Ready", "Busy", "WorkingAfterCall")
FORWARDS = ("forwardImmediate", "forwardImmInt", "forwardImmExt", "forwardBusy", "forwardBusyInt", "forwardBusyExt",
            "forwardNoAns", "forwardNoAnsInt", "forwardNoAnsExt", "forwardDND", "forwardDNDInt", "forwardDNDExt")

# targets: [(device number, its state after the event or None)]; call: the Call, or None for an event of a device
Event = collections.namedtuple("Event", "name call fields cause targets")
Forward = collections.namedtuple("Forward", "on number rings")


class Illegal(Exception):
    """The operation makes no sense in the state that the model is in."""


def need(condition, sentence):
    if not condition:
        raise Illegal(sentence)


@dataclasses.dataclass
class Habits:
    """What differs from switch to switch and is right in each.

    clearing      far: the one who goes first, then the other; own: each hears of itself first, then of the other;
                  only_own: nobody hears of the other; call: as far, and CallCleared at the end
    group         cleared or diverted: how the rest of a ring group hears that a colleague has answered
    transfer_id   new, primary or secondary: the callID of what a transfer or conference makes
    tells_diverted  a device that forwards at once hears Diverted itself
    offered       Offered before Delivered
    """
    clearing: str = "far"
    group: str = "cleared"
    transfer_id: str = "new"
    tells_diverted: bool = True
    offered: bool = False


class Device:
    """An extension."""

    def __init__(self, number, name=None):
        self.number, self.name = number, name
        self.dnd, self.in_service, self.call_waiting, self.agent = False, True, True, "agentNull"
        self.forwards = {}
        self.parties = {}

    def active(self):
        """The parties that hold the line."""
        return [party for party in self.parties.values() if party.state in OFF_HOOK]

    def in_state(self, *states):
        return [party for party in self.parties.values() if party.state in states]


class Party:
    """The connection of one device, or of somebody outside, to one call."""
    __slots__ = ("call", "number", "state", "direction", "device", "group")

    def __init__(self, call, number, state, direction, device):
        self.call, self.number, self.state, self.direction, self.device = call, number, state, direction, device
        self.group = False


class Call:
    """A call and its parties; a number of None is withheld."""
    __slots__ = ("id", "parties", "calling", "called", "redirected", "internal")

    def __init__(self, identity, calling, called, internal):
        self.id, self.calling, self.called, self.internal = identity, calling, called, internal
        self.parties, self.redirected = [], None

    def party(self, number):
        return next((party for party in self.parties if party.number == number), None)

    def others(self, party):
        return [other for other in self.parties if other is not party]

    def __repr__(self):
        return f"<call {self.id}: " + ", ".join(f"{p.number} {p.state}" for p in self.parties) + ">"


class Model:
    """See above. Numbers are text; call may be left out where only one call of the device can be meant."""
    OPERATIONS = ("add_device", "remove_device", "call", "off_hook", "dial", "answer", "hang_up", "hold", "retrieve",
                  "alternate", "consult", "transfer", "conference", "pickup", "group_call", "queue", "distribute",
                  "divert", "no_answer", "fail", "park", "inform", "set_dnd", "set_forward", "set_agent",
                  "out_of_service", "back_in_service", "truth", "snapshot", "calls")

    def __init__(self, listener, habits=None):
        self.listener, self.habits = listener, habits or Habits()
        self.devices, self.names, self.live = {}, {}, {}
        self.numbers = itertools.count(9001)
        self.last_ended, self.reuse = None, 0

    # ---- devices

    def add_device(self, number, name=None):
        number = str(number)
        self.devices[number] = Device(number, name)
        if name:
            self.names[number] = name

    def remove_device(self, number):
        """The device is deleted: its calls end; the server ends its monitors."""
        device = self._device(number)
        self._drop_all(device, "switchingFunctionTerminated")
        del self.devices[device.number]

    def set_dnd(self, number, on=True):
        device = self._device(number)
        device.dnd = bool(on)
        self._tell("DoNotDisturb", None, [("device", "device", device.number),
                                          ("doNotDisturbOn", "text", "true" if on else "false")], None,
                   [(device.number, None)])

    def set_forward(self, number, kind="forwardImmediate", on=True, target=None, rings=None):
        """A type of forwarding goes on or off; off with a target stays programmed, off without is removed."""
        device = self._device(number)
        need(kind in FORWARDS, f"no such forwardingType: {kind}")
        target = None if target is None else str(target)
        if on or target:
            device.forwards[kind] = Forward(bool(on), target, rings)
        else:
            device.forwards.pop(kind, None)
        fields = [("device", "device", device.number), ("forwardingType", "text", kind),
                  ("forwardStatus", "text", "true" if on else "false")]
        if target:
            fields.append(("forwardTo", "number", target))
        if rings:
            fields.append(("ringCount", "text", str(rings)))
        self._tell("Forwarding", None, fields, None, [(device.number, None)])

    def set_agent(self, number, what="LoggedOn", group=None):
        """An event of an agent at the device: a name of AGENT_EVENTS."""
        device = self._device(number)
        need(what in AGENT_EVENTS, f"no such agent event: {what}")
        device.agent = {"LoggedOn": "agentNotReady", "LoggedOff": "agentNull"}.get(what, "agent" + what)
        fields = [("agentDevice", "device", device.number), ("agentID", "text", "A" + device.number)]
        if group:
            fields.append(("acdGroup", "number", group))
        self._tell("Agent" + what, None, fields, None, [(device.number, None)])

    def out_of_service(self, number):
        """The device is unplugged: its calls end first."""
        device = self._device(number)
        self._drop_all(device, "normalClearing")
        device.in_service = False
        self._tell("OutOfService", None, [("device", "device", device.number)], "normal", [(device.number, None)])

    def back_in_service(self, number):
        device = self._device(number)
        device.in_service = True
        self._tell("BackInService", None, [("device", "device", device.number)], "normal", [(device.number, None)])

    # ---- calls

    def call(self, caller, called, name=None, cause="newCall"):
        """A call from a device, or from outside (caller None: withheld) to a device. Gives the Call."""
        if caller is not None and str(caller) in self.devices:
            need(str(called) != str(caller), "nobody calls himself")
            return self.dial(caller, called, self.off_hook(caller, cause), cause)
        need(str(called) in self.devices, "a call from outside to outside is none of ours")
        call = self._from_outside(caller, called, name)
        self._route(call, call.called, cause)
        return call

    def off_hook(self, number, cause="newCall"):
        """Dial tone: a call in state initiated."""
        device = self._device(number)
        need(device.in_service, f"{number} is out of service")
        need(not device.active(), f"{number} is in a call already")
        call = self._new_call(device.number, None)
        self._join(call, device.number, "initiated", "out")
        self._tell("ServiceInitiated", call, [("initiatedConnection", "connection", device.number),
                                              ("initiatingDevice", "device", device.number)], cause)
        return call

    def dial(self, number, called, call=None, cause="newCall"):
        party = self._party(number, call, "initiated")
        self._originated(party, str(called), cause)
        self._route(party.call, str(called), cause)
        return party.call

    def answer(self, number, call=None):
        """A ringing call is answered, maybe outside; another active call of the device is put on hold before."""
        party = self._party(number, call, "alerting")
        if party.device:
            self._hold_active(party.device, "alternate")
        party.state = "connected"
        self._established(party, "newCall")
        self._silence_group(party.call)
        return party.call

    def hang_up(self, number, call=None, cause="normalClearing"):
        """A party leaves; what remains of the call ends too if nobody is left to talk to."""
        states = (OFF_HOOK, ("hold",), ("alerting",), ("queued",))
        found = [party for wanted in states for party in self._parties(number, call) if party.state in wanted]
        need(found, f"{number} has nothing to hang up")
        self._leave(found[0], cause)

    def hold(self, number, call=None, cause="normal"):
        party = self._party(number, call, "connected")
        others = [other.state for other in party.call.others(party)]
        need(others and all(state in ANSWERED for state in others), "who is to be held is not there, or not yet")
        party.state = "hold"
        self._tell("Held", party.call, [("heldConnection", "connection", party.number),
                                        ("holdingDevice", "device", party.number)], cause)
        return party.call

    def retrieve(self, number, call=None, cause="normal"):
        party = self._party(number, call, "hold")
        need(not (party.device and party.device.active()), f"{number} is in another call")
        party.state = "connected"
        self._tell("Retrieved", party.call, [("retrievedConnection", "connection", party.number),
                                             ("retrievingDevice", "device", party.number)], cause)
        return party.call

    def alternate(self, number):
        """The active call is held, the held one retrieved."""
        held = self._party(number, None, "hold")
        self.hold(number, self._party(number, None, "connected").call, "alternate")
        return self.retrieve(number, held.call, "alternate")

    def consult(self, number, called):
        """The active call is held and a second one made. Gives the second."""
        need(str(called) != str(number), "nobody calls himself")
        self.hold(number, self._party(number, None, "connected").call, "consultation")
        return self.call(number, called, cause="consultation")

    def transfer(self, number, to=None, call=None):
        """The device leaves and joins the others: its held and its active call, or its call and a number. New Call."""
        if to is not None:
            return self._blind_transfer(number, call, str(to))
        held, active = self._consultation(number, call)
        there = {p.state for p in active.call.others(active)}
        need(there <= {"alerting", *ANSWERED}, "nobody to transfer to")
        need("alerting" not in there or all(p.state == "connected" for p in held.call.others(held)),
             "the call is held on both sides")
        device, to = held.device, active.call.others(active)[0].number
        new, items = self._merge(held, active, without=True)
        new.calling, new.called = new.parties[0].number, to
        self._transferred(new, items, held, active, to, "transfer", [(device.number, "null")])
        self._tidy(new)
        return new

    def conference(self, number, call=None):
        """The held and the active call of the device become one. Gives the new Call."""
        held, active = self._consultation(number, call)
        need(all(p.state in ANSWERED for p in active.call.others(active)), "the second party has not answered")
        others = active.call.others(active)
        new, items = self._merge(held, active, without=False)
        self._tell("Conferenced", new, [("primaryOldCall", "old", (held.call.id, number)),
                                        ("secondaryOldCall", "old", (active.call.id, number)),
                                        ("conferencingDevice", "device", str(number)),
                                        ("addedParty", "device", others[0].number),
                                        ("conferenceConnections", "list", items)], "conference")
        return new

    def pickup(self, number, call):
        """A colleague takes a call that rings, waits or is parked elsewhere."""
        device = self._device(number)
        need(device.in_service and not device.active(), f"{number} cannot pick up")
        need(call.id in self.live and not call.party(device.number), f"{number} has to do with the call already")
        waiting = [party for party in call.parties if party.state in ("alerting", "queued")]
        need(waiting and any(p.state in ANSWERED for p in call.parties), "there is nothing to pick up")
        self._divert(waiting[0], device.number, "callPickup")
        party = self._join(call, device.number, "connected", "in")
        self._established(party, "callPickup")
        self._silence_group(call)
        return call

    def group_call(self, caller, members, group="600", name=None):
        """A call to a ring group: it rings at every member that can be reached. Gives the Call."""
        members = [str(member) for member in members]
        need(str(caller) not in members, "nobody calls himself")
        call = self._start(caller, str(group), name)
        for number in members:
            device = self._device(number)
            if self._obstacle(device, call) == (None, None):
                party = self._join(call, number, "alerting", "in")
                party.group = True
                self._delivered(party, "newCall", [p for p in call.parties if not p.group or p is party])
        if len(call.parties) == 1:
            self._failed(call, str(group), "destNotObtainable")
        return call

    def queue(self, caller, queue, name=None):
        """A call that waits at a queue, or camps on at a device. Gives the Call."""
        need(str(caller) != str(queue), "nobody calls himself")
        need(str(queue) not in self.devices or self.devices[str(queue)].in_service, f"{queue} is out of service")
        call = self._start(caller, str(queue), name)
        self._queued(call, str(queue), "campOn" if str(queue) in self.devices else "enteringDistribution")
        return call

    def distribute(self, call, number):
        """A waiting call rings at an agent."""
        waiting = [party for party in call.parties if party.state == "queued"]
        need(waiting and call.id in self.live, "the call does not wait")
        need(not call.party(str(number)) or call.party(str(number)) is waiting[0], f"{number} is in the call already")
        self._divert(waiting[0], str(number), "distributed")
        self._route(call, str(number), "distributed")
        return call

    def divert(self, number, to, call=None, cause="redirected"):
        """A ringing call is sent elsewhere by the one at whom it rings."""
        party = self._party(number, call, "alerting")
        need(not party.call.party(str(to)), f"{to} is in the call already")
        self._divert(party, str(to), cause)
        party.call.redirected = party.number
        self._route(party.call, str(to), cause)
        return party.call

    def no_answer(self, number, call=None):
        """Nobody comes: the forwarding for no answer applies."""
        party = self._party(number, call, "alerting")
        target = self._forward(party.device, "forwardNoAns", party.call)
        need(target, f"{number} has no forwarding for no answer")
        return self.divert(number, target, party.call, "callForwardNoAnswer")

    def fail(self, caller, called=None, cause="busy"):
        """A call that ends in a busy tone; without a number: the caller's own connection fails."""
        if called is None:
            call = self.off_hook(caller)
            call.party(str(caller)).state = "fail"
            self._tell("Failed", call, self._way("failedConnection", "failingDevice", call, str(caller)), "blocked")
            return call
        call = self._start(caller, str(called))
        self._failed(call, str(called), cause)
        return call

    def park(self, number, at="*68", call=None):
        """The call of the device waits elsewhere: at a park place or at another device."""
        party = self._party(number, call, "connected", "hold")
        call, others = party.call, party.call.others(party)
        need(len(others) == 1 and others[0].state == "connected", "only a plain call can be parked")
        need(str(at) not in self.devices or self.devices[str(at)].in_service, f"{at} is out of service")
        need(not call.party(str(at)), f"{at} is in the call")
        self._divert(party, str(at), "park")
        call.calling, call.called = others[0].number, str(at)
        self._queued(call, str(at), "park")
        return call

    def inform(self, number, call=None):
        """Events that change nothing: DigitsDialed and CallInformation."""
        party = self._party(number, call, *OFF_HOOK)
        self._tell("DigitsDialed", party.call, [("dialingConnection", "connection", party.number),
                                                ("dialingDevice", "device", party.number),
                                                ("dialingSequence", "text", "1")], "normal")
        self._tell("CallInformation", party.call, [("connection", "connection", party.number),
                                                   ("device", "device", party.number)], None)

    # ---- what is true

    def calls(self, number=None):
        """The calls that exist, or those of a device."""
        if number is None:
            return list(self.live.values())
        return list(self._device(number).parties)

    def snapshot(self, number):
        return csta_truth.snapshot(self._device(number))

    def truth(self, number):
        return csta_truth.truth(self._device(number))

    snapshot.__doc__, truth.__doc__ = csta_truth.snapshot.__doc__, csta_truth.truth.__doc__

    # ---- the inside

    def _device(self, number):
        need(str(number) in self.devices, f"{number} is not an extension")
        return self.devices[str(number)]

    def _parties(self, number, call):
        """The connections of a number: to that call, or to any; also of somebody outside."""
        if call is not None:
            need(call.id in self.live, "the call is over")
            party = call.party(None if number is None else str(number))
            return [party] if party else []
        if str(number) in self.devices:
            return list(self.devices[str(number)].parties.values())
        return [p for c in self.live.values() for p in c.parties if p.number == number]

    def _party(self, number, call, *states):
        found = [party for party in self._parties(number, call) if party.state in states]
        need(found, f"{number} has no call in state {' or '.join(states)}")
        return found[0]

    def _new_call(self, calling, called):
        if self.reuse and self.last_ended and self.last_ended not in self.live:
            self.reuse -= 1
            identity = self.last_ended
        else:
            identity = str(next(self.numbers))
        call = self.live[identity] = Call(identity, calling, called, calling in self.devices)
        return call

    def _from_outside(self, caller, called, name):
        caller = None if caller is None else str(caller)
        if name and caller:
            self.names[caller] = name
        call = self._new_call(caller, str(called))
        self._join(call, caller, "connected", "out")
        return call

    def _start(self, caller, called, name=None):
        """A call that is made, and goes nowhere yet."""
        if caller is None or str(caller) not in self.devices:
            return self._from_outside(caller, called, name)
        call = self.off_hook(caller)
        self._originated(call.parties[0], called, "newCall")
        return call

    def _originated(self, party, called, cause):
        party.call.called, party.state = called, "connected"
        self._tell("Originated", party.call, [("originatedConnection", "connection", party.number),
                                              ("callingDevice", "device", party.number),
                                              ("calledDevice", "device", called)], cause)

    def _join(self, call, number, state, direction):
        party = Party(call, number, state, direction, self.devices.get(number))
        call.parties.append(party)
        if party.device:
            party.device.parties[call] = party
        return party

    def _remove(self, party):
        party.call.parties.remove(party)
        if party.device:
            party.device.parties.pop(party.call, None)
        if not party.call.parties and self.live.get(party.call.id) is party.call:
            del self.live[party.call.id]
            self.last_ended = party.call.id

    def _tell(self, name, call, fields, cause, targets=None):
        if targets is None:
            targets = [(p.number, p.state) for p in call.parties if p.device]
        if any(field[0] == "callingDevice" for field in fields):
            for party in call.parties:
                party.direction = "out" if party.number == call.calling else "in"
        if targets:
            self.listener(Event(name, call, fields, cause, targets))

    @staticmethod
    def _way(connection, device, call, number):
        """The elements that most events share."""
        return [(connection, "connection", number), (device, "device", number), *Model._ends(call)]

    @staticmethod
    def _ends(call):
        return [("callingDevice", "device", call.calling), ("calledDevice", "device", call.called),
                ("lastRedirectionDevice", "redirection", call.redirected)]

    def _delivered(self, party, cause, parties):
        call = party.call
        targets = [(p.number, p.state) for p in parties if p.device]
        if self.habits.offered and party.device:
            self._tell("Offered", call, self._way("offeredConnection", "offeredDevice", call, party.number), cause,
                       targets)
        self._tell("Delivered", call, self._way("connection", "alertingDevice", call, party.number), cause, targets)

    def _established(self, party, cause):
        call = party.call
        targets = [(p.number, p.state) for p in call.parties if p.device and not (p.group and p.state == "alerting")]
        self._tell("Established", call, self._way("establishedConnection", "answeringDevice", call, party.number),
                   cause, targets)

    def _failed(self, call, number, cause):
        call.parties.append(Party(call, number, "fail", "in", None))
        self._tell("Failed", call, self._way("failedConnection", "failingDevice", call, number), cause)
        self._tidy(call)

    def _tidy(self, call):
        """A call that nobody of ours has to do with any more is none of ours."""
        if not any(party.device or party.state == "queued" for party in call.parties):
            for party in list(call.parties):
                self._remove(party)

    def _queued(self, call, number, cause):
        self._join(call, number, "queued", "in")
        self._tell("Queued", call, [*self._way("queuedConnection", "queue", call, number),
                                    ("numberQueued", "text", "1"), ("callsInFront", "text", "0")], cause)

    def _divert(self, party, to, cause):
        """The party leaves because the call goes elsewhere."""
        call = party.call
        targets = [(p.number, "null" if p is party else p.state) for p in call.parties
                   if p.device and (p is party or not p.group)]
        self._remove(party)
        self._diverted(call, party.number, to, cause, targets)

    def _diverted(self, call, number, to, cause, targets):
        self._tell("Diverted", call, [("connection", "connection", number), ("divertingDevice", "device", number),
                                      ("newDestination", "device", to), *self._ends(call)], cause, targets)

    def _forward(self, device, base, call):
        """Where a type of forwarding sends this call, or None."""
        for kind in (base, base.replace("Immediate", "Imm") + ("Int" if call.internal else "Ext")):
            forward = device.forwards.get(kind)
            if forward and forward.on and forward.number:
                return forward.number
        return None

    def _obstacle(self, device, call):
        """(cause, where to) if it cannot ring there, (cause, None) if it goes nowhere, (None, None) if it can."""
        if not device.in_service:
            return "destNotObtainable", None
        target = self._forward(device, "forwardImmediate", call)
        if target:
            return "callForwardImmediate", target
        if device.dnd:
            return "doNotDisturb", self._forward(device, "forwardDND", call)
        occupied = device.in_state("alerting", *OFF_HOOK)
        if len(occupied) > (1 if device.call_waiting else 0):
            target = self._forward(device, "forwardBusy", call)
            return ("callForwardBusy", target) if target else ("busy", None)
        return None, None

    def _route(self, call, number, cause, hops=0):
        """Ring at the number, follow its forwards, or fail."""
        device = self.devices.get(number)
        if call.party(number):
            self._failed(call, number, "blocked")
            return
        if not device:
            party = self._join(call, number, "alerting", "in")
            self._tell("NetworkReached", call, [("outboundConnection", "connection", number),
                                                ("networkInterfaceDevice", "device", "T1")], cause)
            self._delivered(party, cause, call.parties)
            self._tidy(call)
            return
        reason, target = self._obstacle(device, call)
        if not reason:
            self._delivered(self._join(call, number, "alerting", "in"), cause, call.parties)
        elif not target or hops >= 5 or call.party(target):
            self._failed(call, number, reason)
        else:
            targets = [(p.number, p.state) for p in call.parties if p.device]
            if self.habits.tells_diverted:
                targets.append((number, "null"))
            self._diverted(call, number, target, reason, targets)
            call.redirected = number
            self._route(call, target, reason, hops + 1)

    def _hold_active(self, device, cause):
        for party in device.active():
            need(party.state == "connected", f"{device.number} cannot hold its call")
            self.hold(device.number, party.call, cause)

    def _silence_group(self, call):
        """The call is answered: it stops ringing at the rest of the group."""
        for party in [p for p in call.parties if p.group and p.state == "alerting"]:
            taker = next(p.number for p in call.parties if p.state == "connected" and p.number != call.calling)
            self._remove(party)
            if self.habits.group == "cleared":
                self._cleared(call, party, "callPickup", [(party.number, "null")])
            else:
                self._diverted(call, party.number, taker, "callPickup", [(party.number, "null")])
        for party in call.parties:
            party.group = False

    def _cleared(self, call, party, cause, targets):
        self._tell("ConnectionCleared", call, [("droppedConnection", "connection", party.number),
                                               ("releasingDevice", "device", party.number)], cause, targets)

    def _leave(self, party, cause):
        call = party.call
        rest = [p for p in call.others(party) if p.device or p.state != "fail"]
        goes_on = len(rest) > 1 and any(p.state in ANSWERED for p in rest)
        going = [party] if goes_on else [party, *rest]
        if self.habits.clearing in ("far", "call") or goes_on:
            heard = [p.number for p in call.parties if p.device]
            for leaver in going:
                targets = [(p.number, "null" if p is leaver else p.state) for p in call.parties if p.device]
                self._remove(leaver)
                self._cleared(call, leaver, cause, targets)
            if self.habits.clearing == "call" and not goes_on:
                self._tell("CallCleared", call, [("clearedCall", "connection", None)], cause,
                           [(number, None) for number in heard])
        else:
            devices = [p for p in going if p.device]
            for leaver in going:
                self._remove(leaver)
            for leaver in devices:
                self._cleared(call, leaver, cause, [(leaver.number, "null")])
            for leaver in devices if self.habits.clearing == "own" else ():
                for other in going:
                    if other is not leaver:
                        self._cleared(call, other, cause, [(leaver.number, "null")])
        if not goes_on:
            for phantom in list(call.parties):
                self._remove(phantom)

    def _drop_all(self, device, cause):
        for party in list(device.parties.values()):
            if party.call.id in self.live and party.call in device.parties:
                self._leave(party, cause)

    def _consultation(self, number, call):
        """The held and the active connection of a device."""
        held = self._party(number, call, "hold")
        active = self._party(number, None, "connected")
        numbers = {p.number for p in held.call.others(held)} & {p.number for p in active.call.others(active)}
        need(not numbers, "the same party is in both calls")
        need(held.call.others(held) and active.call.others(active), "a call has nobody else in it")
        return held, active

    def _merge(self, held, active, without):
        """Both calls become one, without their common device or with it. Gives the Call and its connection list."""
        wanted = {"primary": held.call.id, "secondary": active.call.id}.get(self.habits.transfer_id)
        new = self._new_call(held.call.calling, active.call.called)
        items = []
        moving = [*held.call.others(held), *active.call.others(active)]
        if not without:
            held.state = "connected"
            moving.insert(0, held)
        for party in moving:
            old = party.call
            self._remove(party)
            moved = self._join(new, party.number, party.state, party.direction)
            moved.group = party.group
            items.append((new, party.number, old.id))
        for party in (held, active):
            if party in party.call.parties:
                self._remove(party)
        self._rename(new, wanted)
        return new, items

    def _rename(self, call, wanted):
        if wanted:
            del self.live[call.id]
            call.id = wanted
            self.live[wanted] = call

    def _transferred(self, new, items, held, active, to, cause, extra):
        fields = [("primaryOldCall", "old", (held.call.id, held.number))]
        if active:
            fields.append(("secondaryOldCall", "old", (active.call.id, held.number)))
        fields += [("transferringDevice", "device", held.number), ("transferredToDevice", "device", to),
                   ("transferredConnections", "list", items)]
        self._tell("Transfered", new, fields, cause, [*extra, *((p.number, p.state) for p in new.parties if p.device)])

    def _blind_transfer(self, number, call, to):
        party = self._party(number, call, "connected", "hold")
        others = party.call.others(party)
        need(len(others) == 1 and others[0].state == "connected", "only a plain call can be transferred at once")
        need(to not in (party.number, others[0].number), f"{to} is in the call")
        other, old = others[0], party.call
        new = self._new_call(other.number, to)
        self._remove(other)
        self._remove(party)
        self._join(new, other.number, "connected", other.direction)
        self._rename(new, old.id if self.habits.transfer_id == "primary" else None)
        self._transferred(new, [(new, other.number, old.id)], party, None, to, "singleStepTransfer",
                          [(party.number, "null")])
        self._route(new, to, "singleStepTransfer")
        return new
