"""How a PIDF document is read (RFC 3863, 4479, 4480), stated a second time, and a maker of random ones.

SPDX-License-Identifier: MIT

This is written from the rules alone and independently of the program, so that the tests can hold one
against the other. It is meant to be read beside the rules: slow, literal, in the same order.

    read(document) -> {"status": "ok", "rich": {...}, "telephony": {...}} or {"status": "error"}
    random_pidf(rng) -> document

A fact that is not known is absent.
"""

import calendar
import random
import re
import time
import unicodedata
import xml.parsers.expat

LARGEST_DOCUMENT = 65536
DEEPEST_ELEMENT = 32
LONGEST_NOTE = 1024
LONGEST_PEER = 256
BLANKS = " \t\r\n"
ENCODINGS = ("utf-8", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "us-ascii")

PIDF = "urn:ietf:params:xml:ns:pidf"
DATA_MODEL = "urn:ietf:params:xml:ns:pidf:data-model"
RPID = (
    "urn:ietf:params:xml:ns:pidf:rpid",
    "urn:ietf:params:xml:ns:pidf:status:rpid",
    "urn:cisco:params:xml:ns:pidf:rpid",
    "urn:ietf:params:xml:ns:pidf:rpid:rpid-person",
)
PERSON = (DATA_MODEL, *RPID, "urn:ietf:params:xml:ns:pidf:person")
NOTES = (PIDF, DATA_MODEL)

VOCABULARY = set("""
    appointment away breakfast busy dinner holiday in-transit looking-for-work lunch meal meeting on-the-phone other
    performance permanent-absence playing presentation shopping sleeping spectator steering travel tv unknown vacation
    working worship
""".split())
BESIDE_THE_VOCABULARY = {"dnd", "do-not-disturb", "alerting", "available", "unavailable"}
DND = {"dnd", "do-not-disturb"}
NO_TOKENS = {"note", "user-input", "phone-status", "im-status"}  # elements inside activities

# First row that hits; inside a row in the order that is written here.
ROWS = [
    ("presentation performance", "busy"),
    ("on-the-phone alerting", "busy"),
    ("meeting appointment", "busy"),
    ("vacation holiday permanent-absence travel", "away"),
    ("busy working steering in-transit", "busy"),
    ("away breakfast lunch dinner meal shopping sleeping tv playing spectator worship looking-for-work", "away"),
    ("unavailable", "offline"),
    ("available", "available"),
]
EXPLICIT_WORDS = [("available", "available"), ("busy", "busy"), ("away", "away"), ("unavailable", "offline")]
MOST_AVAILABLE_FIRST = ["available", "available_idle", "busy", "busy_idle", "away", "offline"]

PBX_KINDS = {
    "ringing": ("ringing", "ring"),
    "holding": ("on hold", "hold"),
    "talking": ("on the phone", "talk", "in use"),
    "idle": ("ready", "unavailable", "available", "unregistered", "idle", "not in use", "not online"),
}
PBX_NOTES = {note: kind for kind, notes in PBX_KINDS.items() for note in notes}
PBX_CALL = re.compile(r"(talk|ring|ringing|hold) ([^ ]+)", re.ASCII | re.IGNORECASE)
CALL_STATES = {"talk": "connected", "ring": "ringing", "ringing": "ringing", "hold": "held"}


class BadDocument(Exception):
    """The document is refused."""


# XML: a tree of elements that know their namespace, their own text and nothing of prefixes.

class Element:
    def __init__(self, namespace, name, attributes, number=0):
        self.namespace, self.name, self.attributes = namespace, name, attributes
        self.number = number  # how many elements begin before it
        self.children = []
        self.pieces = []

    @property
    def text(self):
        """The element's own characters, without those of the elements inside it, trimmed."""
        return "".join(self.pieces).strip(BLANKS)

    def inside(self, namespaces, name):
        """The children of that name, in the document's order."""
        namespaces = (namespaces,) if isinstance(namespaces, str) else namespaces
        return [c for c in self.children if c.namespace in namespaces and c.name == name]


