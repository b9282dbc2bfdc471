"""The schemas are valid and closed, agree with the vocabularies and the manual page, accept what is right and refuse
what is wrong. Needs no program.

SPDX-License-Identifier: MIT
"""

import ast
import copy
import json
import pathlib
import re
import sys

import jsonschema
import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import validate  # noqa: E402
from validate import ProtocolError, validate_error, validate_notification, validate_result  # noqa: E402

MANUAL = (ROOT / "man" / "presenced-protocol.7").read_text(encoding="utf-8")
SHARED = {"defs.json", "presence.json"}
ALL = {"read", "calls", "notes", "admin"}
T = "2026-11-20T12:00:00.123Z"


def documents(kind):
    """Names of methods ("result") or notifications ("notification") that have a schema."""
    end = f".{kind}.json"
    return sorted(name.removesuffix(end) for name in validate.schema_files() if name.endswith(end))


def subschemas(schema, where=""):
    """Every schema inside a schema that describes something (not the conditions of if, then, else and not)."""
    if isinstance(schema, dict):
        yield where, schema
        for key in ("properties", "definitions", "patternProperties"):
            for name, inner in schema.get(key, {}).items():
                yield from subschemas(inner, f"{where}/{key}/{name}")
        for key in ("oneOf", "anyOf"):
            for i, inner in enumerate(schema.get(key, [])):
                yield from subschemas(inner, f"{where}/{key}/{i}")
        yield from subschemas(schema.get("items"), f"{where}/items")


def described_objects():
    for name in validate.schema_files():
        for where, schema in subschemas(validate.load(name), name):
            if schema.get("type") == "object":
                yield where, schema


# --- samples: every field that there is -----------------------------------------------------------------------------

CALL = {"state": "connected", "direction": "in", "peer": "+442070846845", "name": "A. Caller", "since": T}
# DESIGN section 9, with its "..." filled in.
PRESENCE = {
    "user": "alice",
    "seq": 1042,
    "at": T,
    "overall": "forwarded_to_phone",
    "rich": {
        "status": "ok",
        "availability": "busy",
        "activity": "meeting",
        "note": "Board room",
        "technology": "sip",
        "source": "cups",
        "since": "2026-11-20T11:58:00.000Z",
    },
    "telephony": {
        "status": "ok",
        "mode": "forwarded_to_phone",
        "line": "busy",
        "dnd": False,
        "forward": {"kind": "phone", "target": "2099"},
        "calls": [CALL],
        "technology": "tapi",
        "source": "switch",
        "since": T,
    },
    "note": {"text": "back at three", "author": "reception", "at": T, "until": None},
}
FULL_PRESENCE = copy.deepcopy(PRESENCE)
FULL_PRESENCE["rich"]["idle_since"] = T
NOT_REQUESTED = {"status": "not_requested", "since": T}
UNKNOWN = {
    "user": "zoë",
    "seq": 1,
    "at": T,
    "overall": "unknown",
    "rich": NOT_REQUESTED,
    "telephony": {"status": "server_not_configured", "since": T},
}
TIMES = {"at": T, "observed_at": T, "valid_until": T, "epoch": 3, "rev": 911}
RICH_FACTS = {"availability": "away", "activity": "lunch", "note": "back at two", "idle_since": T}
LINE_FACTS = {"line": "busy", "dnd": False, "forward": {"kind": "phone", "target": "2099"}, "calls": [CALL]}
SOURCE = {
    "name": "switch",
    "type": "tapi",
    "technology": "tapi",
    "enabled": True,
    "status": "connection_error",
    "why": "connection refused",
    "domains": {
        "rich": {"status": "up"},
        "telephony": {"status": "connection_error", "why": "connection refused", "since": T},
    },
    "watches": 112,
    "stale": 112,
    "raw_states": 90112,
    "unwatched": 4,
    "outdated": 0,
    "verifications": 388,
    "corrections": 2,
    "unanswered": 1,
    "directory": {"added": 4, "changed": 1, "unchanged": 90, "removed": 0, "conflicts": 1, "refused": "too many would go"},
    "wrong_lamp": {"busy_ms": 340000, "any_ms": 1840000},
    "details": {"lines": 17, "refused": 0, "peer": "cups.example.com:5060 (192.0.2.1, udp)", "connections": 1,
                "frames_in": 9, "bytes_in": 5000, "bytes_out": 4000, "unsent": 0, "subscriptions": 4, "established": 4,
                "waiting": 0, "in_flight": 0, "notifies": 5, "repeated": 0, "unknown": 0, "refreshes": 1, "fetches": 1,
                "forgotten": 0, "failures": 0, "bad_messages": 1, "last_bad_message": "its head holds a NUL",
                "refused_addresses": 1, "last_refusal": "sip:a@example.com: the server does not know this address (404)",
                "bad_documents": 1, "last_bad_document": "no element found, line 1, column 0", "monitored": 16,
                "refused_lines": 1, "events": 12, "events_of_nobody": 0, "snapshots": 17, "doubts": 0,
                "stopped_monitors": 0, "strays": 0},
}
USER = {
    "id": "alice",
    "name": "Alice Liddell",
    "groups": ["sales", "first floor"],
    "addresses": {
        "extension": "2001;2002",
        "sip_uri": "sip:alice@example.com",
        "xmpp": "alice@example.com",
        "broadworks": "alice",
        "line": "2001",
        "upn": "alice@example.com",
        "webex": "alice@example.com",
        "voicemail": "8123",
        "line@switch2": "-",
    },
}
USER_IN_FULL = USER | {
    "origins": [
        {"origin": "hand", "key": "alice", "groups": ["sales", "first floor"]},
        {"origin": "file", "key": "alice", "name": "Alice Liddell", "groups": [], "addresses": USER["addresses"]},
        {"origin": "ldap", "key": "CN=Liddell\\, Alice", "name": "Liddell, Alice", "addresses": {}},
    ],
}
TAKEN = {"added": 1, "changed": 0, "unchanged": 498, "removed": 2}
REQUEST = {
    "id": 17,
    "source": "imp",
    "address": "dave@example.org",
    "name": "Dave",
    "text": "Please let me see when you are free",
    "at": T,
}
ROWS = [
    {"id": 1, "kind": "started", "at": T, "observed_until": None},
    {"id": 2, "kind": "change", "user": "alice", **{key: PRESENCE[key] for key in ("seq", "at", "overall", "rich", "telephony")}},
    {"id": 3, "kind": "change", "gap": True, **{key: UNKNOWN[key] for key in UNKNOWN}},
    {"id": 4, "kind": "renamed", "user": "alice", "from": "alicia", "at": T},
    {"id": 5, "kind": "removed", "user": "alice", "at": T},
    {"id": 6, "kind": "removed", "user": "alice", "at": T, "gap": True},
    {"id": 7, "kind": "stopped", "at": T},
    {"id": 8, "kind": "started", "at": T, "observed_until": T},
]

