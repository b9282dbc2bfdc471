"""What presenced has to say of the office if it is right.

SPDX-License-Identifier: MIT
"""

import office
import pbx


def telephony(person, with_switch):
    """As the switch tells it if it has the line and is there, else as the telephone itself does by SIP."""
    by_switch = person.at_switch and with_switch
    line, dnd, forward = (person.telephony[fact] for fact in ("line", "dnd", "forward"))
    if not by_switch:
        line, dnd, forward = "idle" if line == "offline" else line, None, None
    calls = [{"state": call["state"], "direction": call["direction"], "name": call["peer"].name,
              "peer": call["peer"].number if by_switch else f"sip:{call['peer'].number}@{pbx.DOMAIN}"}
             for call in person.telephony["calls"]]
    kind = forward and ("voicemail" if forward in (office.PILOT, person.voicemail) else "phone")
    mode = ("dnd" if dnd else f"forwarded_to_{kind}" if kind else
            {"idle": "available", "offline": "offline"}.get(line, "busy"))
    return {"status": "ok", "source": "switch" if by_switch else "cups", "line": line, "dnd": dnd, "mode": mode,
            "forward": forward and (kind, forward), "calls": calls}


def rich(person):
    return {"status": "ok", "source": "cups", **person.rich}


def said(half, expected):
    """A half of what presenced publishes, to be compared with the above."""
    calls = [{fact: call.get(fact) for fact in ("state", "direction", "name", "peer")}
             for call in half.get("calls", ())]
    if half.get("source") == "switch":  # it does not tell who began a call that was there before it was asked
        for call, truth in zip(calls, expected["calls"]):
            call["direction"] = call["direction"] or truth["direction"]
    forward = half.get("forward")
    return half | {"calls": calls, "forward": forward and (forward["kind"], forward.get("target"))}


def wrong(people, table, with_switch=True):
    """Sentences about what is not as it should be."""
    sentences = []
    for person in people:
        presence = table.get(person.id, {})
        for name, expected in (("rich", rich(person)), ("telephony", telephony(person, with_switch))):
            half = said(presence.get(name, {}), expected)
            sentences += [f"{name} {fact} of {person.id} is {half.get(fact)}, not {value}"
                          for fact, value in expected.items() if half.get(fact) != value]
    return sentences