class TreeReader:
    SEPARATOR = "\x01"  # no XML document can hold it

    def __init__(self):
        self.root = None
        self.count = 0
        self.open = []
        self.parser = xml.parsers.expat.ParserCreate(namespace_separator=self.SEPARATOR)
        self.parser.XmlDeclHandler = self.declaration
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters

    def declaration(self, version, encoding, standalone):
        # Python would know more encodings than expat does by itself.
        if encoding is not None and encoding.lower() not in ENCODINGS:
            raise BadDocument("unknown encoding")

    def doctype(self, *ignored):
        raise BadDocument("document type declaration")

    def start(self, name, attributes):
        if len(self.open) >= DEEPEST_ELEMENT:
            raise BadDocument("too deep")
        namespace, _, local = name.rpartition(self.SEPARATOR)
        element = Element(namespace, local, attributes, self.count)
        self.count += 1
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, name):
        self.open.pop()

    def characters(self, data):
        self.open[-1].pieces.append(data)


def read_tree(document, namespace, name):
    """The root element, or None for an empty document. BadDocument if it is refused."""
    if len(document) > LARGEST_DOCUMENT:
        raise BadDocument("too large")
    if not document.strip(BLANKS.encode()):
        return None
    reader = TreeReader()
    try:
        reader.parser.Parse(bytes(document), True)
    except (xml.parsers.expat.ExpatError, ValueError, LookupError) as error:
        raise BadDocument(str(error)) from error
    if (reader.root.namespace, reader.root.name) != (namespace, name):
        raise BadDocument("wrong root element")
    return reader.root


def clean(text, longest):
    """Control characters become blanks; cut to so many bytes of UTF-8, at a character."""
    text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return text.encode()[:longest].decode(errors="ignore")


# Times: milliseconds since 1970, RFC 3339, years 1970 to 9999.

TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
YEAR_10000 = 253402300800000


def read_time(text):
    match = TIME.fullmatch(text.strip(BLANKS))
    if not match:
        return None
    year, month, day, hour, minute, second = (int(n) for n in match.groups()[:6])
    if not 1 <= month <= 12 or year < 1:
        return None
    if not 1 <= day <= calendar.monthrange(year, month)[1] or hour > 23 or minute > 59 or second > 60:
        return None
    east = 0
    if match[8]:
        if int(match[9]) > 23 or int(match[10]) > 59:
            return None
        east = (int(match[9]) * 60 + int(match[10])) * (1 if match[8] == "+" else -1)
    seconds = calendar.timegm((year, month, day, hour, minute, 0)) + second - east * 60
    milliseconds = seconds * 1000 + int(((match[7] or "") + "000")[:3])
    return milliseconds if year >= 1970 and 0 <= milliseconds < YEAR_10000 else None


def write_time(milliseconds):
    seconds, rest = divmod(milliseconds, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03}Z"


def newest(times):
    return max((t for t in times if t is not None), default=None)


# What a person, a tuple or a device says of itself.

class Part:
    """One person, tuple or device."""

    def __init__(self, element, time_namespace):
        self.basic = None
        self.time = newest(read_time(t.text) for t in element.inside(time_namespace, "timestamp"))
        self.note_elements = element.inside(NOTES, "note")
        self.activities = []
        self.direct_inputs = []
        self.priority = 0

    @property
    def tokens(self):
        return [t for a in self.activities for t in read_tokens(a)]

    @property
    def idle_inputs(self):
        """Beside the activities and inside them, in the document's order."""
        inputs = self.direct_inputs + [i for a in self.activities for i in a.inside(RPID, "user-input")]
        return [i for i in sorted(inputs, key=lambda e: e.number) if i.text == "idle"]

    @property
    def activity_note_elements(self):
        return [n for a in self.activities for n in a.inside(RPID, "note")]

    @property
    def is_open(self):
        return self.basic == "open" or self.basic is None and bool(self.tokens)

    @property
    def is_device(self):
        return self.basic is not None or bool(self.tokens)

    @property
    def note(self):
        return first(rich_notes(self.note_elements))


def read_person(element):
    person = Part(element, DATA_MODEL)
    take_words(person, element)
    return person


