"""The program's rules against the verdicts of the corpus and against the model.

`presencectl compose` runs the real rules over raw states on its standard input. Every
case is a user of its own, so that one run of the program decides thousands of cases:

  1. the verdicts of tests/corpus/rules/rules.jsonl,
  2. the verdicts of tests/corpus/rules/numbers.jsonl, as forwards to a voicemail number,
  3. the small state spaces, whole, against the model (about 200,000 cases),
  4. larger random cases against the model.

PRESENCED_BUILD  the folder with presencectl (default: build/ of this repository)
SEED             repeats a random run; it is printed, and shown with every mismatch
"""

import csv
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
from dataclasses import dataclass

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
CORPUS = TESTS / "corpus" / "rules"
PROGRAM = pathlib.Path(os.environ.get("PRESENCED_BUILD", TESTS.parent / "build")) / "presencectl"
sys.path.insert(0, str(TESTS / "model"))

import rules_model  # noqa: E402

CASES_A_RUN = 20_000  # bounds the memory of a run under a sanitizer
MISMATCHES_SHOWN = 3
TIMES = ("since", "at")  # not the business of the rules

OWN_VOICEMAIL = "8123"
PILOT = "8000"


# ---- running the program ----------------------------------------------------------------

@dataclass
class Case:
    """The raw states of one user, oldest first, without the user's id."""
    raw: list
    voicemail: str | None = None
    user: str = ""

    def lines(self):
        return [{"user": self.user} | state for state in self.raw]


def source(name, technology):
    return {"name": name, "technology": technology}


def run_compose(folder, config, cases, deal=None):
    """Composes all cases in one run; `deal` mixes the users' lines (each user's stay in order)."""
    for number, case in enumerate(cases):
        case.user = case.user or f"u{number}"
    config["users"] = {case.user: case.voicemail for case in cases}
    path = write_config(folder, config)

    lines = [(case.user, json.dumps(line, ensure_ascii=False)) for case in cases for line in case.lines()]
    if deal is not None:
        lines = mixed(lines, deal)
    done = subprocess.run([PROGRAM, "compose", "--config", path], text=True, encoding="utf-8",
                          input="".join(text + "\n" for _, text in lines), capture_output=True)
    if done.returncode != 0:
        pytest.fail(f"presencectl compose: exit status {done.returncode}\n"
                    f"{done.stderr[-4000:]}\nconfig:\n{path.read_text(encoding='utf-8')}", pytrace=False)

    presences = [json.loads(line, object_pairs_hook=unique_keys) for line in done.stdout.splitlines()]
    users = list(dict.fromkeys(user for user, _ in lines))
    assert [p.get("user") for p in presences] == users, "one line a user, in the order of their first lines"
    by_user = {p["user"]: without_times(p) for p in presences}
    return [by_user[case.user] for case in cases]


def mixed(lines, deal):
    """Shuffles whose line comes when; what each user says keeps its order."""
    turns = [user for user, _ in lines]
    deal.shuffle(turns)
    waiting = {}
    for user, text in lines:
        waiting.setdefault(user, []).append(text)
    following = {user: iter(texts) for user, texts in waiting.items()}
    return [(user, next(following[user])) for user in turns]


def write_config(folder, config):
    users = folder / "users.csv"
    with open(users, "w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["id", "voicemail"])
        table.writerows([user, voicemail or ""] for user, voicemail in config["users"].items())

    document = {key: config[key] for key in ("rules", "numbers") if config.get(key)}
    document["users"] = str(users)
    document["sources"] = [
        # compose never opens a source, and a feed may speak for any technology
        s | {"type": "feed", "socket": f"/tmp/x/{s['name']}.feed"} for s in config["sources"]]
    path = folder / "presenced.yaml"
    path.write_text(as_yaml(document), encoding="utf-8")
    return path


def as_yaml(document):
    # JSON is YAML's flow style; a key a line keeps the program's complaints readable.
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in document.items())


