"""What rows of history must hold, and how long each word was observed, stated a second time.

Written from the protocol alone, independently of the daemon and of presencectl.

    check("alice", rows, kills=[..])   raises HistoryError where a rule is broken
    fold(rows, before, start, end)     the summary of `presencectl --json history`

`rows` are those of ONE user, as history.list gives them, all pages, oldest first. Times are wall milliseconds.

SPDX-License-Identifier: MIT
"""

import datetime
import re

OVERALL = {"dnd", "forwarded_to_voicemail", "forwarded_to_phone", "busy", "available", "available_idle", "away",
           "offline", "unknown"}
AVAILABILITY = {"available", "available_idle", "away", "busy", "busy_idle", "dnd", "offline"}
ACTIVITY = set("appointment away breakfast busy dinner holiday in-transit looking-for-work lunch meal meeting on-the-phone"
               " other performance permanent-absence playing presentation shopping sleeping spectator steering travel tv"
               " unknown vacation working worship".split())
LINE = {"idle", "ringing", "busy", "held", "offline"}
MODE = {"available", "busy", "dnd", "offline", "forwarded_to_voicemail", "forwarded_to_phone"}
STATUS = {"ok", "stale", "access_denied", "not_found", "error", "requesting", "not_requested", "not_configured_for_user",
          "server_not_configured"}
TECHNOLOGY = {"sip", "xmpp", "broadworks", "tapi", "msteams", "webex", "sfb", "calendar"}
CALL_STATE = {"dialing", "ringing", "connected", "held"}
SHOWN = {"ok", "stale"}  # of other statuses nothing but the status is shown

WORDS = {
    "rich": {"status": STATUS, "availability": AVAILABILITY, "activity": ACTIVITY, "technology": TECHNOLOGY},
    "telephony": {"status": STATUS, "mode": MODE, "line": LINE, "technology": TECHNOLOGY},
}
HALF_KEYS = {
    "rich": {"status", "since", "availability", "activity", "note", "idle_since", "technology", "source"},
    "telephony": {"status", "since", "mode", "line", "dnd", "forward", "calls", "technology", "source"},
}
NEEDED = {
    "change": {"id", "kind", "user", "seq", "at", "overall", "rich", "telephony"},
    "started": {"id", "kind", "at", "observed_until"},
    "stopped": {"id", "kind", "at"},
    "removed": {"id", "kind", "user", "at"},
    "renamed": {"id", "kind", "user", "from", "at"},
}
ALLOWED = {"change": {"gap"}, "removed": {"gap"}}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class HistoryError(AssertionError):
    """A row that may not be there, or may not look so."""


def ms(text):
    """Wall milliseconds of a time as the protocol writes it."""
    if not TIME.fullmatch(text):
        raise HistoryError(f"{text!r} is no time")
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def need(condition, row, what):
    if not condition:
        raise HistoryError(f"{what}: {row}")


# ---- one row --------------------------------------------------------------------------------


def check_half(row, domain):
    half = row[domain]
    need(set(half) <= HALF_KEYS[domain], row, f"{domain} has keys {sorted(set(half) - HALF_KEYS[domain])}")
    need("status" in half and "since" in half, row, f"{domain} without status or since")
    ms(half["since"])
    for key, words in WORDS[domain].items():
        if key == "activity" and half.get(key) is None:
            continue
        need(key not in half or half[key] in words, row, f"{domain}.{key} is no word")
    if half["status"] not in SHOWN:
        need(set(half) == {"status", "since"}, row, f"{domain} is {half['status']} and shows facts")


def check_words(row):
    need(row["overall"] in OVERALL, row, "overall is no word")
    check_half(row, "rich")
    check_half(row, "telephony")
    forward = row["telephony"].get("forward")
    need(forward is None or forward.get("kind") in ("voicemail", "phone"), row, "forward.kind is no word")
    for call in row["telephony"].get("calls", ()):
        need(call.get("state") in CALL_STATE, row, "a call's state is no word")
        need(call.get("direction", "in") in ("in", "out"), row, "a call's direction is no word")


def check_shape(user, row):
    kind = row.get("kind")
    need(kind in NEEDED, row, "no such kind")
    need(NEEDED[kind] <= set(row) <= NEEDED[kind] | ALLOWED.get(kind, set()), row, f"keys of {kind}")
    need(row.get("user", user) == user, row, f"not about {user}")
    need(row.get("gap", True) is True, row, "gap is true or absent")
    ms(row["at"])
    if kind == "change":
        check_words(row)


# ---- all rows -------------------------------------------------------------------------------


def state_of(row):
    """What a change says, but for since when."""
    halves = {domain: {key: value for key, value in row[domain].items() if key != "since"} for domain in WORDS}
    return {"overall": row["overall"]} | halves


def check_started(row, kills):
    if row["observed_until"] is None:
        return
    until, at = ms(row["observed_until"]), ms(row["at"])
    need(until <= at, row, "observed until after it started")
    before = [kill for kill in kills if kill <= at]
    need(not before or until <= max(before), row, f"observed although it was killed at {max(before, default=0)}")


def check(user, rows, kills=(), calls=True):
    """`kills`: when the daemon was surely dead, wall ms. `calls`: the rows show calls, so that equal ones are equal."""
    last_id = last_seq = 0
    before = None  # state of the change that this row must differ from
    for row in rows:
        check_shape(user, row)
        need(row["id"] > last_id, row, f"ids do not rise after {last_id}")
        last_id = row["id"]
        kind = row["kind"]
        if kind == "change":
            need(row["seq"] > last_seq, row, f"seq does not rise after {last_seq}")
            last_seq = row["seq"]
            need(not calls or "gap" in row or state_of(row) != before, row, "says what the change before it said")
            before = state_of(row)
        else:
            before = None
        if kind == "started":
            check_started(row, kills)
            last_seq = 0


# ---- how long -------------------------------------------------------------------------------

UNOBSERVED = {"overall": None, "line": None, "availability": None}


def words_of(row):
    """The word of each column that a change says was observed; None: not observed."""
    rich, telephony = row["rich"], row["telephony"]
    return {
        "overall": row["overall"] if "ok" in (rich["status"], telephony["status"]) else None,
        "line": telephony.get("line") if telephony["status"] == "ok" else None,
        "availability": rich.get("availability") if rich["status"] == "ok" else None,
    }


def spans(rows, before, end):
    """(from, to, words) from row to row; what is in no span was not observed."""
    opened, words = (None, UNOBSERVED) if before is None or before["kind"] != "change" else (0, words_of(before))
    for row in rows:
        at = ms(row["at"])
        if row["kind"] == "renamed":
            continue
        closed = at
        if row["kind"] == "started":
            closed = 0 if row["observed_until"] is None else min(at, ms(row["observed_until"]))
        if opened is not None and "gap" not in row:
            yield opened, closed, words
        opened, words = (at, words_of(row)) if row["kind"] == "change" else (None, UNOBSERVED)
    if opened is not None:
        yield opened, end, words


def fold(rows, before, start, end):
    """Milliseconds between `start` and `end` that each word was observed, and that none was.

    The row behind `end` belongs to `rows` if there is one: it may say that what was open had ended before.
    """
    total = {column: {} for column in UNOBSERVED}
    for begin, stop, words in spans(rows, before, end):
        length = min(stop, end) - max(begin, start)
        for column, word in words.items():
            if word is not None and length > 0:
                total[column][word] = total[column].get(word, 0) + length
    return total | {"unobserved": {column: end - start - sum(total[column].values()) for column in UNOBSERVED}}