def read_tuple(element):
    part = Part(element, PIDF)
    take_words(part, element)
    part.priority = read_priority(element.inside(PIDF, "contact"))
    return part


def take_words(part, element):
    part.basic = read_basic(element)
    for child in element.children:  # what is in a status and what is beside it, in the document's order
        in_status = (child.namespace, child.name) == (PIDF, "status")
        for found in child.children if in_status else [child]:
            if found.namespace in RPID and found.name == "activities":
                part.activities.append(found)
            if found.namespace in RPID and found.name == "user-input":
                part.direct_inputs.append(found)


def read_device(element):
    device = Part(element, DATA_MODEL)
    device.direct_inputs = element.inside(RPID, "user-input")
    return device


def read_basic(element):
    words = [b.text for s in element.inside(PIDF, "status") for b in s.inside(PIDF, "basic")]
    if any(word not in ("open", "closed") for word in words):
        raise BadDocument("basic is neither open nor closed")
    return first(words)


def read_priority(contacts):
    """In millionths. What is no decimal from 0 to 1 is 0."""
    text = first(c.attributes["priority"] for c in contacts if "priority" in c.attributes) or ""
    match = re.fullmatch(r"(\d+)(?:\.(\d*))?", text.strip(BLANKS), re.ASCII)
    if not match or len(match[1].lstrip("0")) > 1:
        return 0
    whole, part = int(match[1]), (match[2] or "")
    if whole > 1 or whole == 1 and part.strip("0"):
        return 0
    return whole * 10**6 + int((part + "0" * 6)[:6])


def read_tokens(activities):
    tokens = []
    for child in activities.children:
        if child.namespace not in RPID or child.name in NO_TOKENS:
            continue
        token = child.text if child.name == "activity" else child.name
        if token:
            tokens.append(token)
    return tokens


def read_notes(elements):
    """What the notes say, in the document's order, without the blank ones."""
    elements = sorted(elements, key=lambda e: e.number)
    notes = (clean(e.text, LONGEST_NOTE) for e in elements)
    return [note for note in notes if note.strip(BLANKS)]


def first(things):
    return next(iter(things), None)


# A set of tokens.

def availability_of(tokens):
    tokens = set(tokens)
    if tokens & DND:
        return "dnd"
    words = [availability for row, availability in ROWS if tokens & set(row.split())][:1]
    words += [availability for token, availability in EXPLICIT_WORDS if token in tokens]
    return min(words, key=MOST_AVAILABLE_FIRST.index, default=None)


def activity_of(tokens):
    tokens = set(tokens)
    row = first(row.split() for row, _ in ROWS if tokens & set(row.split())) or []
    for token in row:
        if token == "alerting" and token in tokens:
            return "on-the-phone"
        if token in tokens & VOCABULARY - {"busy", "away"}:
            return token
    return first(token for token in ("other", "unknown") if token in tokens)


def unknown_tokens(tokens):
    return [t for t in tokens if t not in VOCABULARY and t not in BESIDE_THE_VOCABULARY]


# Notes that a PBX makes from the line.

def pbx_call(note):
    """(word, peer) of "Talk X" and its like, else None."""
    match = PBX_CALL.fullmatch(note)
    if match and re.search(r"[0-9@]", match[2]):
        return match[1].lower(), match[2]
    return None


def pbx_kind(note):
    """What the line does by this note; None if it is not the PBX that speaks."""
    call = pbx_call(note)
    return PBX_NOTES.get(call[0] if call else ascii_lower(note))


def ascii_lower(text):
    return "".join(c.lower() if c.isascii() else c for c in text)


def rich_notes(elements):
    return [n for n in read_notes(elements) if pbx_kind(n) is None]


# The document.

class Document:
    def __init__(self, root):
        self.persons = [read_person(e) for e in root.inside(PERSON, "person")]
        self.tuples = [read_tuple(e) for e in root.inside(PIDF, "tuple")]
        self.devices = [read_device(e) for e in root.inside(DATA_MODEL, "device")]
        self.note_elements = root.inside(NOTES, "note")

    @property
    def person_tokens(self):
        return [t for p in self.persons for t in p.tokens]

    @property
    def open_tuples(self):
        return [t for t in self.tuples if t.is_open]