RESULTS = {
    "server.info": [
        {
            "name": "presenced",
            "version": "0.1.0",
            "protocol": 1,
            "instance": "4f0c2b7a91de4f0f8a35c7d2b9e16a08",
            "permissions": ["read", "calls"],
            "time": T,
        }
    ],
    "server.stats": [
        {
            "uptime_ms": 1,
            "seq": 0,
            "users": 2,
            "watched": 1,
            "watches": 2,
            "dirty": 0,
            "connections": 1,
            "raw_states": 7,
            "composed": 5,
            "published": 4,
            "loop": {"turns": 9, "stalls": 0, "longest_us": 812, "longest": longest},
            "fanout": {"delivered": 4, "serialised": 2, "ring_bytes": 8388608},
            "memory": {"rss_kib": 7000},
            "store": {"since": T, "file": "/var/lib/presenced/presenced.db", "commits": 9, "waiting": 0, "rows": 40,
                      "rows_lost": 0, **store},
            "notes": 3,
            "requests": 1,
        }
        for longest, store in (
            ("console-read", {"status": "ok"}),
            (None, {"status": "unavailable", "why": "the disk is full"}),
            (None, {"status": "returning"}),
        )
    ],
    "presence.get": [{"presences": [FULL_PRESENCE, UNKNOWN], "unknown": ["nobody", ""]}],
    "presence.subscribe": [{"instance": "4f0c", "seq": 0, "resumed": False, "unknown": ["nobody"]}],
    "presence.unsubscribe": [{}],
    "presence.explain": [
        {
            "user": "alice",
            "watched": True,
            "presence": FULL_PRESENCE,
            "states": [
                {
                    "source": "switch",
                    "technology": "tapi",
                    "domain": "telephony",
                    "address": "2001",
                    "status": "stale",
                    "why": "connection refused",
                    "age_ms": 92000,
                    **LINE_FACTS,
                    **TIMES,
                },
                {"source": "x", "technology": "xmpp", "domain": "rich", "address": "a@b", "status": "ok", **RICH_FACTS},
                {"source": "bw", "technology": "broadworks", "domain": "rich", "address": "a", "status": "requesting"},
            ],
            "trace": [
                {"about": "line", "source": "switch", "verdict": "decided", "why": "first in the order that knows it"},
                {"about": "overall", "verdict": "decided", "why": "one half is busy"},
            ],
            "demand": [
                {"by": "always"},
                {"by": "console", "pid": 4711, "uid": 1000, "account": "reception"},
                {"by": "linger"},
            ],
        }
    ],
    "users.list": [{"users": [USER, {"id": "bob", "groups": []}], "next": "bob"}, {"users": [], "next": None}],
    "users.get": [{"user": USER_IN_FULL}, {"user": {"id": "bob", "groups": []}}],
    "users.set": [{"user": USER_IN_FULL, "changed": True}],
    "users.remove": [{"removed": True, "origins": []}, {"removed": False, "origins": ["file", "ldap"]}],
    "users.rename": [{"user": USER_IN_FULL}],
    "users.import": [{"staged": 1000}, TAKEN],
    "users.sync": [TAKEN | {"conflicts": 1}],
    "notes.set": [{"note": PRESENCE["note"]}, {"note": PRESENCE["note"] | {"until": T}}],
    "notes.clear": [{"cleared": True}, {"cleared": False}],
    "history.list": [
        {"rows": ROWS, "before": before, "next": following, "now": T} for before, following in ((None, 8), (ROWS[0], None))
    ],
    "requests.list": [
        {"requests": [REQUEST, {"id": 18, "source": "imp", "address": "x", "at": T}], "next": 18},
        {"requests": [], "next": None},
    ],
    "requests.accept": [{"request": REQUEST}],
    "requests.deny": [{"request": REQUEST}],
    "contacts.add": [{"address": "dave@example.org"}],
    "contacts.remove": [{"address": "dave@example.org"}],
    "sources.list": [{"sources": [SOURCE]}],
    "sources.start": [{"name": "switch", "status": "connecting"}],
    "sources.stop": [{"name": "switch", "status": "stopped"}],
    "sources.restart": [{"name": "switch", "status": "connecting"}],
    "sources.probe": [
        {
            "name": "switch",
            "ok": False,
            "hops": [{"hop": "configuration", "ok": True}, {"hop": "connection", "ok": False, "sentence": "Away."}],
        }
    ],
    "events.subscribe": [{"topics": ["users", "sources", "requests"]}, {"topics": []}],
    "config.reload": [{"warnings": ["presenced.yaml:3:1: sources: none"], "users": TAKEN}],
    "log.level": [{}],
    "raw.subscribe": [{}],
}

