"""Each word of presenced-bridge(7): what a message of the host does, and which are refused. The host is played by hand.

SPDX-License-Identifier: MIT
"""

import json

import pytest

from bridge_world import (IDLE, LONGEST, NOTHING, OPEN, Hand, at, begin, details, facts, half, wait_facts, wait_status,
                          why)

from bridge_lines import CALL_STATES, CONNECTED_MODES, DEVICE_STATES, FORWARD_MODES, ORIGINS  # after bridge_world

IN = {"direction": "in"}
CALL = {"call": "c1", "state": "CONNECTED", "mode": "ACTIVE"}
CONNECTED = {"state": "connected"}
TALKS = IDLE | {"line": "busy", "calls": [CONNECTED]}
UNKNOWN = {"dnd": False, "forward": None}  # neither line nor calls
OFFLINE = IDLE | {"line": "offline"}
PUBLISHED = {"OFFERING": "ringing", "ACCEPTED": "ringing", "DIALTONE": "dialing", "DIALING": "dialing",
             "RINGBACK": "dialing", "BUSY": "dialing", "SPECIALINFO": "dialing", "PROCEEDING": "dialing",
             "CONNECTED": "connected", "CONFERENCED": "connected", "ONHOLD": "held", "ONHOLDPENDCONF": "held",
             "ONHOLDPENDTRANSFER": "held"}
LINE = {"ringing": "ringing", "dialing": "busy", "connected": "busy", "held": "held"}


def call(state="CONNECTED", name="c1", **members):
    return "lineCallState", {"call": name, "state": state} | members


def forwards(*entries):
    return "lineForward", {"entries": [{"mode": mode} | ({} if dest is ... else {"dest": dest})
                                       for mode, dest in entries]}


def dnd(on):
    return "lineDnd", {"on": on}


def device(state):
    return "lineDevState", {"state": state}


def state(**members):
    return "lineState", {"inService": True} | NOTHING | members


def talks(**members):
    return IDLE | {"line": "busy", "calls": [CONNECTED | members]}


def states_of_calls():
    for name, number in CALL_STATES.items():
        if name in PUBLISHED:
            expected = IDLE | {"line": LINE[PUBLISHED[name]], "calls": [{"state": PUBLISHED[name]}]}
        else:
            expected = UNKNOWN if name == "UNKNOWN" else IDLE
        yield f"state {name}", [call(name)], expected
        yield f"state {number:#x}", [call(number | 0x7f000000)], expected


def modes():
    for name, number in CONNECTED_MODES.items():
        for mode in (name, number):
            yield f"connected {mode}", [call(mode=mode)], IDLE if name.startswith("INACTIVE") else talks()
    for mode, counts in (("ACTIVE", True), (1, True), (0, True), ("INACTIVE", False), (2, False), ("NONSENSE", True),
                         (None, True), (0x4000, True)):
        yield f"offering {mode}", [call("OFFERING", mode=mode)], \
            IDLE | ({"line": "ringing", "calls": [{"state": "ringing"}]} if counts else {})
    yield "mode of this state only", [call(mode="INACTIVE"), call()], talks()
    yield "mode of others", [call("DISCONNECTED", mode="NORMAL"), call("ONHOLD", mode="INACTIVE")], \
        IDLE | {"line": "held", "calls": [{"state": "held"}]}


def origins():
    for name, number in ORIGINS.items():
        direction = {"OUTBOUND": {"direction": "out"}, "UNKNOWN": {}}.get(name, IN)
        yield f"origin {name}", [call(origin=name)], talks(**direction)
        yield f"origin {number:#x}", [call(origin=number)], talks(**direction)
    yield "origin of no table", [call(origin=0x40), call(name="c2", origin="MARS")], \
        IDLE | {"line": "busy", "calls": [CONNECTED, CONNECTED]}