# Rich.

class Won:
    """Who decided: the persons or one tuple, and what it came to."""

    def __init__(self, availability=None, persons=False, tuple_=None):
        self.availability, self.persons, self.tuple = availability, persons, tuple_


def who_won(document):
    by_persons = availability_of(document.person_tokens)
    dnd_tuple = first(t for t in document.open_tuples if set(t.tokens) & DND)
    if by_persons == "dnd":
        return Won("dnd", persons=True)
    if dnd_tuple:
        return Won("dnd", tuple_=dnd_tuple)
    if by_persons:
        return Won(by_persons, persons=True)
    if any(t.is_device for t in document.tuples):
        winner = best_tuple(document)
        return Won(tuple_availability(winner), tuple_=winner)
    return by_basic_of_persons(document.persons)


def tuple_availability(part):
    return (availability_of(part.tokens) or "available") if part.is_open else "offline"


def best_tuple(document):
    candidates = document.open_tuples or [t for t in document.tuples if t.is_device]
    # min takes the first of equals: the first in the document
    return min(candidates, key=lambda t: (-t.priority, availability_rank(t), -age_key(t)))


def availability_rank(part):
    availability = tuple_availability(part)
    if availability == "available" and part.idle_inputs:
        availability = "available_idle"
    return MOST_AVAILABLE_FIRST.index(availability)


def age_key(part):
    return -1 if part.time is None else part.time


def by_basic_of_persons(persons):
    words = {p.basic for p in persons}
    if "open" in words:  # one of them will do
        return Won("available", persons=True)
    return Won("offline", persons=True) if "closed" in words else Won()


def read_rich(document):
    won = who_won(document)
    winner_tokens = won.tuple.tokens if won.tuple else []
    idle, idle_since = read_idle(document, won)
    facts = {
        "availability": "available_idle" if idle and won.availability == "available" else won.availability,
        "activity": activity_of(document.person_tokens) or activity_of(winner_tokens),
        "note": read_rich_note(document, won) or token_as_note(document.person_tokens + winner_tokens),
        "idle_since": idle_since,
        "observed_at": observed_at(document, won),
    }
    return {key: fact for key, fact in facts.items() if fact is not None}


def read_idle(document, won):
    parts = document.persons + ([won.tuple] if won.tuple else []) + document.devices
    inputs = [i for p in parts for i in p.idle_inputs]
    since = first(t for t in (read_time(i.attributes.get("last-input", "")) for i in inputs) if t is not None)
    return bool(inputs), None if since is None else write_time(since)


def read_rich_note(document, won):
    by_persons = [p.note for p in document.persons]
    by_tuples = [t.note for t in sorted(document.tuples, key=age_key, reverse=True)]
    chain = [won.tuple.note] if won.tuple else []
    chain += by_persons + by_tuples + rich_notes(document.note_elements)
    chain += [n for p in document.persons for n in rich_notes(p.activity_note_elements)]
    return first(note for note in chain if note)


def token_as_note(tokens):
    return first(clean(t, LONGEST_NOTE) for t in unknown_tokens(tokens))


def observed_at(document, won):
    parts = document.persons if won.persons else [won.tuple] if won.tuple else []
    time = newest(p.time for p in parts)
    return None if time is None else write_time(time)


# Telephony.

def read_telephony(document):
    tokens = set(document.person_tokens) | {t for part in document.open_tuples for t in part.tokens}
    notes = all_notes(document)
    facts = {
        "line": read_line(document, tokens, notes),
        "dnd": True if tokens & DND else None,
        "calls": read_calls(notes),
    }
    return {key: fact for key, fact in facts.items() if fact is not None}


def all_notes(document):
    parts = document.persons + document.tuples + document.devices
    elements = [e for p in parts for e in p.note_elements + p.activity_note_elements]
    return read_notes(document.note_elements + elements)