NOTIFICATIONS = {
    "presence.changed": [PRESENCE, FULL_PRESENCE, UNKNOWN],
    "presence.removed": [{"user": "bob", "seq": 1050, "reason": reason} for reason in ("removed", "left")],
    "presence.synced": [{"seq": 0}],
    "users.changed": [
        {"user": "alice", "name": "Alice", "groups": ["sales"]},
        {"user": "bob", "groups": []},
        {"user": "bob", "removed": True},
    ],
    "sources.changed": [{"source": SOURCE}],
    "requests.changed": [{"request": REQUEST}, {"id": 17, "removed": True}],
    "raw.line": [
        {"source": "s", "technology": "tapi", "domain": "telephony", "address": "2001", **LINE_FACTS, **TIMES},
        {"source": "s", "technology": "tapi", "domain": "telephony", "address": "2001", "forward": {}, "at": T},
        {"source": "s", "technology": "sip", "domain": "rich", "address": "a", **RICH_FACTS, "at": T},
        {
            "source": "s",
            "technology": "sip",
            "domain": "rich",
            "address": "a",
            "status": "access_denied",
            "why": "403",
            "at": T,
        },
        {"source": "s", "technology": "sip", "source_status": "up", "domains": ["rich", "telephony"], "at": T},
        {"source": "s", "technology": "sip", "source_status": "forbidden", "domains": ["rich"], "why": "the password is wrong", "at": T},
        {"source": "s", "technology": "tapi", "resync": "begin", "domains": ["telephony"], "at": T},
        {"user": "alice", "demand": False, "at": T},
        {"lost": 12},
    ],
    "server.closing": [{"reason": "presenced is stopping"}],
}