def lives_of_calls():
    ringing = IDLE | {"line": "ringing", "calls": [{"state": "ringing"} | IN]}
    yield "kept", [call("OFFERING", origin="EXTERNAL", peer="205", peerName="Bob"), call()], \
        talks(direction="in", peer="205", name="Bob")
    yield "peer alone", [call(peer="205", peerName="Bob"), call(peer="206")], talks(peer="206", name="Bob")
    yield "name alone", [call(peer="205", peerName="Bob"), call(peerName="Ann")], talks(peer="205", name="Ann")
    yield "withheld", [call(peer="205", peerName="Bob"), call(peer=None, peerName=None)], talks()
    yield "name withheld", [call(peer="205", peerName="Bob"), call(peerName=None)], talks(peer="205")
    yield "empty peer", [call(peer="", peerName="")], talks()
    yield "gone", [call(), call("IDLE")], IDLE
    yield "late", [call(), call("IDLE"), call()], IDLE
    yield "late, never seen", [call("IDLE"), call()], IDLE
    yield "named again by lineState", [call(), call("IDLE"), state(calls=[CALL])], TALKS
    yield "changed after that", [call(), call("IDLE"), state(calls=[CALL]), call("ONHOLD")], \
        IDLE | {"line": "held", "calls": [{"state": "held"}]}
    yield "not in the list", [call(), state()], IDLE
    yield "replaced", [call(name="c2"), state(calls=[CALL | {"peer": "7"}])], talks(peer="7")
    yield "two with one name", [state(calls=[CALL, CALL | {"state": "ONHOLD"}])], \
        IDLE | {"line": "held", "calls": [{"state": "held"}]}
    yield "other name, same life", [call("IDLE"), call("OFFERING", "c2", origin="EXTERNAL")], ringing
    yield "most telling", [call("ONHOLD", "a"), call("OFFERING", "b"), call("UNKNOWN", "c")], \
        IDLE | {"line": "ringing", "calls": [{"state": "held"}, {"state": "ringing"}]}
    yield "a conference", [call("CONFERENCED", "a", peer="1"), call("CONFERENCED", "b", peer="2"),
                           call("CONNECTED", "c", peer="3")], talks(peer="3")
    yield "parts of a conference", [call("CONFERENCED", "a", peer="1"), call("DISCONNECTED", "b")], talks(peer="1")
    yield "a part and who waits", [call("CONFERENCED", "a"), call("ONHOLD", "b")], \
        IDLE | {"line": "held", "calls": [{"state": "held"}]}
    yield "odd letters", [call(peer="2\u00e9\u2028\U0001f4de", peerName="\"A\\ \u0007")], \
        talks(peer="2\u00e9\u2028\U0001f4de", name="\"A\\ \u0007")
    yield "reason is not used", [call("OFFERING", reason="FWDUNCOND", origin="EXTERNAL")], ringing
    yield "name of 256 bytes", [call(name="n" * 256, peer="p" * 64)], talks(peer="p" * 64)


def calls_not_known():
    yield "null", [state(calls=None)], UNKNOWN
    yield "null, then in use", [state(calls=None), call()], talks()
    yield "null, then in use and over", [state(calls=None), call(), call("IDLE")], UNKNOWN
    yield "null, then disconnected", [state(calls=None), call("DISCONNECTED")], UNKNOWN
    yield "null, then idle", [state(calls=None), call("IDLE")], UNKNOWN
    yield "null, in service again", [device("OUTOFSERVICE"), state(calls=None)], UNKNOWN
    yield "null, out and in service", [state(calls=None), device("OUTOFSERVICE"), device("INSERVICE")], IDLE
    yield "null, then a list", [state(calls=None), state()], IDLE
    yield "null, out of service", [call(), state(calls=None, inService=False)], OFFLINE
    yield "null forgets", [call(), state(calls=None)], UNKNOWN
    yield "unknown call, then another", [call("UNKNOWN"), call(name="c2")], talks()
    yield "unknown call ends", [call("UNKNOWN"), call("IDLE")], IDLE


def services():
    yield "out of service", [call(), device("OUTOFSERVICE")], OFFLINE
    yield "out, by numbers", [device(0x80 | 0x1 | 0x40000000)], OFFLINE
    yield "maintenance", [device("MAINTENANCE")], OFFLINE
    yield "calls do not count", [state(inService=False, calls=[CALL])], OFFLINE
    yield "out and in", [call(), device("OUTOFSERVICE"), device("INSERVICE")], IDLE
    yield "in without calls", [state(inService=False, calls=[CALL]), device("INSERVICE")], IDLE
    yield "a call while it is out", [device("OUTOFSERVICE"), call()], OFFLINE
    yield "features of one that is out", [device("OUTOFSERVICE"), dnd(True), forwards(("UNCOND", "205"))], \
        OFFLINE | {"dnd": True, "forward": {"target": "205"}}
    for name, number in DEVICE_STATES.items():
        if name not in ("OUTOFSERVICE", "MAINTENANCE", "REINIT", "REMOVED", "INSERVICE"):
            yield f"device {name}", [call(), device(name), device(number)], TALKS
    yield "device of no table", [call(), device(0x80000000)], TALKS
    yield "nothing of the device", [call(), device(0)], TALKS


