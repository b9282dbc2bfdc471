"""What is true of a device of the simulated switch: the snapshot, and what a presence service has to publish.

SPDX-License-Identifier: MIT
"""

import collections

OFF_HOOK = ("initiated", "connected", "fail")
ANSWERED = ("connected", "hold")
UNKNOWN = object()
# endpoint: the other party's number, None if withheld, UNKNOWN if there is none or there are several
Seen = collections.namedtuple("Seen", "call_id state endpoint others")


def snapshot(device):
    """One Seen for each call of the device."""
    seen = []
    for call, party in device.parties.items():
        others = call.others(party)
        endpoint = others[0].number if len(others) == 1 else UNKNOWN
        seen.append(Seen(call.id, party.state, endpoint, [other.state for other in others]))
    return seen


def truth(device):
    """The line as a presence service has to publish it: {"line", "dnd", "forward", "calls"}.

    peers of a call: every number that may rightly be shown; peer: the one at the other end, None if it is withheld
    or if there are several.
    """
    if not device.in_service:
        line, calls = "offline", []
    else:
        states = {party.state for party in device.parties.values()}
        line = ("busy" if states & set(OFF_HOOK) else "ringing" if "alerting" in states
                else "held" if "hold" in states else "idle")
        calls = [_call(call, party) for call, party in device.parties.items() if party.state != "queued"]
    return {"line": line, "dnd": device.dnd, "forward": _forward(device), "calls": calls}


def _call(call, party):
    others = call.others(party)
    answered = any(other.state in ANSWERED for other in others)
    state = {"alerting": "ringing", "hold": "held", "connected": "connected" if answered else "dialing"}.get(
        party.state, "dialing")
    peer = others[0].number if len(others) == 1 else None if others else call.called
    peers = {other.number for other in others} | {call.calling, call.called}
    return {"state": state, "direction": party.direction, "peer": peer,
            "peers": sorted(number for number in peers - {party.number} if number)}


def _forward(device):
    on = {kind: forward for kind, forward in device.forwards.items() if forward.on}
    if "forwardImmediate" in on:
        return {"target": on["forwardImmediate"].number}
    if "forwardImmInt" in on and "forwardImmExt" in on:
        return {"target": on["forwardImmExt"].number}
    return None