ERRORS = [
    {"code": -32700, "message": "The line is not JSON."},
    {"code": -32602, "message": "There is no such parameter.", "data": {"field": "usrs"}},
    {"code": -32602, "message": "The configuration is not good.", "data": {"errors": ["presenced.yaml:1:1: ..."]}},
    {"code": -32001, "message": "server.stats needs the permission admin.", "data": {"needs": "admin"}},
    {"code": -32002, "message": 'There is no user "x".', "data": {"user": "x"}},
    {"code": -32002, "message": 'There is no source "x".', "data": {"source": "x"}},
    {"code": -32003, "message": "The line is longer than 1 MiB.", "data": {"limit": "1048576"}},
    {"code": -32004, "message": "It is being probed already.", "data": {"retry_after": "10"}},
    {"code": -32602, "message": 'alice: line is longer than 1024 bytes.', "data": {"field": "users", "user": "alice"}},
    {"code": -32002, "message": "There is no request 17.", "data": {"request": "17"}},
    {"code": -32005, "message": "Nothing can be kept at the moment.", "data": {"why": "the disk is full"}},
    {"code": -32006, "message": "Others have bob.", "data": {"origins": ["file"]}},
    {"code": -32006, "message": "It would remove 300 of 1000 users.", "data": {"removed": "300", "of": "1000"}},
    {"code": -32006, "message": 'There is a user "bob" already.'},
]

SAMPLES = [
    *((validate_result, name, sample) for name, samples in RESULTS.items() for sample in samples),
    *((validate_notification, name, sample) for name, samples in NOTIFICATIONS.items() for sample in samples),
    *((lambda _, error, __: validate_error(error), "error", error) for error in ERRORS),
]


# --- the schemas themselves ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", validate.schema_files())
def test_is_a_schema_of_draft_7(name):
    schema = validate.load(name)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


@pytest.mark.parametrize("name", validate.schema_files())
def test_every_reference_leads_to_something_beside_it(name):
    for reference in references(validate.load(name)):
        file, _, pointer = reference.partition("#")
        target = validate.load(file or name)
        for step in filter(None, pointer.split("/")):
            target = target[step]
        assert isinstance(target, dict)


def test_every_definition_is_used():
    used = {r.rpartition("/")[2] for name in validate.schema_files() for r in references(validate.load(name))}
    # validate_error() asks for "error"; the columns are the words of "addresses"
    assert set(validate.load("defs.json")["definitions"]) - used == {"error", "user_column"}


def test_every_object_is_closed():
    open_objects = {where for where, schema in described_objects() if schema.get("additionalProperties") is not False}
    assert open_objects == {"defs.json/definitions/source/properties/details"}


def test_every_file_is_a_method_a_notification_or_shared():
    kinds = {f"{name}.result.json" for name in documents("result")}
    kinds |= {f"{name}.notification.json" for name in documents("notification")}
    assert set(validate.schema_files()) == kinds | SHARED


# --- vocabularies -----------------------------------------------------------------------------------------------------


def x_lists(path):
    """The words of every NAME_MAP(X) list of a header, by name in small letters."""
    text = (ROOT / path).read_text(encoding="utf-8").replace("\\\n", " ")  # a list is one logical line
    lists = re.findall(r"^#define (\w+)_MAP\(X\) (.*)$", text, re.M)
    return {name.lower(): re.findall(r'\bX\(\w+,\s*"([^"]+)"', rows) for name, rows in lists}


VOCABULARIES = x_lists("daemon/model/vocab.h") | x_lists("daemon/model/user.h")


def test_the_headers_were_understood():
    assert len(VOCABULARIES) >= 14
    assert VOCABULARIES["line"] == ["idle", "ringing", "busy", "held", "offline"]
    assert all(words for words in VOCABULARIES.values())


@pytest.mark.parametrize("name", sorted(VOCABULARIES))
def test_vocabulary_is_the_one_of_the_program(name):
    assert validate.load("defs.json")["definitions"][name] == {"enum": VOCABULARIES[name]}


def test_verdicts_are_those_of_the_rules():
    rules = (ROOT / "daemon/model/rules.c").read_text(encoding="utf-8")
    rows = re.search(r"verdict_words\[[^]]*\] = \{\n(.*?)\n\};", rules, re.S).group(1)
    words = re.findall(r'\{ "(\w+)",', rows)
    assert validate.load("defs.json")["definitions"]["verdict"] == {"enum": words}


def test_addresses_are_the_columns_of_the_directory():
    columns = VOCABULARIES["user_column"]
    plain, overridden = validate.load("defs.json")["definitions"]["addresses"]["patternProperties"]
    assert plain == "^({})$".format("|".join(c for c in columns if c not in ("id", "name", "groups")))
    assert overridden == "^({})@.+$".format("|".join(c for c in columns if c != "id"))


# --- what is right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check, name, sample", SAMPLES)
def test_sample_is_valid(check, name, sample):
    check(name, sample, ALL)


def test_everything_has_a_sample():
    assert sorted(RESULTS) == documents("result")
    assert sorted(NOTIFICATIONS) == documents("notification")


def members(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner)


def test_every_field_occurs_in_a_sample():
    fields = {key for _, schema in described_objects() for key in schema.get("properties", {})}
    assert fields - {key for _, _, sample in SAMPLES for key in members(sample)} == set()


