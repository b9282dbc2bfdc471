"""How a sequence of dialog-info documents is read (RFC 4235), stated a second time, and a maker of random ones.

SPDX-License-Identifier: MIT

This is written from the rules alone and independently of the program, so that the tests can hold one
against the other. It is meant to be read beside the rules: slow, literal, in the same order.

    line = DialogInfo()
    line.apply(document) -> {"status": "ok", "rich": None, "telephony": {...}}, {"status": "ignored"}
                            or {"status": "error"}
    random_dialog_info_sequence(rng) -> documents of one subscription, in order
"""

import random
import re

from pidf_model import FOREIGN, BadDocument, Scribe, chance, clean, damage, encode, first, nested, read_tree

DIALOG_INFO = "urn:ietf:params:xml:ns:dialog-info"
LARGEST_VERSION = 2**32 - 1
MOST_DIALOGS = 64
MOST_CALLS = 16
LONGEST_TEXT = 256

PENDING = ("trying", "proceeding", "early")
STATES = PENDING + ("confirmed", "terminated")
DIRECTIONS = {"initiator": "out", "recipient": "in"}


class Dialog:
    """One dialog element."""

    def __init__(self, element):
        self.id = element.attributes.get("id", "")
        if not self.id:
            raise BadDocument("dialog without id")
        self.state = read_state(element)
        self.direction = DIRECTIONS.get(element.attributes.get("direction"))
        self.on_hold = is_rendering_off(element)
        self.peer, self.name = read_peer(element)

    @property
    def is_pending(self):
        return self.state in PENDING

    @property
    def is_held(self):
        return self.state == "confirmed" and self.on_hold

    @property
    def call_state(self):
        if self.is_pending:
            return "dialing" if self.direction == "out" else "ringing"
        return "held" if self.is_held else "connected"

    @property
    def call(self):
        facts = {"state": self.call_state, "direction": self.direction, "peer": self.peer, "name": self.name}
        return {key: fact for key, fact in facts.items() if fact}


def inside(element, *names):
    """The descendants on that path, in the document's order."""
    elements = [element]
    for name in names:
        elements = [child for e in elements for child in e.inside(DIALOG_INFO, name)]
    return elements


def read_state(element):
    state = first(e.text for e in inside(element, "state"))
    if state not in STATES:
        raise BadDocument("dialog without a known state")
    return state


def is_rendering_off(element):
    params = (e.attributes for e in inside(element, "local", "target", "param"))
    return any(p.get("pname", "").lower() == "+sip.rendering" and p.get("pval", p.get("pvalue")) == "no" for p in params)


def read_peer(element):
    identities = inside(element, "remote", "identity")
    targets = inside(element, "remote", "target")
    peers = [e.text for e in identities] + [e.attributes.get("uri", "") for e in targets]
    names = [e.attributes.get("display", "") for e in identities]
    return tuple(clean(first(filter(None, texts)) or "", LONGEST_TEXT) for texts in (peers, names))


def read_version(root):
    text = root.attributes.get("version")
    if text is None:
        return None
    match = re.fullmatch("0*([0-9]{1,10})", text)
    if not match or int(match[1]) > LARGEST_VERSION:
        raise BadDocument("version is no number")
    return int(match[1])


class DialogInfo:
    """One subscription: the table of dialogs, and the last version seen."""

    def __init__(self):
        self.table = {}  # id -> Dialog, in the order in which they entered
        self.version = None

    def apply(self, data):
        """The verdict on the next document."""
        try:
            return self.read(data)
        except BadDocument:
            return {"status": "error"}

    def read(self, data):
        root = read_tree(data, DIALOG_INFO, "dialog-info")
        if root is None:
            self.table = {}
            return {"status": "ok", "rich": None, "telephony": {}}
        version = read_version(root)
        state = root.attributes.get("state", "full")
        if state not in ("full", "partial"):
            raise BadDocument("state is neither full nor partial")
        dialogs = [Dialog(e) for e in inside(root, "dialog")]
        if None not in (version, self.version) and version <= self.version:
            return {"status": "ignored"}
        self.table = changed({} if state == "full" else self.table, dialogs)
        self.version = self.version if version is None else version
        return {"status": "ok", "rich": None, "telephony": self.facts()}

    def facts(self):
        dialogs = list(self.table.values())
        return {"line": line_of(dialogs), "calls": [d.call for d in dialogs][:MOST_CALLS]}


def changed(table, dialogs):
    """The table after these dialogs. A replaced one keeps its place, a terminated one leaves."""
    table = dict(table)
    for dialog in dialogs:
        if dialog.state == "terminated":
            table.pop(dialog.id, None)
        else:
            table[dialog.id] = dialog
    if len(table) > MOST_DIALOGS:
        raise BadDocument("too many dialogs")
    return table


def line_of(dialogs):
    confirmed = [d for d in dialogs if d.state == "confirmed"]
    pending = [d for d in dialogs if d.is_pending]
    if confirmed:
        return "held" if all(d.is_held for d in confirmed) else "busy"
    if pending:
        return "busy" if any(d.direction == "out" for d in pending) else "ringing"
    return "idle"


# Random sequences.

PREFIXES = {DIALOG_INFO: "di", FOREIGN: "x", "urn:ietf:params:xml:ns:sa-dialog-info": "sa"}
IDENTITIES = ["sip:101@example.org", "sip:bob@example.org", "<sip:102@pbx>", "", "  ", "sip:caf\u00e9@x", "tel:+44&1",
              "\u20ac" * 90, "e" * 255 + "\u00e9", "two\nlines"]
DISPLAYS = [None, None, "Bob", "J\u00fcrgen & Co <x>", "", "\u4f1a" * 86, "a\tb", "x\x7fy", "\U0001f600" * 65]