def forward_cases():
    def to(target):
        return IDLE | {"forward": {} if target is None else {"target": target}}

    no, unknown = IDLE, {"line": "idle", "calls": []}
    for name, number in FORWARD_MODES.items():
        expected = to("205") if name == "UNCOND" else unknown if name in ("UNKNOWN", "UNAVAIL") else no
        yield f"forward {name}", [forwards((name, "205"))], expected
        yield f"forward {number:#x}", [forwards((number, "205"))], expected
    yield "first of several", [forwards(("UNCOND", "205"), ("UNCOND", "206"))], to("205")
    yield "nowhere and somewhere", [forwards(("UNCOND", ""), ("UNCOND", "206"))], to("206") | {"dnd": True}
    yield "not known where", [forwards(("UNCOND", ...))], to(None)
    yield "null where", [forwards(("UNCOND", None))], to(None)
    yield "nowhere", [forwards(("UNCOND", ""))], no | {"dnd": True}
    yield "inside and outside", [forwards(("UNCONDINTERNAL", "205"), ("UNCONDEXTERNAL", "206"))], to("206")
    yield "both bits", [forwards((0x6, "205"))], to("205")
    yield "all bits", [forwards((0x7, "205"))], to("205")
    yield "inside and outside to nowhere", [forwards(("UNCONDINTERNAL", "205"), ("UNCONDEXTERNAL", ""))], \
        no | {"dnd": True}
    yield "inside to nowhere", [forwards(("UNCONDINTERNAL", ""), ("UNCONDEXTERNAL", "206"))], to("206")
    yield "outside not known where", [forwards(("UNCONDINTERNAL", "205"), ("UNCONDEXTERNAL", ...))], to(None)
    yield "nowhere, inside and outside", [forwards(("UNCOND", ""), ("UNCONDINTERNAL", "1"), ("UNCONDEXTERNAL", "2"))], \
        no | {"dnd": True}
    yield "one is not known", [forwards(("BUSY", "205"), ("UNKNOWN", ...))], unknown
    yield "one is not known, another is on", [forwards(("UNAVAIL", ...), ("UNCOND", "205"))], \
        unknown | {"forward": {"target": "205"}}
    yield "number of no table", [forwards((0x100000, "205"))], unknown
    yield "number nought", [forwards((0, "205"))], unknown
    yield "not known", [("lineForward", {"entries": None})], unknown
    yield "none", [forwards(("UNCOND", "205")), forwards()], no
    yield "with caller", [("lineForward", {"entries": [{"mode": "UNCONDSPECIFIC", "dest": "1", "caller": "2"}]})], no


def dnd_cases():
    unknown = {"line": "idle", "forward": None, "calls": []}
    yield "on", [dnd(True)], IDLE | {"dnd": True}
    yield "off", [dnd(True), dnd(False)], IDLE
    yield "not known, but the forwards", [dnd(None)], IDLE
    yield "off, forwards not known", [state(on=False, entries=None)], {"line": "idle", "dnd": False, "calls": []}
    yield "nothing known", [state(on=None, entries=None)], {"line": "idle", "calls": []}
    yield "absent", [("lineState", {"inService": True, "calls": []})], {"line": "idle", "calls": []}
    yield "off does not hide", [forwards(("UNCOND", "")), dnd(False)], IDLE | {"dnd": True}
    yield "a busy mode to nowhere", [forwards(("BUSY", ""))], IDLE
    yield "refused calls", [call("DISCONNECTED", mode="DONOTDISTURB")], IDLE
    for can in (["forward"], [], None, ["dance", "forward"]):
        off = [("lineOpen", {"lines": [{"line": None, "inService": True, "can": can}]}), state(on=False)]
        known = unknown if "forward" in (can or ()) else {"line": "idle", "calls": []}
        yield f"cannot {can}", off, known
        yield f"cannot {can}, but is", [*off, dnd(True), forwards(("UNCOND", "205"))], \
            {"line": "idle", "dnd": True, "forward": {"target": "205"}, "calls": []}
    only = [("lineOpen", {"lines": [{"line": None, "inService": True, "can": ["dnd"]}]}), state()]
    yield "can dnd only", only, {"line": "idle", "dnd": False, "calls": []}
    yield "opened again", [call(), dnd(True), ("lineOpen", {"lines": [{"line": None, **OPEN}]}), state()], IDLE
    yield "offered out of service", [("lineOpen", {"lines": [{"line": None, **OPEN, "inService": False}]}),
                                     state(inService=False)], OFFLINE


