"""A daemon with a tapi source, and the simulated switch whose lines it watches, for the tests of the connector.

    CstaSwitch  <--MonitorStart, SnapshotDevice--  Daemon  --presence-->  Console
                --events----------------------->

What is true of a line is what the switch says of itself (truth); what is published is held against that.

SPDX-License-Identifier: MIT
"""

import itertools
import json
import os
import random
import subprocess
import sys
import time

import pytest

from presenced import BUILD, DEADLINE, TESTS, Console, Deadline, until

sys.path[:0] = [str(TESTS / "peers"), str(TESTS / "sim")]

from csta_switch import CstaSwitch  # noqa: E402
from csta_xml import plain  # noqa: E402

ADMIN = [{"socket": "presenced.sock", "mode": "0666", "permissions": ["read", "calls", "notes", "admin"]}]
PILOT = "8000"
BASE = {"console": ADMIN, "monitoring": {"mode": "always"}, "rules": {"voicemail_pilots": [PILOT]}}
ED = "http://www.ecma-international.org/standards/ecma-323/csta/ed"
DIALECTS = {
    "plain": {},
    "no-local-info": {"dialect": {"local_info": False}},
    "simple": {"dialect": {"snapshot": "simple"}},
    "segmented": {"dialect": {"snapshot": "segmented"}},
    "prefix": {"dialect": {"prefix": "ns3"}},
    "no-namespace": {"dialect": {"namespace": None}},
    "edition-5": {"dialect": {"namespace": ED + "5", "declaration": True}},
    "name": {"dialect": {"devices": "name"}},
    "tel": {"dialect": {"devices": "tel"}},
    "sip": {"dialect": {"devices": "sip"}},
    "avaya": {"dialect": {"devices": "avaya", "call_id": "callId"}},
    "bare": {"dialect": {"bare_devices": True}},
    "split": {"dialect": {"split_call_ids": True}},
    "transferred": {"dialect": {"transferred": "TransferredEvent", "local_info": False}},
    "numbered": {"dialect": {"event_id": None}},
    "bytes": {"segments": "bytes"},
    "joined": {"segments": "joined"},
    "pieces": {"segments": "pieces", "dialect": {"snapshot": "segmented", "devices": "name", "local_info": False}},
}


class Switches:
    """Makes simulated switches, which end with the test, and were never given a reason to complain."""

    def __init__(self):
        self.made, self.forgiven = [], []

    def __call__(self, extensions="201-206", /, **options):
        switch = CstaSwitch(extensions=extensions, **options)
        switch.start()
        self.made.append(switch)
        return switch

    def forgive(self, switch, *words):
        """Complaints with these words are what the test is about."""
        self.forgiven.append((switch, words))

    def complaints(self, switch):
        words = [word for one, said in self.forgiven if one is switch for word in said]
        return [sentence for sentence in switch.violations if not any(word in sentence for word in words)]

    def stop(self):
        for switch in self.made:
            if switch._loop:  # it runs
                switch.thaw()
            switch.stop()
        for switch in self.made:
            complaints = self.complaints(switch)
            assert complaints == [], complaints[:10]


@pytest.fixture
def pbx():
    """pbx(extensions, ..) gives a running CstaSwitch. First among the arguments of a test: the daemon ends before."""
    switches = Switches()
    yield switches
    switches.stop()


@pytest.fixture
def rng():
    """Random numbers; SEED repeats them."""
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"SEED={seed}")
    return random.Random(seed)


# ---- the daemon -----------------------------------------------------------------------------


def user_of(number):
    return f"u{number}"


def person(number, **columns):
    return {"id": user_of(number), "extension": str(number)} | columns


def everybody(switch):
    return [person(number) for number in switch.model.devices]


def source(switch, /, **options):
    """At that switch, whose certificate is believed if it has one."""
    login = {"user": switch.user} | ({} if "password_file" in options else {"password": switch.password})
    return {"name": "switch", "type": "tapi", "protocol": "csta", "server": f"127.0.0.1:{switch.port}"} | (
        login if switch.user else {}) | options


def begin(start, switch, users=None, config=None, /, wanted=None, **options):
    """A daemon that knows these (default: every extension), and a console that wants them, or some of them."""
    users = everybody(switch) if users is None else users
    daemon = start(BASE | (config or {}), users=users, sources=[source(switch, **options)])
    console = daemon.console()
    ids = [user["id"] for user in users] if wanted is None else [user_of(one) for one in wanted]
    if ids:
        console.subscribe(users=ids)
    return daemon, console


