"""How the simulated SIP server misbehaves: what can be ordered, and the broken documents and bytes themselves.

SPDX-License-Identifier: MIT
"""

import os
import re

from sip_message import parse_uri

# On an answer to SUBSCRIBE or OPTIONS, with their options:
#   status(code, phrase, headers)  any answer; headers is a list of pairs or a dict
#   swallow                        never answered, nor its copies
#   lose(copies=1)                 the first copies are lost, the next one is served (UDP)
#   lose_answer                    served, but the first answer is lost; a copy is answered (UDP)
#   late(seconds)                  served so much later
#   trying                         100 Trying first
#   accepted                       202 instead of 200
#   notify_first(gap=0)            NOTIFY, then gap seconds later the 200
#   no_notify                      200, and no NOTIFY
#   expires(value)                 granted; None: the 200 does not say it
ANSWER_KINDS = ("status", "swallow", "lose", "lose_answer", "late", "trying", "accepted", "notify_first", "no_notify",
                "expires")
MALFORMED = b'<?xml version="1.0"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:x"><tuple id="a"><stat'


def _big(plan, options):
    size = options.get("size", 200 * 1024)
    body = plan.get("body") or plan["proper_body"] or b"<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:x'/>"
    padding = max(0, size - len(body) - 8)
    plan["body"] = body + b"<!--" + b"x" * padding + b"-->\n"


# On a NOTIFY: they change it.
#   state(value)                   Subscription-State: 'pending;expires=9', 'active', 'terminated;reason=..', 'odd'
#   body(value, content_type)      another document
#   empty_body, malformed_body, wrong_type(value), big_body(size), headers(value): what they say
CHANGES = {
    "state": lambda plan, options: plan.update(state=options["value"]),
    "body": lambda plan, options: plan.update(body=options["value"],
                                              content_type=options.get("content_type", plan.get("content_type"))),
    "empty_body": lambda plan, options: plan.update(body=b""),
    "malformed_body": lambda plan, options: plan.update(body=MALFORMED),
    "wrong_type": lambda plan, options: plan.update(content_type=options.get("value", "text/plain")),
    "headers": lambda plan, options: plan.update(headers=dict(options["value"]).items()),
    "big_body": _big,
}

# On a NOTIFY: one more, sent after the proper one (first=True: before it), with body=, content_type=, state=.
#   low_cseq(by=1)   below the last one         same_cseq  the last CSeq in a new transaction
#   repeat(count=1)  the same bytes again       fork       From tag of another notifier
#   unknown_dialog   a Call-ID never heard of   wrong_event(value="reg")
EXTRAS = {
    "low_cseq": lambda sub, options: {"cseq": max(0, sub.cseq - options.get("by", 1))},
    "same_cseq": lambda sub, options: {"cseq": sub.cseq},
    "fork": lambda sub, options: {"tag": "fork-" + os.urandom(6).hex(), "cseq": sub.cseq + 100},
    "unknown_dialog": lambda sub, options: {"call_id": os.urandom(8).hex() + "@unknown.example.test",
                                            "to_tag": os.urandom(6).hex()},
    "wrong_event": lambda sub, options: {"event": options.get("value", "reg"), "cseq": sub.next_cseq()},
}
NOTIFY_KINDS = (*CHANGES, *EXTRAS, "repeat")
EXTRA_OPTIONS = ("body", "content_type", "state")


def _length(value):
    return lambda m: re.sub(rb"Content-Length: \d+", b"Content-Length: " + value, m)


# Made of a proper NOTIFY, and sent as they are.
GARBAGE = {
    "random": lambda m: os.urandom(400) + b"\r\n\r\n",
    "half": lambda m: m[:len(m) // 2],
    "negative_length": _length(b"-5"),
    "contradicting_length": lambda m: m.replace(b"Content-Length:", b"Content-Length: 7\r\nContent-Length:", 1),
    "huge_length": _length(b"99999999999999999999"),
    "lf_only": lambda m: m.replace(b"\r\n", b"\n"),
    "big_head": lambda m: m.replace(b"\r\nMax-", b"\r\nX-Filler: aaaaaaaaaaaa" * 43000 + b"\r\nMax-", 1),
    "nul": lambda m: m.replace(b"Max-Forwards: 70", b"Max-Forwards: 7\0\0", 1),
    "no_start": lambda m: m.partition(b"\r\n")[2],
}


class Fault:
    """One order to misbehave; `used` counts."""

    def __init__(self, kind, times, user, method, phase, options):
        if kind not in ANSWER_KINDS + NOTIFY_KINDS:
            raise ValueError(f"no such misbehaviour: {kind}; there are {', '.join(ANSWER_KINDS + NOTIFY_KINDS)}")
        self.kind, self.left, self.method, self.phase, self.options = kind, times, method, phase, options
        self.users = {user} if isinstance(user, str) else user
        self.used = 0

    def take(self, kinds, method, uri, phase):
        """True, and one less left, if it applies here."""
        user = (parse_uri(uri) or {}).get("user")
        applies = (self.kind in kinds and self.left != 0 and self.method in (method, "*")
                   and self.phase in (None, phase) and (self.users is None or self.users & {uri, user}))
        if applies:
            self.used += 1
            self.left = None if self.left is None else self.left - 1
        return bool(applies)

    def cancel(self):
        self.left = 0


def take(faults, kinds, method, uri, phase):
    """{kind: options} of the faults that apply now; each is used up once."""
    return {fault.kind: fault.options for fault in list(faults) if fault.take(kinds, method, uri, phase)}