def read_line(document, tokens, notes):
    kinds = {pbx_kind(n) for n in notes}
    if all_closed(document) and not tokens & {"on-the-phone", "alerting"} and not kinds - {"idle", None}:
        return "offline"
    if "alerting" in tokens or "ringing" in kinds:
        return "ringing"
    if "holding" in kinds:
        return "held"
    if "on-the-phone" in tokens or "talking" in kinds:
        return "busy"
    if tokens or any(p.basic for p in document.persons + document.tuples):
        return "idle"
    return None


def all_closed(document):
    words = {t.basic for t in document.tuples if t.basic} or {p.basic for p in document.persons if p.basic}
    return words == {"closed"}


def read_calls(notes):
    for word, peer in filter(None, map(pbx_call, notes)):
        if word in CALL_STATES:
            return [{"state": CALL_STATES[word], "peer": clean(peer, LONGEST_PEER)}]
    return None


def read(data):
    """The verdict on one document."""
    try:
        root = read_tree(data, PIDF, "presence")
        document = Document(root or Element(PIDF, "presence", {}))
    except BadDocument:
        return {"status": "error"}
    return {"status": "ok", "rich": read_rich(document), "telephony": read_telephony(document)}


# Random documents. A Scribe writes elements with the prefixes, encodings and oddities that are allowed.

FOREIGN = "urn:example:foreign"
PREFIXES = {PIDF: "p", DATA_MODEL: "dm", RPID[0]: "r", RPID[1]: "e", RPID[2]: "ce", RPID[3]: "ep", PERSON[-1]: "pp",
            FOREIGN: "x"}


def chance(rng, probability):
    return rng.random() < probability


class Scribe:
    """Writes XML text, everything optional at random."""

    def __init__(self, rng, prefixes):
        self.rng = rng
        names = list(prefixes.values())
        if chance(rng, 0.3):
            rng.shuffle(names)
        self.prefixes = dict(zip(prefixes, names))
        self.default = rng.choice(list(prefixes)) if chance(rng, 0.3) else list(prefixes)[0]
        self.comments = chance(rng, 0.3)

    def declarations(self):
        declared = {f"xmlns:{prefix}": namespace for namespace, prefix in self.prefixes.items()}
        return {"xmlns": self.default} | declared

    def element(self, namespace, name, *content, **attributes):
        attributes = {key.replace("_", "-"): value for key, value in attributes.items() if value is not None}
        return self.tag(namespace, name, attributes, content)

    def root(self, namespace, name, attributes, *content):
        return self.tag(namespace, name, self.declarations() | attributes, content)

    def tag(self, namespace, name, attributes, content):
        name, attributes = self.qualified(namespace, name, attributes)
        items = list(attributes.items())
        if chance(self.rng, 0.2):
            self.rng.shuffle(items)
        start = name + "".join(" " + self.attribute(key, value) for key, value in items)
        inner = "".join(self.around(piece) for piece in content)
        if not inner and chance(self.rng, 0.8):
            return f"<{start}/>"
        return f"<{start}{self.rng.choice(['', '', '', ' '])}>{inner}</{name}>"

    def qualified(self, namespace, name, attributes):
        if namespace == self.default and chance(self.rng, 0.8):
            return name, attributes
        if "xmlns" not in attributes and chance(self.rng, 0.05):
            return f"own:{name}", {"xmlns:own": namespace} | attributes
        return f"{self.prefixes[namespace]}:{name}", attributes

    def attribute(self, key, value):
        quote = self.rng.choice("\"\"'")
        value = value.replace("&", "&amp;").replace("<", "&lt;").replace(quote, "&#34;" if quote == '"' else "&apos;")
        return f"{key}={quote}{value}{quote}"

    def around(self, piece):
        """A piece of content; an element may have blanks and comments before it."""
        if piece.startswith("<") and chance(self.rng, 0.3):
            piece = self.rng.choice(["\n", " ", "\r\n\t", "\n    "]) + piece
        if self.comments and chance(self.rng, 0.1):
            piece = self.rng.choice(["<!-- note -->", "<!--<basic>closed</basic>-->", "<?pbx closed?>"]) + piece
        return piece

    def text(self, text):
        """Characters, written in one of the ways there are."""
        way = self.rng.random()
        if way < 0.1 and "]]>" not in text and "\r" not in text and not CONTROL.search(text):
            written = f"<![CDATA[{text}]]>"
        else:
            written = "".join(self.character(c) for c in text)
        if way > 0.9:
            written = self.rng.choice(["\n ", " ", "\t", "\r\n"]) + written + self.rng.choice(["\n", "  ", ""])
        if 0.85 < way < 0.9:
            written = "<!--a-->" + written + "<!--b-->"
        if 0.84 < way < 0.85:
            written += f"<{self.prefixes[FOREIGN]}:i>unknown</{self.prefixes[FOREIGN]}:i>"
        return written

    def character(self, c):
        if c in "&<>":
            return {"&": "&amp;", "<": "&lt;", ">": "&gt;"}[c]
        if CONTROL.match(c) or chance(self.rng, 0.01):
            return self.rng.choice([f"&#{ord(c)};", f"&#x{ord(c):x};"])
        return c


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def encode(rng, text):
    """The document's bytes, in one of the encodings that every reader of XML here knows."""
    way = rng.choice(["plain"] * 6 + ["utf-8", "bom", "latin", "latin", "ascii", "utf-16", "utf-16-bare"])
    if way == "latin":
        return f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{text}'.encode("latin-1", "xmlcharrefreplace")
    if way == "ascii":
        return f"<?xml version='1.0' encoding='us-ascii'?>{text}".encode("ascii", "xmlcharrefreplace")
    if way.startswith("utf-16"):
        declaration = '<?xml version="1.0" encoding="UTF-16"?>' if way == "utf-16" else ""
        codec, mark = rng.choice([("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")])
        return mark + (declaration + text).encode(codec)
    if way == "utf-8":
        return f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\r\n{text}'.encode()
    return (b"\xef\xbb\xbf" if way == "bom" else b"") + text.encode()