CASES = [*states_of_calls(), *modes(), *origins(), *lives_of_calls(), *calls_not_known(), *services(), *forward_cases(),
         *dnd_cases()]


def test_every_word_is_published_as_the_page_says(start):
    lines = [str(1000 + n) for n in range(len(CASES))]
    daemon, console = begin(start, lines)
    console.checked = 0.2
    with Hand(at(daemon)) as hand:
        hand.begin(*lines)
        for line, (_, said, _) in zip(lines, CASES):
            for kind, members in said:
                if kind == "lineOpen":
                    hand.say(kind, lines=[one | {"line": line} for one in members["lines"]])
                else:
                    hand.say(kind, line=line, **members)
        errors = [message for message in hand.settle() if message["type"] == "error"]

    def disagree():
        for line, (what, said, expected) in zip(lines, CASES):
            found = half(console, line)
            if found.get("status") not in ("ok", "stale") or facts(found) != expected:
                yield what, said, expected, found

    try:
        console.wait(lambda: not next(disagree(), None), "all are published", 5)
    except AssertionError:
        raise AssertionError("\n".join(f"{what}: {said}\n  expected {expected}\n  found    {facts(found)}"
                                       for what, said, expected, found in disagree())) from None
    assert errors == []


def test_places_of_a_line(start):
    """lineClose with each reason, and the states of a device that mean the same."""
    lines = [str(n) for n in range(201, 212)]
    daemon, console = begin(start, lines)
    with Hand(at(daemon)) as hand:
        hand.begin(*lines)
        for line in lines:
            wait_facts(console, line, IDLE)
        closed = {"line": "offline", "calls": []}
        for line, reason in zip(lines, ({"reason": "CLOSE"}, {}, {"reason": None}, {"reason": "because"})):
            hand.say("lineClose", line=line, **reason)
            wait_facts(console, line, closed)
        for line, (kind, members), status in zip(lines[4:], (
                ("lineClose", {"reason": "REMOVED"}), ("lineClose", {"reason": "REINIT"}),
                ("lineClose", {"reason": "unwanted"}), device("REMOVED"), device(0x40000), device(0x1000000)),
                ("not_found", "stale", "requesting", "not_found", "stale", "not_found")):
            hand.say(kind, line=line, **members)
            wait_status(console, line, status)
        for line in lines[:10]:
            error = hand.refused("lineDnd", line=line, on=True)
            assert (error["code"], error["line"]) == ("unknownLine", line)
        hand.offer(*lines[:10])
        for line in lines[:10]:
            hand.state(line)
            wait_facts(console, line, IDLE)
        hand.say("lineClose", line="never opened", reason="CLOSE")
        hand.settle()


