"""The presence rules, stated a second time.

This is `presenced rules`, section 5, written from the rules alone and
independently of the program, so that the tests can hold one against the other.
It is meant to be read beside the rules: tables stay tables, one function a rule.

    compose(raw_states, config) -> composed presence

`raw_states` are the raw lines of ONE user, oldest first, as dicts.
`config` has the keys of presenced.yaml that matter here, all optional but `sources`:

    {"sources": [{"name": "cups", "technology": "sip"}, ...],
     "rules":   {"rich": {"winning": .., "order": [..]}, "telephony": {"order": [..]},
                 "voicemail_pilots": [..],
                 "on_the_phone_is_dnd": bool, "in_a_meeting_is_dnd": bool},
     "numbers": {...},
     "users":   {user id: own voicemail number}}

A key that is absent means not known, None means known to be none.
"""

import numbers_model

RICH_WINNING = "sip"
RICH_ORDER = ["sip", "msteams", "sfb", "webex", "xmpp", "broadworks", "tapi", "calendar"]
TELEPHONY_ORDER = ["tapi", "broadworks", "sip"]

USABLE = ("ok", "stale")

MOST_TELLING_FIRST = [
    "access_denied", "not_found", "error", "stale", "requesting",
    "not_requested", "not_configured_for_user", "server_not_configured",
]

UNKNOWN = "unknown"
ANY = {"any"}

# The mode table. First row that holds; the last column names the fact that decided.
MODES = [
    # dnd             forward                line                         mode                      decided by
    ({True},          ANY,                   ANY,                         "dnd",                    "dnd"),
    ({False, UNKNOWN}, {"voicemail"},        ANY,                         "forwarded_to_voicemail", "forward"),
    ({False, UNKNOWN}, {"phone"},            ANY,                         "forwarded_to_phone",     "forward"),
    ({False, UNKNOWN}, {"none", UNKNOWN},    {"offline"},                 "offline",                "line"),
    ({False, UNKNOWN}, {"none", UNKNOWN},    {"busy", "held", "ringing"}, "busy",                   "line"),
    ({False, UNKNOWN}, {"none", UNKNOWN},    {"idle"},                    "available",              "line"),
    ({False, UNKNOWN}, {"none", UNKNOWN},    {UNKNOWN},                   None,                     None),
]

MEETINGS = ("meeting", "appointment", "presentation")


def compose(raw_states, config):
    user = raw_states[0]["user"]
    states = latest(raw_states)
    rich = compose_rich(of_domain("rich", states), config)
    telephony = compose_telephony(of_domain("telephony", states), config, user)
    return {
        "user": user,
        "overall": overall(rich, telephony, config.get("rules", {})),
        "rich": rich,
        "telephony": telephony,
    }


# ---- which states, in which order -------------------------------------------------------

def latest(raw_states):
    """All that one source last said in one domain: a newer state replaces the older whole."""
    newest = {}
    for state in raw_states:
        newest[state["source"], state["domain"]] = state
    return list(newest.values())


def of_domain(domain, states):
    return [s for s in states if s["domain"] == domain]


def status(state):
    return state.get("status", "ok")


def usable(states):
    return [s for s in states if status(s) in USABLE]


def matches(word, state):
    """`winning` and the entries of an order are a source's name or a technology."""
    return word in (state["source"], state["technology"])


def place_in_order(state, order):
    """The entry that is the source's own name goes before the one that is its technology."""
    for word in (state["source"], state["technology"]):
        if word in order:
            return order.index(word)
    return len(order)


def place_in_sources(state, config):
    names = [source["name"] for source in config["sources"]]
    return names.index(state["source"]) if state["source"] in names else len(names)


def first(states, rank):
    return min(states, key=rank, default=None)


# ---- what a half says when nothing decided it -------------------------------------------

def status_without_decider(states, config):
    if usable(states):
        return "ok" if any(status(s) == "ok" for s in states) else "stale"
    if states:
        return min((status(s) for s in states), key=MOST_TELLING_FIRST.index)
    # Nobody said anything. Any source of the tests serves both halves.
    return "not_requested" if config["sources"] else "server_not_configured"


def decided_by(state):
    """A half that a stale state decided is stale and still shows its values."""
    return {"status": status(state), "technology": state["technology"], "source": state["source"]}