def damage(rng, document):
    """A document that is broken in one of the ways that documents break."""
    way = rng.randrange(10)
    at = rng.randrange(len(document) + 1)
    if way == 0:
        return document[:at]
    if way == 1:
        return b"<!DOCTYPE presence [<!ENTITY a 'open'>]>" + document
    if way == 2:
        return document[:at] + rng.choice([b"\x00", b"\xff", b"\xc3", b"&nbsp;", b"<", b"\x01"]) + document[at:]
    if way == 3:
        return document + rng.choice([b"x", b"<presence/>", b"\n<!-- end -->", b" "])
    if way == 4:
        return rng.choice([b"", b" \r\n", b"\n" * 70000, b"no XML", b"\xef\xbb\xbf"])
    if way == 5:
        return document + b" " * (LARGEST_DOCUMENT - len(document) + rng.randrange(2))
    if way == 6:
        return b'<?xml version="1.0" encoding="windows-1252"?>' + document
    if way == 7:
        return b" " + document
    middle = bytearray(document)
    middle[rng.randrange(len(middle))] = rng.randrange(256)
    return bytes(middle)


def nested(scribe, depth):
    """Unknown elements inside each other, `depth` of them."""
    inner = ""
    for _ in range(depth):
        inner = scribe.element(FOREIGN, "deep", inner)
    return inner


# What the random documents are about.

TOKENS = """
    dnd do-not-disturb presentation performance on-the-phone alerting meeting appointment vacation holiday
    permanent-absence travel busy working steering in-transit away breakfast lunch dinner meal shopping sleeping tv
    playing spectator worship looking-for-work unavailable available other unknown
""".split()
FREQUENT = "busy available away unavailable on-the-phone alerting meeting vacation lunch other unknown".split()
STRANGE = ["golfing", "phone-status", "Busy", "im-status"]
TIMES = ["2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z", "2026-11-20T13:30:00.250+01:00", "2026-11-20T11:00:00.5Z",
         "2026-11-20T11:59:59.9999Z", "2009-01-25T10:56:16Z", "2026-11-21t00:00:00z", "yesterday", "",
         "2026-02-30T12:00:00Z", "2026-11-20T12:00:00", "1969-12-31T23:59:59Z", "2026-11-20T12:00Z"]