def unique_keys(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key twice in one object: {keys}"
    return dict(pairs)


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(v) for key, v in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [without_times(v) for v in value]
    return value


# ---- comparing --------------------------------------------------------------------------

def exact(value):
    # Text, since for Python 1 equals true.
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def compare_with_model(folder, config, cases, deal=None, hint=""):
    """Returns how many cases were compared."""
    count = 0
    cases = iter(cases)
    while batch := list(itertools.islice(cases, CASES_A_RUN)):
        got = run_compose(folder, config, batch, deal)
        expected = [rules_model.compose(case.lines(), config) for case in batch]
        fail_on([(c, e, g) for c, e, g in zip(batch, expected, got) if exact(e) != exact(g)],
                config, len(batch), hint)
        count += len(batch)
    assert count, "a space without a case proves nothing"
    return count


def fail_on(mismatches, config, compared, hint=""):
    if not mismatches:
        return
    shown = [describe(*mismatch, config) for mismatch in mismatches[:MISMATCHES_SHOWN]]
    pytest.fail("\n\n".join([f"{len(mismatches)} of {compared} cases differ. {hint}"] + shown), pytrace=False)


def describe(case, expected, got, config):
    settings = {key: config[key] for key in ("rules", "numbers", "sources") if config.get(key)}
    raw = "".join(f"  {json.dumps(line, ensure_ascii=False)}\n" for line in case.lines())
    return (f"raw lines:\n{raw}"
            f"config (voicemail of the user: {case.voicemail!r}):\n{indented(as_yaml(settings))}"
            f"expected: {exact(expected)}\n"
            f"got:      {exact(got)}")


def indented(text):
    return "".join(f"  {line}\n" for line in text.splitlines())


@pytest.fixture(scope="module", autouse=True)
def program_is_built():
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM} is not there: run make, or set PRESENCED_BUILD", pytrace=False)


# ---- 1 and 2: the corpus ----------------------------------------------------------------

CORPUS_SOURCES = [
    source("cups", "sip"), source("imp", "xmpp"), source("bw", "broadworks"),
    source("switch", "tapi"), source("pbx2", "sip"),
]