# ---- rich -------------------------------------------------------------------------------

def compose_rich(states, config):
    rules = config.get("rules", {}).get("rich", {})
    winning = rules.get("winning", RICH_WINNING)
    order = rules.get("order", RICH_ORDER)

    def rank(state):
        return (not matches(winning, state), place_in_order(state, order), place_in_sources(state, config))

    # Only who knows an availability competes: `offline` is a word, an empty answer is not.
    winner = first([s for s in usable(states) if s.get("availability") is not None], rank)
    if winner is None:
        return {"status": status_without_decider(states, config)}

    # All four from the winner; nothing is mixed in from a loser.
    said = {key: winner[key] for key in ("availability", "activity", "note", "idle_since") if key in winner}
    return decided_by(winner) | said


# ---- telephony --------------------------------------------------------------------------

def compose_telephony(states, config, user):
    givers = {fact: giver_of(fact, states, config) for fact in ("line", "dnd", "forward")}
    half = known_facts(givers, config, user)
    mode, deciding_fact = mode_of(half)
    if mode is None:
        return half | {"status": status_without_decider(states, config)}
    return half | {"mode": mode} | decided_by(givers[deciding_fact])


def giver_of(fact, states, config):
    """The first usable state, in the order of the rules, that knows this fact."""
    order = config.get("rules", {}).get("telephony", {}).get("order", TELEPHONY_ORDER)

    def rank(state):
        return (place_in_order(state, order), place_in_sources(state, config))

    return first([s for s in usable(states) if knows(fact, s)], rank)


def knows(fact, state):
    if fact == "forward":
        return "forward" in state  # None: known to have no forward
    return state.get(fact) is not None


def known_facts(givers, config, user):
    half = {fact: giver[fact] for fact, giver in givers.items() if giver is not None}
    if half.get("forward") is not None:
        half["forward"] = published_forward(half["forward"], config, user)
    if givers["line"] is not None and "calls" in givers["line"]:
        half["calls"] = givers["line"]["calls"]
    return half


def published_forward(forward, config, user):
    published = {"kind": "voicemail" if leads_to_voicemail(forward, config, user) else "phone"}
    if "target" in forward:
        published["target"] = forward["target"]
    return published


def leads_to_voicemail(forward, config, user):
    if forward.get("kind") == "voicemail":
        return True
    own = config.get("users", {}).get(user)
    pilots = config.get("rules", {}).get("voicemail_pilots", [])
    voicemails = ([own] if own else []) + pilots
    return "target" in forward and any(
        numbers_model.equal(forward["target"], number, config.get("numbers")) for number in voicemails)


def mode_of(half):
    dnd = half.get("dnd", UNKNOWN)
    forward = forward_word(half)
    line = half.get("line", UNKNOWN)
    for dnds, forwards, lines, mode, deciding_fact in MODES:
        if dnd in dnds and (forwards is ANY or forward in forwards) and (lines is ANY or line in lines):
            return mode, deciding_fact
    raise AssertionError(f"no row of the mode table holds for {half}")


def forward_word(half):
    if "forward" not in half:
        return UNKNOWN
    return "none" if half["forward"] is None else half["forward"]["kind"]


# ---- overall ----------------------------------------------------------------------------

def overall(rich, telephony, rules):
    said = rich.get("availability")
    mode = telephony.get("mode")
    if "dnd" in (said, mode):
        return "dnd"
    if mode in ("forwarded_to_voicemail", "forwarded_to_phone"):
        return mode
    if said in ("busy", "busy_idle") or mode == "busy":
        return "dnd" if busy_is_dnd(rich, telephony, rules) else "busy"
    if said not in (None, "offline"):
        return said
    if mode is not None:
        return mode  # a closed chat client does not hide a free telephone
    if said == "offline":
        return "offline"
    return "unknown"


def busy_is_dnd(rich, telephony, rules):
    """The two switches; they change overall only where it is `busy`."""
    activity = rich.get("activity")
    on_the_phone = telephony.get("line") in ("busy", "held") or activity == "on-the-phone"
    in_a_meeting = activity in MEETINGS
    return ((rules.get("on_the_phone_is_dnd", False) and on_the_phone)
            or (rules.get("in_a_meeting_is_dnd", False) and in_a_meeting))