PRIORITIES = [None, "0", "0.5", "0.5", "0.8", "0.80", "1", "1.0", "1.000", "0.123", "high", "", "2", "-1", "1.001",
              "0,9", "0.5000004", "0.500001", "1.0000001"]
PEERS = ["101", "bob@example.org", "+44207084", "bob", "you", "sip:8001@pbx;user=phone"]
PLAIN_NOTES = ["Back 3pm", "Board room", "", "   ", "caf\u00e9 & <b>bar</b>", "two\nlines", "tab\there",
               "\u4f1a\u8b70\u4e2d", "Talk to you at 3", "Hold on", "On the phones", "Ringing in my ears",
               "x\x7fy", "Out of office",
               "\U0001f3d6 until 5", "Ready!", "a\u0092b"]
CONTROL_NOTES = ["On\thold", "Talk\n101", "Ring 10\x7f1", "Hold 1\u0085@x"]  # decided upon when they are clean


def random_note(rng):
    way = rng.random()
    if way < 0.35:
        return random_case(rng, rng.choice(sorted(PBX_NOTES)))
    if way < 0.55:
        return random_case(rng, rng.choice(["Talk", "Ring", "Ringing", "Hold"])) + " " + rng.choice(PEERS)
    if way < 0.6:
        character = rng.choice(["e", "\u00e9", "\u20ac", "\U0001f600"])
        return character * rng.randrange(250, 1030) + rng.choice(["", "\u00e9 end"])
    return rng.choice(CONTROL_NOTES if way > 0.99 else PLAIN_NOTES)


def random_case(rng, text):
    return rng.choice([text, text.capitalize(), text.upper(), text.title()])


