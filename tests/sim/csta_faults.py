"""How the simulated switch misbehaves: what can be ordered, and the broken bytes and documents themselves.

SPDX-License-Identifier: MIT
"""

from csta_wire import EVENT_ID, frame

# On the answer to a request of the client (request="*" or a name), with their options:
#   error(category="operation", error="generic")  CSTAErrorCode instead
#   refuse(error="invalidApplicationInfo")        NegResponse instead, of a session request
#   swallow         not served and not answered     lose_answer    served and not answered
#   late(seconds)   served so much later            late_answer(seconds)  served now, answered so much later
#   out_of_order(count=2)  answered after `count` later answers
#   twice           answered twice                  wrong_id       answered under an invoke id that nobody used
#   raw(document)   this document instead           same_cross_ref a MonitorStart gets a reference that is taken
ANSWER_KINDS = ("error", "refuse", "swallow", "lose_answer", "late", "late_answer", "out_of_order", "twice", "wrong_id",
                "raw", "same_cross_ref")
# On an event (events= a name such as "Delivered", several, or a predicate of the Event), of one device or of all:
#   drop_events     never sent                      duplicate(count=1)  sent so many times more
#   delay(seconds)  sent so much later              reorder        sent after the next event of the same monitor
#   unknown_cross_ref  sent under a reference that nobody has    raw_event(document)  this document instead; {ref}
EVENT_KINDS = ("drop_events", "duplicate", "delay", "reorder", "unknown_cross_ref", "raw_event")
# On a connection that is accepted: hello(data) sends bytes first (a BER-like hello), hang_up closes it at once.
ACCEPT_KINDS = ("hello", "hang_up")
# On the callID of a new call: that of the call that ended last.
MODEL_KINDS = ("reuse_call_id",)
# At once, `times` times:
#   messages_lost, overload(status)  SystemStatus        monitor_stop(device)  the switch ends a monitor, or all
#   restart_announced(gap=0)  disabled, initializing, enabled; monitors are void
#   session_terminated  ApplicationSessionTerminated and close
#   late_event(device, event=None)  an event of the call that ended last, or its last one again
#   status(value)       any SystemStatus
DEEDS = ("messages_lost", "overload", "monitor_stop", "restart_announced", "session_terminated", "late_event", "status")

BER = bytes.fromhex("601ca11a060b2b0c028836010000000001be0b2809a007a00503030008 00")


def _with_length(data, length):
    return data[:2] + length.to_bytes(2, "big") + data[4:]


def _event(writer, ref, content="", name="AgentReadyEvent"):
    return writer.document(name, writer.t("monitorCrossRefID", ref) + content)


def _nested(writer, _ref, options):
    depth = options.get("depth", 100)
    return writer.document("CallInformationEvent", "<x>" * depth + "</x>" * depth)


def _big(writer, ref, options):
    size = options.get("size", 65527)
    start = _event(writer, ref, writer.e("extensions", "@"))
    padding = "<x>" + "y" * 800 + "</x>"
    room = size - len(start.encode()) + 1
    text = padding * (room // len(padding))
    rest = room - len(text)
    return start.replace("@", text + " " * rest, 1)


# Documents, as events of a monitor whose reference is ref.
DOCUMENTS = {
    "not_xml": lambda writer, ref, options: options.get("document", "this is not XML"),
    "unclosed": lambda writer, ref, options: _event(writer, ref)[:-9],
    "doctype": lambda writer, ref, options:
        '<!DOCTYPE a [<!ENTITY b "202"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
        + _event(writer, ref, "<agentDevice>&c;</agentDevice>"),
    "deep": _nested,
    "long_text": lambda writer, ref, options: _event(writer, ref, writer.t("agentID", "9" * 5000)),
    "big_document": _big,
    "unknown_event": lambda writer, ref, options: _event(writer, ref, name="TeleportedEvent"),
    "unknown_reference": lambda writer, ref, options: _event(writer, "no-such-monitor"),
    "no_reference": lambda writer, ref, options: writer.document("AgentReadyEvent"),
    "bad_utf8": lambda writer, ref, options: _event(writer, ref, writer.t("agentID", "@")).encode().replace(
        b"@", b"\xc3("),
}
# Bytes, made of a proper frame; those in CLOSING end the connection.
BYTES = {
    "lie_length": lambda data, options: _with_length(data, len(data) + options.get("by", 5)),
    "short_length": lambda data, options: _with_length(data, options.get("value", 4)),
    "nonzero": lambda data, options: options.get("value", b"\1\0") + data[2:],
    "binary_id": lambda data, options: data[:4] + b"\0\0\0\7" + data[8:],
    "empty_frame": lambda data, options: frame("", EVENT_ID),
    "cut": lambda data, options: data[:len(data) // 2],
    "cut_head": lambda data, options: data[:5],
    "half": lambda data, options: data[:len(data) // 2],
    "ber": lambda data, options: BER,
    "bytes": lambda data, options: options["data"],
}
CLOSING = ("cut", "cut_head")
KINDS = (*ANSWER_KINDS, *EVENT_KINDS, *ACCEPT_KINDS, *MODEL_KINDS, *DEEDS, *DOCUMENTS, *BYTES)


class Fault:
    """One order to misbehave; `used` counts."""

    def __init__(self, kind, times, device, options):
        if kind not in KINDS:
            raise ValueError(f"no such misbehaviour: {kind}; there are {', '.join(KINDS)}")
        self.kind, self.left, self.options, self.used = kind, times, options, 0
        self.device = None if device is None else str(device)
        self.request = options.pop("request", "*")
        events = options.pop("events", None)
        self.events = {events} if isinstance(events, str) else events

    def use(self):
        self.used += 1
        self.left = None if self.left is None else self.left - 1

    def on_answer(self, name, device):
        return (self.kind in ANSWER_KINDS and self.left != 0 and self.request in ("*", name)
                and self.device in (None, device))

    def on_event(self, event, device):
        if self.kind not in EVENT_KINDS or self.left == 0 or self.device not in (None, device):
            return False
        if callable(self.events):
            return bool(self.events(event))
        return self.events is None or event.name in self.events or event.name + "Event" in self.events

    def cancel(self):
        self.left = 0


def take(faults, applies):
    """{kind: options} of the faults that apply now; each is used up once."""
    found = {}
    for fault in list(faults):
        if fault.kind not in found and applies(fault):
            fault.use()
            found[fault.kind] = fault.options
        if fault.left == 0:
            faults.remove(fault)
    return found