MISTAKES = [  # of a message about line 201, which is open
    ("lineCallState", {"state": "CONNECTED"}), ("lineCallState", {"call": "c1"}),
    ("lineCallState", {"call": 5, "state": "CONNECTED"}), ("lineCallState", {"call": "", "state": "CONNECTED"}),
    ("lineCallState", {"call": "c" * 257, "state": "CONNECTED"}),
    ("lineCallState", {"call": "c1", "state": "connected"}), ("lineCallState", {"call": "c1", "state": "TALKING"}),
    ("lineCallState", {"call": "c1", "state": 1.5}), ("lineCallState", {"call": "c1", "state": True}),
    ("lineCallState", CALL | {"peer": 205}), ("lineCallState", CALL | {"peer": "2" * 257}),
    ("lineCallState", CALL | {"peerName": []}), ("lineCallState", CALL | {"connectedSince": "noon"}),
    ("lineCallState", CALL | {"connectedSince": 1700000000}),
    ("lineForward", {"entries": {}}), ("lineForward", {"entries": ["UNCOND"]}), ("lineForward", {"entries": [{}]}),
    ("lineForward", {"entries": [{"mode": "ALWAYS", "dest": "1"}]}), ("lineForward", {"entries": [{"mode": None}]}),
    ("lineForward", {"entries": [{"mode": "UNCOND", "dest": 205}]}),
    ("lineForward", {"entries": [{"mode": "UNCOND", "dest": "205"}, {"mode": "MAYBE"}]}),
    ("lineForward", {}), ("lineDnd", {}),
    ("lineDnd", {"on": "yes"}), ("lineDnd", {"on": 1}), ("lineDevState", {}), ("lineDevState", {"state": "GONE"}),
    ("lineDevState", {"state": None}), ("lineState", {"calls": []}), ("lineState", {"inService": True}),
    ("lineState", {"inService": None, "calls": []}), ("lineState", {"inService": True, "calls": {}}),
    ("lineState", {"inService": True, "calls": [1]}), ("lineState", {"inService": True, "calls": [{"call": "c1"}]}),
    ("lineState", {"inService": True, "calls": [], "entries": [{"mode": "WHAT"}]}),
    ("lineState", {"inService": True, "calls": [CALL], "on": "no"}),
    ("lineState", {"inService": True, "calls": [CALL | {"call": f"c{n}"} for n in range(65)]}),
    ("lineOpen", {}), ("lineOpen", {"lines": {}}), ("lineOpen", {"lines": ["201"]}), ("lineOpen", {"lines": None}),
    ("lineOpen", {"lines": [{"line": "201"}]}), ("lineOpen", {"lines": [{"inService": True}]}),
    ("lineOpen", {"lines": [{"line": "201", "inService": 1}]}),
    ("lineOpen", {"lines": [{"line": "201", "inService": True, "can": "dnd"}]}),
    ("lineOpen", {"lines": [{"line": "201", "inService": True, "can": [1]}]}),
    ("lineOpen", {"lines": [{"line": "201", "inService": False}, {"line": "202"}]}),
    ("lineOpen", {"lines": [{"line": "2" * 129, "inService": True}]}),
    ("lineClose", {"line": None}), ("lineClose", {"reason": 5}), ("lineDnd", {"line": 201, "on": True}),
    ("resync", {}), ("resync", {"phase": "begin"}), ("resync", {"phase": "middle", "id": 1}),
    ("resync", {"phase": "begin", "id": "1"}), ("resync", {"phase": "begin", "id": 0}),
    ("resync", {"phase": "begin", "id": -1}), ("resync", {"phase": "end", "id": 77, "lines": 0}),
    ("ping", {}), ("ping", {"n": "1"}), ("ping", {"n": None}), ("error", {"code": 5, "message": "x"}),
    ("error", {"message": "No."}), ("error", {"code": "accessDenied"}), ("error", {"code": "x", "message": "y" * 257})]


def test_mistakes_are_refused_and_change_nothing(start):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        wait_facts(console, "201", IDLE)
        wrong = []
        for kind, members in MISTAKES:
            number = hand.say(kind, **({"line": "201"} | members))
            errors = [message for message in hand.settle() if message["type"] != "ping"]
            if [(message.get("code"), message.get("seq")) for message in errors] != [("syntax", number)]:
                wrong.append((kind, members, errors))
            console.barrier()
            if (half(console, "201")["status"], facts(half(console, "201"))) != ("ok", IDLE):
                wrong.append((kind, members, half(console, "201")))
                hand.offer("201")
                hand.state("201")
                wait_facts(console, "201", IDLE)
        assert not wrong, "\n".join(map(str, wrong))
        hand.say("lineDnd", line="201", on=True)
        wait_facts(console, "201", IDLE | {"dnd": True})
        assert hand.settle() == [] and details(console)["gaps"] == 0


@pytest.mark.parametrize("line", [
    b"{", b"[]", b"7", b'"lineDnd"', b"null", b"\xef\xbb\xbf{}",
    b'{"type":"lineDnd","seq":6,"line":"2\xff01","on":true}',
    b'{"type":"ping","type":"ping","seq":6,"n":1}', b'{"type":"ping","seq":6,"n":1,"x":' + b"[" * 33 + b"]" * 33 + b"}",
    b'{"type":"ping","seq":6,"n":0x100}', b'{"type":"ping","seq":6,"n":1} x'])
def test_what_is_no_message_has_no_number(start, line):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        hand.send(line + b"\n")
        error = hand.take("error")
        assert error["code"] == "syntax" and "seq" not in error
        assert hand.settle() == []
        hand.seq += 1  # as if it had been numbered
        hand.say("lineDnd", line="201", on=True)
        assert "lines" not in hand.take("resyncRequest")
        wait_facts(console, "201", IDLE | {"dnd": True})