# --- what is wrong ----------------------------------------------------------------------------------------------------


def objects(value, path=()):
    """Every object in a document, by its path."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from objects(inner, path + (key,))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from objects(inner, path + (i,))


def at(document, path):
    for step in path:
        document = document[step]
    return document


@pytest.mark.parametrize("check, name, sample", SAMPLES)
def test_an_undocumented_field_is_refused_anywhere(check, name, sample):
    for path, _ in objects(sample):
        if "details" in path:
            continue
        wrong = copy.deepcopy(sample)
        at(wrong, path)["undocumented"] = 1
        with pytest.raises(ProtocolError):
            check(name, wrong, ALL)


@pytest.mark.parametrize("check, name, sample", SAMPLES)
def test_a_value_of_a_wrong_kind_is_refused_anywhere(check, name, sample):
    for path, inner in objects(sample):
        if "details" in path:
            continue
        for key in inner:
            wrong = copy.deepcopy(sample)
            at(wrong, path)[key] = 1.5  # nothing of ours is a fraction
            with pytest.raises(ProtocolError):
                check(name, wrong, ALL)


@pytest.mark.parametrize("check, name, sample", SAMPLES)
def test_a_document_that_is_no_object_is_refused(check, name, sample):
    for wrong in (None, True, "text", 7, [], [sample]):
        with pytest.raises(ProtocolError):
            check(name, wrong, ALL)


def test_what_has_no_schema_is_refused():
    for wrong in ("users.merge", "presence", "../schema/presence.get", ""):
        with pytest.raises(ProtocolError):
            validate_result(wrong, {}, ALL)
    with pytest.raises(ProtocolError):
        validate_notification("notes.changed", {})


def changed(document, path, value):
    """A copy with one member set; the value DROP takes it out."""
    copied = copy.deepcopy(document)
    inner = at(copied, path[:-1])
    if value is DROP:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copied


DROP = object()
WRONG_PRESENCES = [
    ("no user", ("user",), DROP),
    ("an id with a space", ("user",), "a lice"),
    ("an id with a control character", ("user",), "alice\n"),
    ("an id that is too long", ("user",), "x" * 129),
    ("a number that was never given", ("seq",), 0),
    ("a number as text", ("seq",), "1042"),
    ("a time with an offset", ("at",), "2026-11-20T12:00:00.123+00:00"),
    ("a time without milliseconds", ("at",), "2026-11-20T12:00:00Z"),
    ("a time with a line feed", ("at",), "2026-11-20T12:00:00.123Z\n"),
    ("a month 13", ("at",), "2026-13-20T12:00:00.123Z"),
    ("another overall", ("overall",), "red"),
    ("no overall", ("overall",), DROP),
    ("no rich half", ("rich",), DROP),
    ("no telephony half", ("telephony",), None),
    ("no status", ("rich", "status"), DROP),
    ("a status of sources", ("rich", "status"), "up"),
    ("values that nobody believes", ("rich", "status"), "error"),
    ("calls that nobody believes", ("telephony", "status"), "requesting"),
    ("no since", ("rich", "since"), DROP),
    ("an availability known to be none", ("rich", "availability"), None),
    ("an activity without an availability", ("rich", "availability"), DROP),
    ("an availability of nobody", ("rich", "source"), DROP),
    ("a source without a technology", ("rich", "technology"), DROP),
    ("a mode that forwards without a forward", ("telephony", "forward"), DROP),
    ("a mode that forwards, and a forward known to be none", ("telephony", "forward"), None),
    ("another mailbox than the mode says", ("telephony", "forward", "kind"), "voicemail"),
    ("a forward without a kind", ("telephony", "forward", "kind"), DROP),
    ("dnd that does not override", ("telephony", "dnd"), True),
    ("a mode that is not so", ("telephony", "mode"), "busy"),
    ("a line without a mode", ("telephony", "mode"), DROP),
    ("calls without a line", ("telephony", "line"), DROP),
    ("too many calls", ("telephony", "calls"), [CALL] * 17),
    ("a call without a state", ("telephony", "calls", 0, "state"), DROP),
    ("calls known to be none", ("telephony", "calls"), None),
    ("a note that is too long", ("rich", "note"), "x" * 1025),
    ("a note as text", ("note",), "back at three"),
    ("a note on the user that is too long", ("note", "text"), "x" * 1025),
    ("an empty note on the user", ("note", "text"), ""),
    ("a note on the user in two lines", ("note", "text"), "back\nat three"),
    ("a note of nobody", ("note", "author"), DROP),
    ("a note that does not say how long", ("note", "until"), DROP),
]


@pytest.mark.parametrize("why, path, value", WRONG_PRESENCES)
def test_a_wrong_presence_is_refused(why, path, value):
    with pytest.raises(ProtocolError):
        validate_notification("presence.changed", changed(PRESENCE, path, value))


WRONG = [
    (validate_result, "server.info", RESULTS["server.info"][0], ("permissions",), ["read", "root"]),
    (validate_result, "server.info", RESULTS["server.info"][0], ("permissions",), ["read", "read"]),
    (validate_result, "server.info", RESULTS["server.info"][0], ("protocol",), 2),
    (validate_result, "presence.get", RESULTS["presence.get"][0], ("presences",), [UNKNOWN] * 1001),
    (validate_result, "presence.explain", RESULTS["presence.explain"][0], ("states", 0, "note"), "of the other half"),
    (validate_result, "presence.explain", RESULTS["presence.explain"][0], ("states", 0, "rev"), DROP),
    (validate_result, "presence.explain", RESULTS["presence.explain"][0], ("trace", 0, "verdict"), "won"),
    (validate_result, "presence.explain", RESULTS["presence.explain"][0], ("demand", 0, "pid"), 1),
    (validate_result, "users.list", RESULTS["users.list"][0], ("next",), DROP),
    (validate_result, "users.get", RESULTS["users.get"][0], ("user", "addresses", "fax"), "1"),
    (validate_result, "users.get", RESULTS["users.get"][0], ("user", "addresses", "upn"), ""),
    (validate_result, "users.get", RESULTS["users.get"][0], ("user", "origins"), []),
    (validate_result, "users.get", RESULTS["users.get"][0], ("user", "origins", 0, "key"), DROP),
    (validate_result, "users.get", RESULTS["users.get"][0], ("user", "addresses"), DROP),
    (validate_result, "users.list", {"users": [USER_IN_FULL], "next": None}, ("next",), "alice"),
    (validate_result, "users.set", RESULTS["users.set"][0], ("user", "origins"), DROP),
    (validate_result, "users.rename", RESULTS["users.rename"][0], ("user", "addresses"), DROP),
    (validate_result, "users.remove", RESULTS["users.remove"][0], ("origins",), ["file"]),
    (validate_result, "users.remove", RESULTS["users.remove"][1], ("origins",), []),
    (validate_result, "users.import", RESULTS["users.import"][1], ("staged",), 3),
    (validate_result, "users.import", RESULTS["users.import"][1], ("removed",), DROP),
    (validate_result, "users.sync", RESULTS["users.sync"][0], ("conflicts",), DROP),
    (validate_result, "server.stats", RESULTS["server.stats"][0], ("store", "why"), "it is full"),
    (validate_result, "server.stats", RESULTS["server.stats"][1], ("store", "why"), DROP),
    (validate_result, "server.stats", RESULTS["server.stats"][1], ("store", "status"), "full"),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows", 0, "kind"), "stopped"),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows", 0, "user"), "alice"),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows", 0, "observed_until"), DROP),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows", 1, "telephony", "mode"), "busy"),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows", 1, "note"), None),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows", 2, "gap"), False),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows", 3, "gap"), True),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows", 3, "from"), DROP),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows", 6, "id"), 0),
    (validate_result, "history.list", RESULTS["history.list"][0], ("rows",), [ROWS[0]] * 1001),
    (validate_result, "history.list", RESULTS["history.list"][0], ("before",), DROP),
    (validate_result, "requests.list", RESULTS["requests.list"][0], ("requests", 1, "at"), DROP),
    (validate_result, "sources.list", RESULTS["sources.list"][0], ("sources", 0, "domains"), {}),
    (validate_result, "sources.list", RESULTS["sources.list"][0], ("sources", 0, "domains"), {"fax": {"status": "up"}}),
    (validate_result, "sources.list", RESULTS["sources.list"][0], ("sources", 0, "wrong_lamp", "any_ms"), -1),
    (validate_result, "sources.list", RESULTS["sources.list"][0], ("sources", 0, "details", "password"), ["x"]),
    (validate_result, "sources.probe", RESULTS["sources.probe"][0], ("ok",), True),
    (validate_result, "sources.probe", RESULTS["sources.probe"][0], ("hops", 0, "sentence"), "It is in order."),
    (validate_result, "sources.probe", RESULTS["sources.probe"][0], ("hops", 1, "sentence"), DROP),
    (validate_notification, "presence.removed", NOTIFICATIONS["presence.removed"][0], ("reason",), "gone"),
    (validate_notification, "users.changed", NOTIFICATIONS["users.changed"][0], ("removed",), True),
    (validate_notification, "users.changed", NOTIFICATIONS["users.changed"][2], ("removed",), False),
    (validate_notification, "requests.changed", NOTIFICATIONS["requests.changed"][0], ("id",), 17),
    (validate_notification, "requests.changed", NOTIFICATIONS["requests.changed"][1], ("removed",), False),
    (validate_notification, "raw.line", NOTIFICATIONS["raw.line"][0], ("at",), DROP),
    (validate_notification, "raw.line", NOTIFICATIONS["raw.line"][0], ("availability",), "busy"),
    (validate_notification, "raw.line", NOTIFICATIONS["raw.line"][0], ("status",), "not_requested"),
    (validate_notification, "raw.line", NOTIFICATIONS["raw.line"][4], ("domains",), []),
    (lambda _, error, __: validate_error(error), "error", ERRORS[0], ("code",), -1),
    (lambda _, error, __: validate_error(error), "error", ERRORS[3], ("data",), {"field": "needs"}),
    (lambda _, error, __: validate_error(error), "error", ERRORS[6], ("data", "limit"), 1048576),
    (lambda _, error, __: validate_error(error), "error", ERRORS[10], ("data",), DROP),
    (lambda _, error, __: validate_error(error), "error", ERRORS[10], ("data",), {"field": "text"}),
    (lambda _, error, __: validate_error(error), "error", ERRORS[11], ("data", "origins"), []),
    (lambda _, error, __: validate_error(error), "error", ERRORS[11], ("code",), -32004),
    (lambda _, error, __: validate_error(error), "error", ERRORS[12], ("data", "of"), DROP),
]


@pytest.mark.parametrize("check, name, sample, path, value", WRONG)
def test_wrong_ones_are_refused(check, name, sample, path, value):
    with pytest.raises(ProtocolError):
        check(name, changed(sample, path, value), ALL)


# --- permissions ------------------------------------------------------------------------------------------------------

RIGHT_WITHOUT_CALLS = changed(changed(PRESENCE, ("telephony", "calls"), DROP), ("telephony", "forward", "target"), DROP)


def test_without_calls_a_presence_shows_neither_calls_nor_the_target():
    validate_notification("presence.changed", RIGHT_WITHOUT_CALLS, {"read", "admin"})
    for path, value in ((("telephony", "calls"), []), (("telephony", "forward", "target"), "2099")):
        with pytest.raises(ProtocolError, match="permission calls"):
            validate_notification("presence.changed", changed(RIGHT_WITHOUT_CALLS, path, value), {"read", "admin"})
        validate_notification("presence.changed", changed(RIGHT_WITHOUT_CALLS, path, value), {"calls"})


def test_without_calls_they_are_absent_wherever_they_could_appear():
    with_calls = [row for row in SAMPLES if {"calls", "target"} & set(members(row[2]))]
    assert {name for _, name, _ in with_calls} == \
        {"presence.get", "presence.explain", "presence.changed", "history.list", "raw.line"}
    for check, name, sample in with_calls:
        with pytest.raises(ProtocolError, match="permission calls"):
            check(name, sample, ALL - {"calls"})


def test_without_calls_rows_of_history_show_neither_calls_nor_the_target():
    right = changed(RESULTS["history.list"][0], ("rows", 1, "telephony"), RIGHT_WITHOUT_CALLS["telephony"])
    validate_result("history.list", right, {"read", "notes", "admin"})
    for path, value in ((("telephony", "calls"), []), (("telephony", "forward", "target"), "2099")):
        for row in (("rows", 1), ("before",)):
            wrong = changed(changed(right, ("before",), right["rows"][1]), row + path, value)
            with pytest.raises(ProtocolError, match="permission calls"):
                validate_result("history.list", wrong, {"read", "notes", "admin"})
            validate_result("history.list", wrong, {"read", "calls"})


def test_without_admin_addresses_and_origins_are_absent():
    for method in ("users.get", "users.list"):
        with pytest.raises(ProtocolError, match="permission admin"):
            validate_result(method, RESULTS[method][0], ALL - {"admin"})
    with pytest.raises(ProtocolError, match="origins is shown without permission admin"):
        validate_result("users.remove", RESULTS["users.remove"][0], ALL - {"admin"})
    validate_result("users.get", {"user": {"id": "alice", "groups": []}}, {"read"})


# --- the manual page --------------------------------------------------------------------------------------------------


def section(title):
    return re.search(rf"^\.Sh {title}\n(.*?)(?=^\.Sh )", MANUAL, re.M | re.S).group(1)


def displays(text):
    return re.findall(r"^\.Bd -literal\n(.*?)^\.Ed", text, re.M | re.S)


def examples():
    """Each display of the page that shows lines of a session: [(who, object)]."""
    for display in displays(MANUAL):
        lines = re.sub(r"\n {4}", "", display).splitlines()
        if all(re.match(r"[CS]: ", line) for line in lines):
            yield [(line[0], json.loads(line[3:])) for line in lines]


def test_every_line_of_the_daemon_in_the_manual_is_valid():
    methods, permissions, seen = {}, ALL, 0
    for who, message in (line for session in examples() for line in session):
        assert message.pop("jsonrpc") == "2.0"
        if who == "C":
            methods[message["id"]] = message["method"]
            assert set(message) <= {"id", "method", "params"}
            continue
        seen += 1
        if "method" in message:
            assert set(message) == {"method", "params"}
            validate_notification(message["method"], message["params"], permissions)
        elif "error" in message:
            validate_error(message["error"])
        else:
            validate_result(methods[message["id"]], message["result"], permissions)
            permissions = set(message["result"].get("permissions", permissions))
            if methods[message["id"]] == "presence.explain":  # the second session is another connection
                permissions = ALL
        assert "error" in message or set(message) in ({"id", "result"}, {"method", "params"})
    assert seen >= 10


def test_the_sessions_of_the_manual_go_on_in_order():
    for session in ("A SESSION", "RESUMING"):
        lines = [json.loads(s[3:]) for d in displays(section(session)) for s in re.sub(r"\n {4}", "", d).splitlines()]
        numbers = [m["params"]["seq"] for m in lines if m.get("method", "").startswith("presence.") and "id" not in m]
        assert numbers == sorted(numbers) and len(numbers) >= 2


def test_every_method_and_notification_is_in_the_manual_and_nothing_else():
    assert sorted(re.findall(r"^\.Ss (\S+)$", section("METHODS"), re.M)) == documents("result")
    assert sorted(re.findall(r"^\.Ss (\S+)$", section("NOTIFICATIONS"), re.M)) == documents("notification")


def test_every_method_says_its_permission_parameters_and_result():
    for name, text in re.findall(r"^\.Ss (\S+)\n(.*?)(?=^\.Ss |\Z)", section("METHODS"), re.M | re.S):
        assert text.startswith("Permission"), name
        for word in ("arameters", "esult"):
            assert word in text, name


def documented_fields(text):
    rows = re.findall(r"^\.It Va (.+?) Pq .*$", text, re.M)
    return {field for row in rows for field in row.split(" , ")}


def test_every_field_is_in_the_manual():
    fields = {key for _, schema in described_objects() for key in schema.get("properties", {})}
    assert fields - documented_fields(MANUAL) == set()


def test_the_manual_documents_no_field_that_there_is_not():
    fields = {key for _, schema in described_objects() for key in schema.get("properties", {})}
    parameters = {"users", "wait", "groups", "all", "since", "demand", "user", "after", "limit", "name", "topics", "on"}
    parameters |= {"level", "subsystem", "from", "to", "more", "replace", "force", "dry_run"}
    assert documented_fields(MANUAL) - fields - parameters == set()


@pytest.mark.parametrize("name", sorted(set(VOCABULARIES) - {"domain", "user_column", "permission"}) + ["verdict"])
def test_every_word_is_in_the_manual_under_its_vocabulary(name):
    title = {"state_status": "Status"}.get(name, name.replace("_", " ").capitalize())
    text = re.search(rf"^\.Ss {title}\n(.*?)(?=^\.S[sh] )", MANUAL, re.M | re.S).group(1)
    words = validate.load("defs.json")["definitions"][name]["enum"]
    assert re.findall(r"^\.It Cm (\S+)$", text, re.M) == words


def test_the_other_words_are_in_the_manual():
    permissions = re.search(r"^\.Ss Permissions\n(.*?)(?=^\.Ss )", MANUAL, re.M | re.S).group(1)
    assert re.findall(r"^\.It Cm (\S+)$", permissions, re.M) == VOCABULARIES["permission"]
    for column in VOCABULARIES["user_column"]:
        assert re.search(rf"\bVa {column}\b", MANUAL), column


def test_every_code_is_in_the_manual():
    codes = validate.load("defs.json")["definitions"]["error"]["properties"]["code"]["enum"]
    assert [int(code) for code in re.findall(r"^\.It \\(-\d+)$", section("ERROR CODES"), re.M)] == codes


def test_the_python_example_can_be_found_and_is_python():
    name, text = re.search(r'^\.\\" BEGIN EXAMPLE (\S+)\n(.*?)^\.\\" END EXAMPLE \1$', MANUAL, re.M | re.S).groups()
    (program,) = displays(text)
    assert name == "console.py"
    assert "\\" not in program  # so that it stands here as it is run
    ast.parse(program)
