"""The model of the rules agrees with the verdicts of the corpus. Needs no program."""

import json
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parent / "corpus" / "rules"
sys.path.insert(0, str(HERE))

import numbers_model  # noqa: E402
import rules_model  # noqa: E402


def load(name):
    with open(CORPUS / name, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


RULES = load("rules.jsonl")
NUMBERS = load("numbers.jsonl")[0]["numbers"]
PAIRS = load("numbers.jsonl")[1:]

SOURCES = [
    {"name": "cups", "technology": "sip"},
    {"name": "imp", "technology": "xmpp"},
    {"name": "bw", "technology": "broadworks"},
    {"name": "switch", "technology": "tapi"},
    {"name": "pbx2", "technology": "sip"},
]


def compose(*raw, **rules):
    config = {"sources": SOURCES, "rules": {"voicemail_pilots": ["8000"]} | rules, "users": {"u": "8123"}}
    return rules_model.compose([{"user": "u"} | state for state in raw], config)


def rich(source, **facts):
    return said("rich", source, facts)


def telephony(source, **facts):
    return said("telephony", source, facts)


def said(domain, source, facts):
    technology = {s["name"]: s["technology"] for s in SOURCES}[source]
    return {"source": source, "technology": technology, "domain": domain} | facts


@pytest.mark.parametrize("verdict", RULES, ids=lambda v: v["why"])
def test_verdict_of_the_rules(verdict):
    got = compose(*verdict["raw"])
    assert got["overall"] == verdict["expect"]["overall"]
    for half in ("rich", "telephony"):
        for key, expected in verdict["expect"].get(half, {}).items():
            assert got[half].get(key) == expected, (half, key)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: f"{p['a']} | {p['b']}")
def test_verdict_of_the_numbers(pair):
    assert numbers_model.equal(pair["a"], pair["b"], NUMBERS) is pair["equal"]
    assert numbers_model.equal(pair["b"], pair["a"], NUMBERS) is pair["equal"]


@pytest.mark.parametrize("text", sorted({p["a"] for p in PAIRS} | {p["b"] for p in PAIRS}))
def test_a_number_equals_itself(text):
    assert numbers_model.equal(text, text, NUMBERS)
    assert numbers_model.equal(text, text)


# What the corpus is silent about, in full: every published key is compared.

HALVES = [
    ("a half that nobody spoke of",
     compose(rich("cups", availability="away"))["telephony"],
     {"status": "not_requested"}),
    ("known to be none is published as none",
     compose(rich("cups", availability="away", note=None, activity=None))["rich"],
     {"status": "ok", "availability": "away", "note": None, "activity": None,
      "technology": "sip", "source": "cups"}),
    ("a stale winner makes the half stale",
     compose(rich("cups", status="stale", availability="away"), rich("imp", availability="busy"))["rich"],
     {"status": "stale", "availability": "away", "technology": "sip", "source": "cups"}),
    ("no decider, one usable state is fresh",
     compose(telephony("cups", status="stale"), telephony("switch"))["telephony"],
     {"status": "ok"}),
    ("no decider, all usable states are stale",
     compose(telephony("cups", status="stale", dnd=False), telephony("switch", status="error"))["telephony"],
     {"status": "stale", "dnd": False}),
    ("facts beside an unusable status do not count",
     compose(telephony("switch", status="error", line="busy"), telephony("bw", line="idle"))["telephony"],
     {"status": "ok", "mode": "available", "line": "idle", "technology": "broadworks", "source": "bw"}),
    ("a source's own name goes before its technology",
     compose(telephony("pbx2", line="busy"), telephony("cups", line="idle"),
             telephony={"order": ["pbx2", "sip"]})["telephony"],
     {"status": "ok", "mode": "busy", "line": "busy", "technology": "sip", "source": "pbx2"}),
    ("a source's own name, listed after its technology, puts it behind the others",
     compose(rich("cups", availability="busy"), rich("pbx2", availability="away"),
             rich={"winning": "xmpp", "order": ["sip", "cups"]})["rich"],
     {"status": "ok", "availability": "away", "technology": "sip", "source": "pbx2"}),
    ("the winning source goes before the order",
     compose(rich("cups", availability="busy"), rich("pbx2", availability="away"),
             rich={"winning": "pbx2"})["rich"],
     {"status": "ok", "availability": "away", "technology": "sip", "source": "pbx2"}),
    ("DND decided; forward, line and calls are published as well",
     compose(telephony("switch", line="busy", calls=[{"state": "connected"}], dnd=None),
             telephony("cups", dnd=True, forward={"target": "8123"}, calls=[]))["telephony"],
     {"status": "ok", "mode": "dnd", "dnd": True, "line": "busy", "calls": [{"state": "connected"}],
      "forward": {"kind": "voicemail", "target": "8123"}, "technology": "sip", "source": "cups"}),
]


@pytest.mark.parametrize("got, expected", [h[1:] for h in HALVES], ids=[h[0] for h in HALVES])
def test_a_whole_half(got, expected):
    assert got == expected


PHONE = {"on_the_phone_is_dnd": True}
MEETING = {"in_a_meeting_is_dnd": True}

OVERALL = [
    # switches  rich                             telephony                          overall
    (PHONE,   {"availability": "available"},   {"line": "busy"},                  "dnd"),
    (PHONE,   {"availability": "available"},   {"line": "ringing"},               "busy"),
    (PHONE,   {"availability": "busy", "activity": "on-the-phone"}, {},           "dnd"),
    (PHONE,   {"availability": "busy", "activity": "meeting"}, {"line": "idle"},  "busy"),
    (PHONE,   {"availability": "away", "activity": "on-the-phone"}, {},           "away"),
    (PHONE,   {"availability": "away"}, {"line": "busy", "forward": {}},          "forwarded_to_phone"),
    (MEETING, {"availability": "busy_idle", "activity": "presentation"}, {},      "dnd"),
    (MEETING, {"availability": "available", "activity": "appointment"}, {"line": "ringing"}, "dnd"),
    (MEETING, {"availability": "available", "activity": "meeting"}, {"line": "idle"}, "available"),
    (MEETING, {"availability": "busy"}, {"line": "busy"},                         "busy"),
]


@pytest.mark.parametrize("switches, person, phone, expected", OVERALL)
def test_overall_with_switches(switches, person, phone, expected):
    got = compose(rich("cups", **person), telephony("switch", **phone), **switches)
    assert got["overall"] == expected