def test_lines_are_opened_all_or_none(start):
    daemon, console = begin(start, ["201", "202"])
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        wait_facts(console, "201", IDLE)
        assert hand.refused("lineOpen", lines=[{"line": "202"} | OPEN, {"line": "201", "inService": False},
                                               {"line": "203"}])["code"] == "syntax"
        assert hand.refused("lineDnd", line="202", on=True)["code"] == "unknownLine"
        hand.say("lineDnd", line="201", on=True)
        wait_facts(console, "201", IDLE | {"dnd": True})


@pytest.mark.parametrize("seq", [..., None, 0, -3, "6", 6.0, 1 << 53, (1 << 63) - 1])
def test_a_number_that_is_none_is_refused_and_not_counted(start, seq):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        last = hand.seq
        hand.say("lineDnd", line="201", on=True, seq=seq)
        assert hand.take("error")["code"] == "syntax"
        hand.seq = last
        hand.say("lineCallState", line="201", **CALL)
        wait_facts(console, "201", TALKS)
        assert hand.settle() == [] and details(console)["gaps"] == 0


def test_a_message_without_a_type_has_a_number(start):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        for message in ({}, {"type": None}, {"type": 5}):
            hand.seq += 1
            hand.send(json.dumps({"seq": hand.seq} | message).encode() + b"\n")
            error = hand.take("error")
            assert (error["code"], error.get("seq")) == ("syntax", hand.seq)
        assert hand.settle() == []


def test_what_is_not_described_is_ignored(start):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon), colour="red", providers=["A", "B"], tapi="2.2") as hand:
        hand.begin("201", colour={"a": [1, 2.5, None]}, name="Alice", permanentId=5)
        hand.say("lineOpen", lines=[{"line": "202", "permanentId": "x", "name": None, "can": ["forward", "sing"]} |
                                    {"inService": True}])
        hand.say("lineState", line="201", inService=True, calls=[CALL | {"colour": 1}], entries=[], on=None, x=[{}])
        hand.say("pong", n=17)
        hand.send(b"\r\n\n  \r\n"[:3])
        wait_facts(console, "201", TALKS)
        assert hand.settle() == []


def test_a_line_has_at_most_64_calls_of_which_16_are_published(start):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        for n in range(64):
            hand.say("lineCallState", line="201", call=f"c{n}", state="ONHOLD")
        assert hand.settle() == []
        assert hand.refused("lineCallState", line="201", call="c64", state="CONNECTED")["code"] == "syntax"
        wait_facts(console, "201", IDLE | {"line": "held", "calls": [{"state": "held"}] * 16})
        hand.say("lineCallState", line="201", call="c63", state="CONNECTED")
        console.wait(lambda: half(console, "201")["line"] == "busy", "a call that is there may change")
        hand.say("lineCallState", line="201", call="c0", state="IDLE")
        hand.say("lineCallState", line="201", call="c64", state="CONNECTED")
        assert hand.settle() == []


def test_the_longest_line(start):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        head = f'{{"type":"lineDnd","seq":{hand.seq + 1},"line":"201","on":true,"x":"'
        hand.seq += 1
        hand.send(head.encode() + b"x" * (LONGEST - len(head) - 3) + b'"}\n')
        wait_facts(console, "201", IDLE | {"dnd": True})
        assert hand.settle() == []


# ---- resyncs and numbers --------------------------------------------------------------------


def test_nothing_is_shown_before_the_end_of_the_first_resync(start):
    daemon, console = begin(start, ["201", "202", "203"])
    with Hand(at(daemon)) as hand:
        hand.offer("201", "202")
        hand.say("lineClose", line="203", reason="REMOVED")
        hand.say("resync", phase="begin", id=1)
        hand.state("201")
        hand.say("lineCallState", line="201", **CALL)
        hand.state("202")
        hand.settle()
        console.barrier()
        assert [half(console, line)["status"] for line in ("201", "202", "203")] == ["requesting"] * 3
        hand.say("resync", phase="end", id=1, lines=2)
        wait_facts(console, "201", TALKS)
        wait_status(console, "203", "not_found")