class PidfAuthor:
    def __init__(self, rng):
        self.rng = rng
        self.scribe = Scribe(rng, PREFIXES)
        self.rpid = rng.choice(RPID)
        self.dnd = chance(rng, 0.2)

    def rpid_namespace(self):
        return self.rpid if chance(self.rng, 0.7) else self.rng.choice(RPID)

    def some(self, *counts_and_makers):
        """For (likely counts, maker): that many of what the maker makes."""
        return [maker() for counts, maker in counts_and_makers for _ in range(self.rng.choice(counts))]

    def token(self):
        frequent = FREQUENT + ["dnd", "dnd"] if self.dnd else FREQUENT
        token = self.rng.choice(self.rng.choice([TOKENS, frequent, frequent, frequent, STRANGE]))
        if token in DND and not self.dnd:
            token = "busy"
        namespace = self.rpid_namespace()
        if chance(self.rng, 0.15):
            text = self.rng.choice([token] * 9 + ["", "Gone fishing"])
            return self.scribe.element(namespace, "activity", self.scribe.text(text))
        if chance(self.rng, 0.04):
            return self.scribe.element(self.rng.choice([FOREIGN, PIDF, DATA_MODEL]), token)
        inner = "unavailable" if token.endswith("-status") else ""
        return self.scribe.element(namespace, token, inner)

    def activities(self):
        content = self.some(([0, 1, 1, 1, 2, 2, 3], self.token), ([0] * 6 + [1], self.activity_note),
                            ([0] * 7 + [1], self.user_input), ([0] * 9 + [1], self.foreign))
        self.rng.shuffle(content)
        namespace = FOREIGN if chance(self.rng, 0.02) else self.rpid_namespace()
        return self.scribe.element(namespace, "activities", *content, id=self.rng.choice([None, None, "a1"]))

    def activity_note(self):
        return self.scribe.element(self.rpid_namespace(), "note", self.scribe.text(random_note(self.rng)))

    def note(self, likely=NOTES[0]):
        namespace = likely if chance(self.rng, 0.9) else self.rng.choice(NOTES + (FOREIGN,))
        text = self.scribe.text(random_note(self.rng))
        if chance(self.rng, 0.3):
            return self.scribe.tag(namespace, "note", {"xml:lang": self.rng.choice(["en", "de"])}, [text])
        return self.scribe.element(namespace, "note", text)

    def person_note(self):
        return self.note(DATA_MODEL)

    def user_input(self):
        text = self.rng.choice(["idle", "idle", "idle", "active", "Idle", ""])
        since = self.rng.choice([None, *TIMES])
        return self.scribe.element(self.rpid_namespace(), "user-input", self.scribe.text(text), last_input=since,
                                   idle_threshold=self.rng.choice([None, "600"]))

    def foreign(self):
        name = self.rng.choice(["basic", "note", "activities", "tuple", "servcaps", "status"])
        inner = [self.activities()] if name != "activities" and chance(self.rng, 0.3) else ["closed"]
        return self.scribe.element(FOREIGN, name, *inner)

    def timestamp(self, namespace=PIDF):
        return self.scribe.element(namespace, "timestamp", self.scribe.text(self.rng.choice(TIMES)))

    def person_timestamp(self):
        return self.timestamp(DATA_MODEL)

    def basic(self):
        word = self.rng.choice(["open"] * 120 + ["closed"] * 70 + ["away", "", "Open"])
        return self.scribe.element(PIDF, "basic", self.scribe.text(word))

    def status(self, basics, activities=(0, 0, 1)):
        content = self.some((basics, self.basic), (activities, self.activities), ([0] * 12 + [1], self.user_input))
        return self.scribe.element(PIDF, "status", *content)

    def tuple_status(self):
        return self.status([0] + [1] * 6)

    def person_status(self):
        return self.status([0, 1, 1, 1])

    def contact(self):
        return self.scribe.element(PIDF, "contact", "sip:8001@example.org", priority=self.rng.choice(PRIORITIES))

    def tuple(self):
        content = self.some(([0] + [1] * 9, self.tuple_status), ([0, 1], self.contact), ([0, 0, 1, 2], self.note),
                            ([0, 1, 1], self.timestamp), ([0, 0, 0, 1], self.activities),
                            ([0, 0, 0, 1], self.user_input), ([0] * 9 + [1], self.foreign))
        if chance(self.rng, 0.2):
            self.rng.shuffle(content)
        return self.scribe.element(PIDF, "tuple", *content, id=f"t{self.rng.randrange(4)}")

    def person(self):
        content = self.some(([0, 1, 1, 1, 2], self.activities), ([0, 0, 1, 2], self.person_note),
                            ([0, 1], self.person_timestamp), ([0, 0, 0, 1], self.user_input),
                            ([0, 0, 1], self.person_status), ([0] * 9 + [1], self.foreign))
        self.rng.shuffle(content)
        namespace = self.rng.choice([DATA_MODEL] * 12 + [*PERSON, PERSON[-1], PIDF, FOREIGN])
        return self.scribe.element(namespace, "person", *content, id=self.rng.choice([None, "p1"]))

    def device(self):
        content = self.some(([0, 1, 1], self.user_input), ([0, 0, 1], self.person_timestamp))
        return self.scribe.element(DATA_MODEL, "device", *content, id="d1")

    def deep(self):
        return nested(self.scribe, self.rng.choice([3, 30, 31, 31, 32, 40]))

    def presence(self):
        content = self.some(([0, 0, 1, 1, 1, 2], self.person), ([0, 1, 1, 1, 2, 3, 4], self.tuple),
                            ([0] * 5 + [1], self.device), ([0] * 4 + [1, 2], self.note), ([0] * 12 + [1], self.foreign),
                            ([0] * 40 + [1], self.deep))
        if chance(self.rng, 0.4):
            self.rng.shuffle(content)
        namespace, name = (PIDF, "presence") if chance(self.rng, 0.985) else (FOREIGN, "presence")
        return self.scribe.root(namespace, name, {"entity": "sip:8001@example.org"}, *content)


def random_pidf(rng=random):
    """A document of the kind that the rules are about, now and then a broken one."""
    document = encode(rng, PidfAuthor(rng).presence())
    return damage(rng, document) if chance(rng, 0.04) else document