class DialogInfoAuthor:
    """Writes the documents of one subscription."""

    def __init__(self, rng):
        self.rng = rng
        self.version = rng.choice([0, 0, 1, 2, 2, 4294967290])
        self.versions = not chance(rng, 0.1)
        self.partial = rng.choice([0, 0.3, 0.8, 1])
        self.ids = rng.choice(["a", "ab", "abcdef", [f"d{n}" for n in range(80)]])
        self.broken = rng.choice([0, 0, 0.15])

    def sequence(self):
        return [self.document() for _ in range(self.rng.choice([1, 2, 3, 4, 6, 8]))]

    def document(self):
        if chance(self.rng, 0.03):
            return self.rng.choice([b"", b"\r\n", b" \t"])
        self.scribe = Scribe(self.rng, PREFIXES)
        attributes = {"version": self.next_version(), "state": self.doc_state(), "entity": "sip:8001@example.org"}
        attributes = {key: value for key, value in attributes.items() if value is not None}
        content = [self.dialog(i) for i in self.some_ids()]
        content += [self.foreign()] * chance(self.rng, 0.1) + [self.deep()] * chance(self.rng, 0.02)
        namespace = DIALOG_INFO if not chance(self.rng, self.broken / 10) else FOREIGN
        document = encode(self.rng, self.scribe.root(namespace, "dialog-info", attributes, *content))
        return damage(self.rng, document) if chance(self.rng, self.broken / 2) else document

    def next_version(self):
        if chance(self.rng, self.broken / 3):
            return self.rng.choice(["", "one", "-1", "4294967296", "1.0", "99999999999999999999999"])
        if not self.versions or chance(self.rng, 0.03):
            return None
        version = self.version
        self.version = max(0, version + self.rng.choice([1] * 12 + [2, 5, 0, -1]))
        return str(min(version, LARGEST_VERSION))

    def doc_state(self):
        if chance(self.rng, self.broken / 5):
            return self.rng.choice(["", "Full", "both"])
        return "partial" if chance(self.rng, self.partial) else self.rng.choice(["full", "full", "full", None])

    def some_ids(self):
        if len(self.ids) > 20 and chance(self.rng, 0.4):
            start = self.rng.randrange(20)
            return self.ids[start:start + self.rng.choice([17, 30, 60, 64, 65])]
        return [self.rng.choice(self.ids) for _ in range(self.rng.choice([0, 1, 1, 1, 2, 2, 3, 4]))]

    def dialog(self, identifier):
        if chance(self.rng, self.broken / 8):
            identifier = self.rng.choice([None, ""])
        content = [self.state()] if not chance(self.rng, self.broken / 8) else []
        content += [self.local()] * chance(self.rng, 0.5) + [self.remote()] * chance(self.rng, 0.6)
        content += [self.foreign()] * chance(self.rng, 0.1)
        content += [self.scribe.element(DIALOG_INFO, "duration", "12")] * chance(self.rng, 0.1)
        self.rng.shuffle(content)
        direction = self.rng.choice([None, "initiator", "recipient", "recipient"] * 5 + ["sideways", "", "Initiator"])
        return self.scribe.element(DIALOG_INFO, "dialog", *content, id=identifier, direction=direction,
                                   call_id=self.rng.choice([None, "x&y@host"]))

    def state(self):
        word = self.rng.choice(STATES + ("confirmed", "confirmed", "early"))
        if chance(self.rng, self.broken / 8):
            word = self.rng.choice(["", "Confirmed", "ringing"])
        event = self.rng.choice([None, None, "cancelled", "remote-bye"])
        return self.scribe.element(DIALOG_INFO, "state", self.scribe.text(word), event=event)

    def local(self):
        params = [self.param() for _ in range(self.rng.choice([0, 1, 1, 2]))]
        target = self.scribe.element(DIALOG_INFO, "target", *params, uri="sip:8001@10.0.0.1")
        identity = self.scribe.element(DIALOG_INFO, "identity", "sip:8001@example.org", display="Myself")
        return self.scribe.element(DIALOG_INFO, "local", *self.rng.choice([[target], [identity, target], [identity]]))

    def param(self):
        name = self.rng.choice(["+sip.rendering"] * 6 + ["+SIP.Rendering", "+sip.byeless", "sip.rendering", ""])
        value = self.rng.choice(["no"] * 6 + ["yes", "unknown", "", "No", None])
        namespace = self.rng.choice([DIALOG_INFO] * 19 + [FOREIGN])
        return self.scribe.element(namespace, "param", pname=name, **{self.rng.choice(["pval", "pvalue"]): value})

    def remote(self):
        identity = self.scribe.element(DIALOG_INFO, "identity", self.scribe.text(self.rng.choice(IDENTITIES)),
                                       display=self.rng.choice(DISPLAYS))
        uri = self.rng.choice([None, "", "sip:202@10.0.0.2:5060", "sip:" + "\u00e9" * 130])
        target = self.scribe.element(DIALOG_INFO, "target", *[self.param()] * chance(self.rng, 0.2), uri=uri)
        choices = [[identity], [identity, target], [target, identity], [target], []]
        return self.scribe.element(DIALOG_INFO, "remote", *self.rng.choice(choices))

    def foreign(self):
        name = self.rng.choice(["dialog", "state", "local", "mute"])
        return self.scribe.element(FOREIGN, name, *[self.state()] * chance(self.rng, 0.4), id="a")

    def deep(self):
        return nested(self.scribe, self.rng.choice([30, 31, 32]))


def random_dialog_info_sequence(rng=random):
    """The documents of one subscription, in order; most of them sound."""
    return DialogInfoAuthor(rng).sequence()