def test_a_full_resync_tells_which_lines_are_gone(start):
    daemon, console = begin(start, ["201", "202", "203"])
    with Hand(at(daemon)) as hand:
        hand.begin("201", "202")
        wait_facts(console, "202", IDLE)
        wait_status(console, "203", "error")
        assert why(console, "203")
        hand.state("202")  # of its own accord, before the next resync
        hand.resync(["201"], 2)
        wait_status(console, "202", "error")
        hand.state("202")
        wait_facts(console, "202", IDLE)
        hand.say("lineClose", line="203", reason="REMOVED")
        hand.resync(["201", "202"], 3)
        wait_status(console, "203", "not_found")


def test_a_resync_within_a_resync_abandons_the_first(start):
    daemon, console = begin(start, ["201", "202"])
    with Hand(at(daemon)) as hand:
        hand.begin("201", "202")
        wait_facts(console, "202", IDLE)
        hand.say("resync", phase="begin", id=2)
        hand.state("202", on=True)
        wait_facts(console, "202", IDLE | {"dnd": True})  # counts as soon as it is read
        hand.resync(["201"], 3)
        wait_status(console, "202", "error")
        assert hand.refused("resync", phase="end", id=2, lines=1)["code"] == "syntax"


def test_changes_within_a_resync(start):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.offer("201")
        hand.say("resync", phase="begin", id=1000000)
        hand.say("lineCallState", line="201", **CALL)
        hand.state("201", calls=[CALL, {"call": "c2", "state": "ONHOLD"}])
        hand.say("lineCallState", line="201", call="c1", state="IDLE")
        hand.say("resync", phase="end", id=1000000, lines=1)
        wait_facts(console, "201", IDLE | {"line": "held", "calls": [{"state": "held"}]})
        assert hand.settle() == []


def test_a_higher_number_is_taken_and_all_is_asked(start):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        hand.say("lineDnd", line="201", on=True, seq=hand.seq + 3)
        request = hand.take("resyncRequest")
        assert (request["id"], "lines" in request) == (1000001, False) and request["reason"]
        wait_facts(console, "201", IDLE | {"dnd": True})
        hand.say("lineDnd", line="201", on=False, seq=hand.seq + 7)
        assert hand.settle() == []  # the answer will be newer
        hand.resync(["201"], request["id"])
        hand.say("lineCallState", line="201", **CALL, seq=hand.seq + 2)
        assert hand.take("resyncRequest")["id"] == 1000002
        wait_facts(console, "201", TALKS)
        assert details(console)["gaps"] == 3


@pytest.mark.parametrize("kind, members", [
    ("lineDnd", {"on": True}), ("lineClose", {"reason": "REMOVED"}),
    ("error", {"code": "accessDenied", "message": "x"}),
    ("lineState", {"inService": False} | NOTHING), ("lineOpen", {"lines": [{"line": "201", "inService": False}]}),
    ("lineDevState", {"state": "REINIT"})])
@pytest.mark.parametrize("back", [0, 2])
def test_a_number_that_was_used_is_not_taken(start, kind, members, back):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.begin("201")
        wait_facts(console, "201", IDLE)
        hand.say(kind, line="201", **members, seq=hand.seq - back)
        assert "lines" not in hand.take("resyncRequest")
        console.barrier()
        assert half(console, "201")["status"] == "ok" and facts(half(console, "201")) == IDLE
        hand.say("lineCallState", line="201", **CALL)  # the number after that one
        wait_facts(console, "201", TALKS)
        assert hand.settle() == []


def test_a_wrong_count_is_asked_again(start):
    daemon, console = begin(start, ["201", "202"])
    with Hand(at(daemon)) as hand:
        hand.offer("201", "202")
        hand.say("resync", phase="begin", id=1)
        hand.state("201", calls=[CALL])
        hand.say("resync", phase="end", id=1, lines=2)
        request = hand.take("resyncRequest")
        console.barrier()
        assert half(console, "201")["status"] == "requesting"  # it does not count as ended
        hand.resync({"201": {"calls": [CALL]}, "202": {}}, request["id"])
        wait_facts(console, "201", TALKS)
        wait_facts(console, "202", IDLE)


def test_a_host_without_any_line(start):
    daemon, console = begin(start, ["201"])
    with Hand(at(daemon)) as hand:
        hand.say("lineOpen", lines=[])
        hand.resync([])
        wait_status(console, "201", "error")
        hand.offer("201")
        hand.state("201")
        wait_facts(console, "201", IDLE)