def corpus(name):
    with open(CORPUS / name, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def corpus_config(**rules):
    return {"sources": CORPUS_SOURCES, "rules": {"voicemail_pilots": [PILOT]} | rules}


def test_verdicts_of_the_rules(tmp_path):
    verdicts = corpus("rules.jsonl")
    config = corpus_config()
    cases = [Case(verdict["raw"], OWN_VOICEMAIL) for verdict in verdicts]
    got = run_compose(tmp_path, config, cases)
    fail_on([(case, verdict, presence) for case, verdict, presence in zip(cases, verdicts, got)
             if not agrees(presence, verdict["expect"])], config, len(cases))


def agrees(presence, expect):
    """A verdict names some keys of the presence; null there means absent."""
    for key, expected in expect.items():
        if isinstance(expected, dict):
            if not agrees(presence[key], expected):
                return False
        elif expected is None and key in presence:
            return False
        elif expected is not None and exact(presence.get(key)) != exact(expected):
            return False
    return True


def test_verdicts_of_the_numbers(tmp_path):
    settings, *pairs = corpus("numbers.jsonl")
    config = {"sources": CORPUS_SOURCES, "numbers": settings["numbers"]}
    directed = [(p[x], p[y], p["equal"]) for p in pairs for x, y in (("a", "b"), ("b", "a"))]
    cases = [Case([said("switch", "telephony", forward={"target": target})], voicemail)
             for target, voicemail, _ in directed]
    modes = ["forwarded_to_voicemail" if equal else "forwarded_to_phone" for _, _, equal in directed]
    got = run_compose(tmp_path, config, cases)
    fail_on([(case, {"mode": mode}, presence) for case, mode, presence in zip(cases, modes, got)
             if presence["telephony"].get("mode") != mode], config, len(cases))


# ---- 3: the small state spaces, whole ---------------------------------------------------
#
# A space is the product of what each of a few sources may have said. What one source may
# have said is a list of facts; None in that list: it said nothing.

ABSENT = object()  # the key is not in the raw line

UNUSABLE = ["access_denied", "not_found", "error", "requesting",
            "not_requested", "not_configured_for_user", "server_not_configured"]
AVAILABILITIES = ["available", "available_idle", "away", "busy", "busy_idle", "dnd", "offline"]
LINES = ["idle", "ringing", "busy", "held", "offline"]
CALL = {"state": "connected", "direction": "in", "peer": "+442070846845"}
SOME_TIME = "2024-05-01T10:00:00.000Z"


def said(name, domain, sources=CORPUS_SOURCES, **facts):
    technology = next(s["technology"] for s in sources if s["name"] == name)
    return {"source": name, "technology": technology, "domain": domain} | facts


def combinations(**values):
    """Every combination of the keys' values, as a list of dicts; ABSENT leaves a key out."""
    return [{key: value for key, value in zip(values, combination) if value is not ABSENT}
            for combination in itertools.product(*values.values())]


def space(domain, sources, answers):
    """Every combination of one answer by each source, for one half."""
    for number, combination in enumerate(itertools.product(answers, repeat=len(sources))):
        raw = [said(name, domain, **facts) for name, facts in zip(sources, combination) if facts is not None]
        if raw:  # a user of whom nothing was said is not in the output
            # The order of the lines decides nothing: half the cases have it the other way round.
            yield Case(raw[::-1] if number % 2 else raw, OWN_VOICEMAIL)


NOTHING_KNOWN = [None] + combinations(status=UNUSABLE)
SAID_NOTHING = [None, {"status": "error"}]
FRESH_OR_STALE = ["ok", "stale"]

ONE_TELEPHONE = combinations(
    status=[ABSENT] + FRESH_OR_STALE + UNUSABLE,
    line=[ABSENT, None] + LINES,
    dnd=[ABSENT, None, False, True],
    forward=[ABSENT, None] + combinations(kind=[ABSENT, "voicemail", "phone"],
                                          target=[ABSENT, PILOT, "sip:8123@pbx", "2099"]),
    calls=[ABSENT, [], [CALL], [CALL, CALL | {"direction": "out", "name": "A. Caller"}]])

ONE_PERSON = combinations(
    status=[ABSENT] + FRESH_OR_STALE + UNUSABLE,
    availability=[ABSENT, None] + AVAILABILITIES,
    activity=[ABSENT, None, "on-the-phone", "meeting", "vacation"],
    note=[ABSENT, None, "Board room \u2013 \u201cA\u201d\n\t\\"],
    idle_since=[ABSENT, None, SOME_TIME])

TELEPHONES = NOTHING_KNOWN + combinations(
    status=FRESH_OR_STALE, line=[ABSENT] + LINES, dnd=[ABSENT, False, True],
    forward=[ABSENT, None, {"kind": "voicemail"}, {"target": PILOT}, {"target": "2099"}])

FEW_TELEPHONES = SAID_NOTHING + combinations(
    status=FRESH_OR_STALE, line=[ABSENT, "idle", "busy"], dnd=[ABSENT, False, True],
    forward=[ABSENT, None, {"kind": "phone"}])

# Three at once: a stale state differs from a fresh one only where it decides, so one fact each will do.
TRIPLE_TELEPHONES = SAID_NOTHING + combinations(
    line=[ABSENT, "idle", "busy"], dnd=[ABSENT, False, True],
    forward=[ABSENT, None, {"kind": "phone"}],
) + [{"status": "stale"} | fact for fact in (
    {}, {"line": "idle"}, {"dnd": True}, {"dnd": False}, {"forward": None}, {"forward": {"kind": "phone"}})]

PERSONS = NOTHING_KNOWN + combinations(
    status=FRESH_OR_STALE, availability=[ABSENT] + AVAILABILITIES,
    activity=[ABSENT, None, "on-the-phone", "meeting", "vacation"])

FEW_PERSONS = SAID_NOTHING + combinations(
    status=FRESH_OR_STALE, availability=[ABSENT, "available", "busy", "offline"], note=[ABSENT, "in town"])

STATUSES = NOTHING_KNOWN + combinations(status=FRESH_OR_STALE)

SPACES = {
    "telephony, one source, every form of every fact":
        lambda: space("telephony", ["switch"], ONE_TELEPHONE),
    "rich, one source, every form of every fact":
        lambda: space("rich", ["imp"], ONE_PERSON),
    "telephony, TAPI and SIP":
        lambda: space("telephony", ["cups", "switch"], TELEPHONES),
    "telephony, TAPI, BroadWorks and SIP":
        lambda: space("telephony", ["cups", "bw", "switch"], TRIPLE_TELEPHONES),
    "telephony, every two sources":
        lambda: every_two("telephony", FEW_TELEPHONES),
    "telephony, whose calls":
        lambda: space("telephony", ["cups", "bw", "switch"], combinations(
            line=[ABSENT, "idle", "busy"], dnd=[ABSENT, True], calls=[ABSENT, [], [CALL]])),
    "rich, SIP and XMPP":
        lambda: space("rich", ["imp", "cups"], PERSONS),
    "rich, SIP, XMPP and BroadWorks":
        lambda: space("rich", ["cups", "imp", "bw"], FEW_PERSONS),
    "rich, every two sources":
        lambda: every_two("rich", FEW_PERSONS),
    "telephony, the most telling status of three":
        lambda: space("telephony", ["cups", "bw", "switch"], STATUSES),
    "rich, the most telling status of three":
        lambda: space("rich", ["cups", "bw", "imp"], STATUSES),
}


def every_two(domain, answers):
    names = [s["name"] for s in CORPUS_SOURCES]
    return itertools.chain.from_iterable(
        space(domain, pair, answers) for pair in itertools.permutations(names, 2))


@pytest.mark.parametrize("name", SPACES)
def test_small_space(tmp_path, name):
    count = compare_with_model(tmp_path, corpus_config(), SPACES[name]())
    print(f"{count} cases: {name}")


@pytest.mark.parametrize("on_the_phone, in_a_meeting", itertools.product([False, True], repeat=2))
def test_small_space_of_overall(tmp_path, on_the_phone, in_a_meeting):
    persons = [None] + combinations(
        availability=[ABSENT] + AVAILABILITIES,
        activity=[ABSENT, "on-the-phone", "meeting", "appointment", "presentation", "vacation"])
    telephones = [None] + combinations(
        line=[ABSENT] + LINES, dnd=[ABSENT, False, True],
        forward=[ABSENT, None, {"target": PILOT}, {"target": "2099"}])
    config = corpus_config(on_the_phone_is_dnd=on_the_phone, in_a_meeting_is_dnd=in_a_meeting)
    count = compare_with_model(tmp_path, config, both_halves(persons, telephones))
    print(f"{count} cases")


def both_halves(persons, telephones):
    for person, telephone in itertools.product(persons, telephones):
        raw = [said("imp", "rich", **person)] if person is not None else []
        raw += [said("switch", "telephony", **telephone)] if telephone is not None else []
        if raw:
            yield Case(raw)


@pytest.mark.parametrize("winning", ["cups", "imp", "pbx2", "sip", "tapi", "calendar"])
def test_small_space_of_rich_ranks(tmp_path, winning):
    """Who wins when all of them say something, for every order list of up to two words."""
    words = ["cups", "pbx2", "sip", "xmpp"]
    everybody = Case([said(s["name"], "rich", availability=a)
                      for s, a in zip(CORPUS_SOURCES, AVAILABILITIES)])
    everybody_but_sip = Case(everybody.raw[1:4])
    for order in ordered_choices(words):
        config = corpus_config(rich={"winning": winning, "order": order})
        compare_with_model(tmp_path, config, [everybody, everybody_but_sip])


def test_small_space_of_telephony_ranks(tmp_path):
    words = ["cups", "bw", "pbx2", "sip", "xmpp"]
    raw = [said(s["name"], "telephony", line=line, dnd=False, forward={"target": f"209{i}"})
           for i, (s, line) in enumerate(zip(CORPUS_SOURCES, LINES))]
    subsets = [Case(list(subset)) for size in (1, 2, 3, 4, 5) for subset in itertools.combinations(raw, size)]
    for order in ordered_choices(words):
        compare_with_model(tmp_path, corpus_config(telephony={"order": order}), subsets)


def ordered_choices(words):
    """Every list of one or two different words."""
    return [list(choice) for size in (1, 2) for choice in itertools.permutations(words, size)]


def test_no_source_is_configured(tmp_path):
    """The half nobody spoke of can not be asked for either."""
    raw = {"source": "lab", "technology": "sip", "domain": "rich", "availability": "away"}
    compare_with_model(tmp_path, {"sources": []}, [Case([raw])])


# ---- 4: larger random cases -------------------------------------------------------------

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
ROUNDS = 60
USERS_A_ROUND = 250

NAMES = ["cups", "imp", "bw", "switch", "pbx2", "lab"]
TECHNOLOGIES = rules_model.RICH_ORDER
ACTIVITIES = ["on-the-phone", "meeting", "appointment", "presentation", "vacation", "away", "travel"]
NOTES = ["Board room", "back at 3", "d\u00e9jeuner", "\u5728\u5bb6", "\"quoted\" \\ and\ttabbed", "\U0001f600"]
PEERS = ["+442070846845", "2099", "anonymous"]


def test_random_cases(tmp_path):
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    for number in range(ROUNDS):
        numbers = random_numbers(rng)
        config = random_config(rng, numbers)
        cases = [random_case(rng, config["sources"], numbers) for _ in range(USERS_A_ROUND)]
        compare_with_model(tmp_path, config, cases, deal=rng, hint=f"SEED={SEED}, round {number}")


def test_random_numbers(tmp_path):
    """Nothing but forwards: many spellings of few numbers under many configurations."""
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    sources = [source("switch", "tapi")]
    for number in range(ROUNDS):
        numbers = random_numbers(rng)
        config = {"sources": sources, "numbers": numbers.config}
        cases = [Case([said("switch", "telephony", forward={"target": target})], voicemail)
                 for target, voicemail in (numbers.pair() for _ in range(USERS_A_ROUND))]
        compare_with_model(tmp_path, config, cases, hint=f"SEED={SEED}, round {number}")


def sometimes(rng, value, chance=0.5):
    return value if rng.random() < chance else ABSENT


def known(**values):
    return {key: value for key, value in values.items() if value is not ABSENT}


def random_config(rng, numbers):
    names = rng.sample(NAMES, rng.randint(1, len(NAMES)))
    technologies = rng.sample(TECHNOLOGIES, rng.randint(1, len(TECHNOLOGIES)))  # few: several of one
    sources = [source(name, rng.choice(technologies)) for name in names]
    words = names + TECHNOLOGIES

    def random_order():
        return sometimes(rng, rng.sample(words, rng.randint(1, len(words))))

    rules = known(
        rich=known(winning=sometimes(rng, rng.choice(words)), order=random_order()) or ABSENT,
        telephony=known(order=random_order()) or ABSENT,
        voicemail_pilots=sometimes(rng, [numbers.spelling() for _ in range(rng.randint(1, 2))]),
        on_the_phone_is_dnd=sometimes(rng, rng.random() < 0.5),
        in_a_meeting_is_dnd=sometimes(rng, rng.random() < 0.5))
    return {"sources": sources, "rules": rules, "numbers": numbers.config}


def random_case(rng, sources, numbers):
    raw = []
    for s in rng.sample(sources, rng.randint(1, len(sources))):
        for domain, facts in (("rich", random_rich), ("telephony", random_telephony)):
            for _ in range(rng.choice([0, 1, 1, 1, 2])):  # twice: the later replaces the earlier
                raw.append(said(s["name"], domain, sources, **random_status(rng), **facts(rng, numbers)))
    rng.shuffle(raw)
    voicemail = numbers.spelling() if rng.random() < 0.6 else None
    return Case(raw or [said(sources[0]["name"], "rich", sources)], voicemail)


def random_status(rng):
    return known(status=rng.choices(
        [ABSENT, "ok", "stale", rng.choice(UNUSABLE)], weights=[4, 1, 2, 2])[0])


def random_rich(rng, _numbers):
    return known(
        availability=sometimes(rng, rng.choice([None] + AVAILABILITIES), 0.8),
        activity=sometimes(rng, rng.choice([None] + ACTIVITIES)),
        note=sometimes(rng, rng.choice([None] + NOTES)),
        idle_since=sometimes(rng, rng.choice([None, SOME_TIME]), 0.3))


def random_telephony(rng, numbers):
    return known(
        line=sometimes(rng, rng.choice([None] + LINES), 0.6),
        dnd=sometimes(rng, rng.choice([None, False, False, True]), 0.4),
        forward=sometimes(rng, random_forward(rng, numbers), 0.4),
        calls=sometimes(rng, [random_call(rng) for _ in range(rng.randint(0, 3))]))


def random_forward(rng, numbers):
    if rng.random() < 0.3:
        return None
    return known(kind=sometimes(rng, rng.choice(["voicemail", "phone", "phone"]), 0.3),
                 target=sometimes(rng, numbers.spelling(), 0.8))


def random_call(rng):
    return known(state="connected", direction=rng.choice(["in", "out"]),
                 peer=sometimes(rng, rng.choice(PEERS)), name=sometimes(rng, rng.choice(NOTES)))


# Random numbers. The rules leave a few odd forms open (an extension that begins with the
# national prefix, a did rule that is shorter than its block): those are not generated.

SUBSCRIBER_DIGITS = 10
EXTENSION_FIRST = "23456789"

WRAPPINGS = [
    "{}", "{}", "{}", "{}", "tel:{}", "sip:{}@pbx", "sips:{}@pbx.example.com", "SIP:{}@PBX", "{}@pbx",
    "tel:{};ext=9", "sip:{}@pbx;user=phone", "sip:{}@pbx?subject=x", "<tel:{}>", "Alice <sip:{}@pbx>",
    '"A" <sip:{}@pbx.example.com;user=phone>;tag=1',
]
NAMED = ["vm", "VM", "Voice.Mail", "voice.mail", "voicemail", "vm2", "2vm"]
HOSTS = ["", "", "@pbx", "@PBX", "@other"]
FEATURE_CODES = ["*72", "#31", "*31", "#72"]


@dataclass
class RandomNumbers:
    """One `numbers:` mapping and the few subscribers whose numbers are spelled under it."""
    rng: random.Random
    config: dict
    country: str
    subscribers: list

    def pair(self):
        """Two spellings, often of one subscriber."""
        number = self.rng.choice(self.subscribers) if self.rng.random() < 0.7 else None
        return self.spelling(number), self.spelling(number)

    def spelling(self, number=None):
        if number is not None or self.rng.random() < 0.8:
            number = number or self.rng.choice(self.subscribers)
            return self.rng.choice([self.subscriber, self.subscriber, self.extension])(number)
        return self.rng.choice([self.name, self.name, self.feature_code])()

    def subscriber(self, number):
        if self.rng.random() < 0.1:
            number = self.one_digit_other(number)
        prefixes = ["+" + self.country, "+" + self.country, "+7", ""]
        if "international" in self.config:
            prefixes += [self.config["international"] + self.country] * 2
        if "national" in self.config:
            prefixes += [self.config["national"]] * 2
        return self.written(self.outside() + self.rng.choice(prefixes) + number)

    def extension(self, number):
        lengths = [2, 3, 4, 5, 6] + [rule["keep"] for rule in self.config.get("did", [])] * 5
        outside = self.outside()
        if outside.startswith("0"):
            outside = ""  # would look like the national prefix
        one_more = self.rng.choice(["", "", "", "2"])  # 28000 is not 8000
        return self.written(outside + one_more + number[-self.rng.choice(lengths):])

    def name(self):
        return self.rng.choice(["", "sip:", "SIP:"]) + self.rng.choice(NAMED) + self.rng.choice(HOSTS)

    def feature_code(self):
        return self.written(self.rng.choice(FEATURE_CODES))

    def outside(self):
        return self.rng.choice(self.config.get("outside", []) + [""] * 3)

    def one_digit_other(self, number):
        at = self.rng.randrange(len(number))
        return number[:at] + self.rng.choice(EXTENSION_FIRST) + number[at + 1:]

    def written(self, number):
        if self.rng.random() < 0.4:
            number = number[0] + "".join(self.rng.choice(["", "", "", " ", "-", ".", "/", "(", ")"]) + c
                                         for c in number[1:])
        return self.rng.choice(WRAPPINGS).format(number)


def random_numbers(rng):
    country = rng.choice(["44", "1", "358"])
    stem = random_digits(rng, SUBSCRIBER_DIGITS - 2)  # neighbours, as in one company
    subscribers = [stem + random_digits(rng, 2), stem + random_digits(rng, 2),
                   random_digits(rng, SUBSCRIBER_DIGITS)]
    extension_digits = rng.randint(2, 6)
    config = known(
        country=sometimes(rng, country, 0.8),
        international=sometimes(rng, rng.choice(["00", "011", "0011"]), 0.8),
        extension_digits=extension_digits,
        outside=sometimes(rng, rng.choice([["9"], ["0"], ["9", "8"], ["57", "0"]]), 0.6),
        did=sometimes(rng, [random_did(rng, country, number, extension_digits)
                            for number in rng.sample(subscribers, rng.randint(1, 2))], 0.7))
    if "country" in config:
        config |= known(national=sometimes(rng, rng.choice(["0", "1", "01"]), 0.8))
    if not {"outside", "did"} & config.keys() and rng.random() < 0.5:
        config = {}  # no `numbers:` at all
    return RandomNumbers(rng, config, country, subscribers)


def random_did(rng, country, number, extension_digits):
    keep = rng.randint(2, extension_digits)
    behind = max(2, keep - rng.choice([0, 0, 1]))  # an extension may begin within the prefix
    return {"prefix": "+" + country + number[:-behind], "keep": keep}


def random_digits(rng, count):
    return "".join(rng.choice(EXTENSION_FIRST) for _ in range(count))
