"""Random life on the simulated switch: one legal operation at a time, or so many events per second.

SPDX-License-Identifier: MIT
"""

import threading
import time

from csta_model import AGENT_EVENTS, ANSWERED, FORWARDS, Illegal

OUTSIDE = ("+442070846845", "+302118840101", "0401234567", None)


def _others(call, party):
    return [other.state for other in call.others(party)]


def _idle(rng, number, other):
    """What a device without an active call may do."""
    return [("call", number, other), ("call", rng.choice(OUTSIDE), number), ("call", number, rng.choice(OUTSIDE[:3])),
            ("call", number, other), ("fail", number, other), ("fail", number), ("queue", number, "700"),
            ("queue", rng.choice(OUTSIDE), number), ("group_call", number, [other]), ("off_hook", number)]


def _busy(number, party, other, held):
    """What can be done with an active connection."""
    call, states = party.call, _others(party.call, party)
    found = [("hang_up", number, call)] * 3
    if party.state == "initiated":
        return [*found, ("dial", number, other, call)]
    if party.state == "connected" and any(state in ANSWERED for state in states):
        found += [("hold", number, call), ("consult", number, other), ("inform", number, call)]
        if states == ["connected"]:
            found += [("transfer", number, other, call), ("park", number, "*68", call), ("park", number, other, call)]
    if held and party.state == "connected":
        found += [("transfer", number), ("conference", number), ("alternate", number)] * 2
    return found


def _settings(rng, device, other):
    """What changes a device and no call; off more often than on, so that there is somebody left to talk."""
    number = device.number
    kind = rng.choice(FORWARDS)
    return rng.choice([("set_dnd", number, not device.dnd and rng.random() < 0.3),
                       ("set_forward", number, kind, rng.random() < 0.2, rng.choice(("8000", other))),
                       ("set_forward", number, next(iter(device.forwards), kind), False),
                       ("set_agent", number, rng.choice(AGENT_EVENTS)),
                       ("out_of_service" if rng.random() < 0.2 else "set_dnd", number)])


def _choices(model, rng, device, other):
    number = device.number
    if not device.in_service:
        return [("back_in_service", number)]
    if rng.random() < 0.1:
        return [_settings(rng, device, other)]
    active, held, found = device.active(), device.in_state("hold"), []
    if len(device.parties) < 3:
        found += [("call", other, number)] + ([] if active else _idle(rng, number, other))
    for party in device.parties.values():
        call = party.call
        if party.state in ("initiated", "connected", "fail"):
            found += _busy(number, party, other, held) * 3
        elif party.state == "alerting":
            found += [("answer", number, call)] * 15 + [("divert", number, other, call), ("hang_up", number, call),
                                                        ("no_answer", number, call), ("pickup", other, call)]
        elif party.state == "hold":
            found += [("hang_up", number, call)] + ([] if active else [("retrieve", number, call)] * 8)
        elif party.state == "queued":
            found += [("pickup", other, call), ("distribute", call, other), ("hang_up", number, call)] * 3
    return found or [("hang_up", number)]


def _orphan(model, rng, number):
    """Somebody outside waits in the oldest call, and nobody of ours is in it: he is taken, or gives up."""
    call = next(iter(model.live.values()), None)
    if not call or any(party.device for party in call.parties):
        return None
    return ("hang_up", call.parties[0].number, call) if rng.random() < 0.5 else ("pickup", number, call)


def step(model, rng, devices=None):
    """One legal operation, chosen at random; gives the sentence that says which."""
    numbers = devices or list(model.devices)
    for _ in range(200):
        number, other = str(rng.choice(numbers)), str(rng.choice(numbers))
        if number == other:
            continue
        name, *arguments = _orphan(model, rng, number) or rng.choice(_choices(model, rng, model.devices[number], other))
        try:
            getattr(model, name)(*arguments)
        except Illegal:
            continue
        return f"{name} {' '.join(str(argument) for argument in arguments)}"
    raise Illegal("nothing legal can be done")


class Load:
    """Random life at a rate of events, derived for devices whether they are monitored or not, in the switch's thread.

    Plain calls: made, answered, held now and then, ended; at most a third of the devices talk. Mixed: the part of
    operations that is anything legal instead.
    """
    TICK = 0.01

    def __init__(self, switch, rate, seconds, rng, devices=None, mixed=0.0):
        self.switch, self.rate, self.seconds, self.rng, self.mixed = switch, rate, seconds, rng, mixed
        self.numbers = [str(number) for number in devices or switch.model.devices]
        self.events, self.done, self.begun, self.began = 0, threading.Event(), None, 0
        self.calls = []

    def start(self):
        self.began, self.begun = time.monotonic(), self.switch.derived
        self._tick()

    def stop(self):
        """No more; gives how many events there were."""
        self.done.set()
        return self.events

    def wait(self, timeout=60):
        if not self.done.wait(timeout):
            raise AssertionError(f"the load did not end in {timeout} s")
        return self.events

    def _tick(self):
        now = time.monotonic() - self.began
        if self.done.is_set() or self.seconds is not None and now >= self.seconds:
            self.done.set()
            return
        due = self.rate * now
        for _ in range(1000):
            if self.events >= due:
                break
            self._one()
            self.events = self.switch.derived - self.begun
        self.switch.after(self.TICK, self._tick)

    def _one(self):
        model, rng = self.switch.model, self.rng
        talking = len(self.calls) * 2 / max(1, len(self.numbers))
        try:
            if self.mixed and rng.random() < self.mixed:
                step(model, rng, self.numbers)
            elif not self.calls or talking < 0.33 and rng.random() < 0.5:
                caller = rng.choice(self.numbers) if rng.random() < 0.7 else rng.choice(OUTSIDE)
                self.calls.append(model.call(caller, rng.choice(self.numbers)))
            else:
                index = rng.randrange(len(self.calls))
                self._advance(model, index, self.calls[index])
        except Illegal:
            pass

    def _advance(self, model, index, call):
        """The next thing in the life of a call."""
        ringing = next((p for p in call.parties if p.state == "alerting"), None)
        if model.live.get(call.id) is not call or not call.parties:
            self.calls[index] = self.calls[-1]
            self.calls.pop()
        elif ringing and self.rng.random() < 0.8:
            if ringing.device:
                model.answer(ringing.number, call)
            else:
                model.hang_up(call.parties[0].number, call)
        elif not ringing and self.rng.random() < 0.2 and call.parties[-1].state == "connected":
            model.hold(call.parties[-1].number, call)
        else:
            model.hang_up(self.rng.choice([p for p in call.parties if p.state != "fail"]).number, call)