def watching(start, switch, config=None, /, **options):
    """The same, when all that is true has been published."""
    daemon, console = begin(start, switch, None, config, **options)
    wait_truth(console, switch)
    console.notifications.clear()
    return daemon, console


def fresh(daemon):
    """A console of its own, so that asking does not disturb what another one has not read yet."""
    console = Console(daemon.folder / "presenced.sock")
    daemon.ends.append(console)
    return console


def doctor(daemon, name="switch"):
    """Exit status and {hop: sentence or None} of `presencectl doctor`."""
    command = [BUILD / "presencectl", "-s", str(daemon.folder / "presenced.sock"), "--json", "doctor", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.stderr == "", done.stderr
    return done.returncode, {hop["hop"]: hop.get("sentence") for hop in json.loads(done.stdout)["hops"]}


def pause(seconds):
    """For what must not happen in this time."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, "time to pass")


# ---- what is published, against what is true ------------------------------------------------


def telephony(console, number):
    return console.table[user_of(number)]["telephony"]


def kind_of(target):
    return "voicemail" if target == PILOT else "phone"


def mode_of(truth):
    """The rules of the telephone half, once more."""
    if truth["dnd"]:
        return "dnd"
    if truth["forward"]:
        return "forwarded_to_" + kind_of(truth["forward"]["target"])
    return {"offline": "offline", "idle": "available"}.get(truth["line"], "busy")


def facts_of(truth):
    """What has to be published, but the calls."""
    forward = truth["forward"]
    return {"status": "ok", "mode": mode_of(truth), "line": truth["line"], "dnd": truth["dnd"],
            "forward": forward and {"kind": kind_of(forward["target"]), "target": forward["target"]}}


def shown_of(half):
    """The same of what is published; numbers without their decoration."""
    forward = half.get("forward", "unknown")
    if forward and "target" in forward:
        forward = forward | {"target": plain(forward["target"])}
    return {key: half.get(key) for key in ("status", "mode", "line", "dnd")} | {"forward": forward}


# How well calls are known. EXACT: all of it is told. KNOWN: who takes part may not be told, and then nothing is said.
# LOST: it may have been told in an event that was lost, and then no question brings it back.
EXACT, KNOWN, LOST = "exact", "known", "lost"
BUSY_STATES = ("connected", "dialing")  # who takes part tells them apart


def fits(shown, true, how):
    """Whether a call that is published is that one."""
    if how == LOST:
        return shown["state"] == true["state"] or shown["state"] in BUSY_STATES and true["state"] in BUSY_STATES
    direction, peer = shown.get("direction"), plain(shown["peer"]) if "peer" in shown else None
    return (shown["state"] == true["state"] and (direction == true["direction"] or how == KNOWN and direction is None)
            and (peer == true["peer"] or peer in true["peers"] or how == KNOWN and peer is None))


def same_calls(shown, true, how):
    return len(shown) == len(true) and any(all(fits(one, other, how) for one, other in zip(order, true))
                                           for order in itertools.permutations(shown))


def difference(half, truth, how=KNOWN):
    """How what is published of a line differs from what is true of it, as a sentence, or None."""
    wanted, shown = facts_of(truth), shown_of(half)
    if shown != wanted:
        return f"{shown} is published, {wanted} is true"
    if not same_calls(half["calls"], truth["calls"], how):
        return f"the calls {half['calls']} are published, {truth['calls']} are true"
    return None


class Wrong:
    """The lines that are not as they should be; asked at each message, and so looks first at one that was wrong."""

    def __init__(self, console, truths, how):
        self.console, self.truths, self.how, self.last = console, truths, how, next(iter(truths), None)

    def of(self, number):
        return difference(telephony(self.console, number), self.truths[number], self.how)

    def any(self):
        if self.last is not None and self.of(self.last):
            return True
        self.last = next((number for number in self.truths if self.of(number)), None)
        return self.last is not None

    def all(self):
        return {number: sentence for number in self.truths if (sentence := self.of(number))}


def wait_truth(console, switch, deadline=DEADLINE, numbers=None, how=KNOWN):
    """All that is published of the lines is what is true of them now. The switch must be at rest."""
    truths = switch.truths()
    wrong = Wrong(console, {number: truths[number] for number in map(str, numbers or truths)}, how)
    try:
        console.wait(lambda: not wrong.any(), "all lines right", deadline)
    except Deadline:
        found = wrong.all()
        some = "\n".join(f"{number}: {sentence}" for number, sentence in list(found.items())[:10])
        raise Deadline(f"{len(found)} of {len(wrong.truths)} lines are wrong after {deadline} s:\n{some}") from None


class Lamps:
    """What was true of each line, event by event: what is published was true, and in that order, if not all of it.

    A line that is stale shows what was true of it.
    """

    def __init__(self, switch, console, also=("ok",)):
        self.switch, self.console, self.also = switch, console, also
        console.notifications.clear()
        self.true = {number: [self.read(truth)] for number, truth in switch.truths().items()}
        switch.listeners.append(self.heard)

    @staticmethod
    def read(truth):
        forward = truth["forward"]
        return truth["line"], truth["dnd"], forward and forward["target"]

    @staticmethod
    def shown(half):
        forward = half.get("forward")
        return half.get("line"), half.get("dnd"), forward and plain(forward.get("target") or "")

    def heard(self, event):
        for number in {number for number, _ in event.targets}:
            if number in self.switch.model.devices:
                self.note(number, self.read(self.switch.model.truth(number)))

    def note(self, number, lamp):
        if self.true[number][-1] != lamp:
            self.true[number].append(lamp)

    def check(self):
        """Of all that the console was told since the beginning. The switch must be at rest."""
        self.switch.do(lambda: [self.note(number, self.read(self.switch.model.truth(number))) for number in self.true])
        self.console.barrier()
        for number, true in self.true.items():
            shown = [self.shown(message["params"]["telephony"]) for message in self.console.notifications
                     if message["method"] == "presence.changed" and message["params"]["user"] == user_of(number)
                     and message["params"]["telephony"]["status"] in self.also]
            place = 0
            for lamp in shown:
                while place < len(true) and true[place] != lamp:
                    place += 1
                assert place < len(true), f"{number}: {lamp} was not true then; shown: {shown}; true: {true}"


def hear_all(console, switch, deadline=DEADLINE):
    """The daemon has taken every event that was sent. None may have been lost on the way."""
    def taken():
        found = details(console)
        return found["events"] + found["events_of_nobody"] == switch.counters["events"]

    until(taken, "every event is taken", deadline)


# ---- the source -----------------------------------------------------------------------------


def details(console):
    return console.source()["details"]


def wait_source(console, status, words="", deadline=DEADLINE):
    def seen():
        found = console.source()
        return found["status"] == status and words in found.get("why", "") and found

    try:
        return until(seen, f"source {status}", deadline)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {console.source()}") from None


def wait_status(console, number, status, deadline=DEADLINE):
    console.wait(lambda: telephony(console, number)["status"] == status, f"{number} {status}", deadline)
    return telephony(console, number)


def state_of(console, number, name="switch"):
    """The word of a source about the line, as presence.explain shows it."""
    states = console.call("presence.explain", user=user_of(number))["states"]
    return next(state for state in states if state["domain"] == "telephony" and state["source"] == name)


def wait_why(console, number, status, words, deadline=15):
    """The source's word has this status, and a sentence with these words."""
    def seen():
        state = state_of(console, number)
        return state["status"] == status and words in state.get("why", "") and state

    try:
        return until(seen, f"{status} with {words!r}", deadline)
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {state_of(console, number)}") from None


def statuses_seen(console, number):
    """Of all that the console has been told of this line so far."""
    console.barrier()
    return [message["params"]["telephony"]["status"] for message in console.notifications
            if message["method"] == "presence.changed" and message["params"]["user"] == user_of(number)]


def shown_bad(console):
    """Lines that were shown as not known, neither what they are nor what they were."""
    return [message["params"]["user"] for message in console.notifications if message["method"] == "presence.changed"
            and message["params"]["telephony"]["status"] not in ("ok", "stale")]


def asked(switch, name, number=None):
    """How often the switch was asked for this, about this device or at all."""
    return sum(request.name == name and number in (None, request.device) for request in list(switch.requests))
