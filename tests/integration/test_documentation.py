"""What is written about the program is what the program does: manual pages, the sample configuration, the unit and the
completions against the tables in the sources and what the programs print. Both ways: nothing undocumented, no ghosts.

SPDX-License-Identifier: MIT
"""

import json
import pathlib
import re
import subprocess

import pytest

from presenced import BUILD, IDLE, feed_source, people

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRESENCED, PRESENCECTL = BUILD / "presenced", BUILD / "presencectl"
SAMPLE = ROOT / "config" / "presenced.yaml"
UNIT = ROOT / "systemd" / "presenced.service"
BASH, ZSH = ROOT / "cli" / "completion" / "presencectl.bash", ROOT / "cli" / "completion" / "_presencectl"
PAGES = sorted((ROOT / "man").glob("*.[1-8]"))
# Options that a reader of its own looks at, in a table that config_sections[] does not list.
OTHER_SECTIONS = {"did_options": "numbers.did[]"}
# Types of sources over a network: each has its own options and those of "Transport".
NETWORK = ["sip", "tapi"]
# An option that says which of several examples in the sample this is; only one can show the default.
WHICH_EXAMPLE = {("type: tapi", "protocol")}


def read(*parts):
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    return done.returncode, done.stdout, done.stderr


# --- what exists ----------------------------------------------------------------------------------------------------


def split_row(text):
    """The values of a C initialiser: cut at commas outside of strings and parentheses."""
    values, depth, start = [], 0, 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[(){}]|,', text):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(token[0], 0)
        if token[0] == "," and depth == 0:
            values.append(text[start:token.start()].strip())
            start = token.end()
    return values + [text[start:].strip()]


def c_text(value):
    """A C string, or several in a row; None for NULL."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', value)) if '"' in value else None


def option_tables(source):
    """Name of a table -> name of an option -> (kind, default, min, max, required) in a C file."""
    tables = {}
    text = re.sub(r"/\*.*?\*/", "", source, flags=re.S)
    for name, body in re.findall(r"const struct option (\w+)\[\]\s*=\s*\{(.*?)\{\s*0\s*\},?\s*\};", text, re.S):
        table = tables[name] = {}
        for row in re.findall(r'\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\}', body):
            option, kind, _, fallback, low, high, _, flags, _ = split_row(row)
            table[c_text(option)] = (kind, c_text(fallback), number(low), number(high), "OPTION_REQUIRED" in flags)
        assert len(table) == len(re.findall(r'\{\s*"', body)), name
    return tables


def number(text):
    product = 1
    for factor in re.sub(r"INT64_C\((\d+)\)", r"\1", text).split(" * "):
        product *= {"HOUR": 3600000, "DAY": 86400000}.get(factor) or int(factor)
    return product


def macro_rows(text, opening):
    """Rows that stand in a macro's call or in a macro, as option_tables() has them."""
    table = {}
    for row in re.findall(opening + r'\s*((?:"[^"]*"\s*|[^"{}]|\{[^{}]*\})*?)\s*(?:\}|\),\n)', text.replace("\\\n", "\n")):
        option, kind, _, fallback, low, high, _, flags, _ = split_row(row.replace("PREFIX", ""))
        table[c_text(option)] = (kind, c_text(fallback), number(low), number(high), "_FLAGS" in flags or
                                 "OPTION_REQUIRED" in flags)
    return table


def link_options():
    return macro_rows(read("connectors", "link_settings.h").split("#define LINK_OPTIONS")[1].split("\n\n")[0], r"\{")


def network_spec(kind):
    source = read("connectors", kind, f"{kind}_spec.c")
    for name, text in re.findall(r'^#define (\w+) (".*")$', read("connectors", kind, f"{kind}_spec.h"), re.M):
        source = re.sub(rf'\b{name} "', text.removesuffix('"'), source)
    return macro_rows(source.split("options[] = {")[1].split("{ 0 }")[0], r"OPTION\((?=\")")


def feed_spec():
    (table,) = option_tables(read("connectors", "feed", "feed_spec.c")).values()
    return table


def sections():
    """Section, as presenced.yaml(5) names it -> its table of options."""
    source = read("daemon", "config.c")
    tables = option_tables(source)
    rows = re.search(r"config_sections\[\]\s*=\s*\{(.*?)\{\s*0\s*\}", source, re.S)[1]
    listed = {table: name for name, table in re.findall(r'\{\s*"([^"]*)",\s*(\w+),', rows)}
    assert set(tables) == set(listed) | set(OTHER_SECTIONS), "a table that no section has"
    found = {(listed | OTHER_SECTIONS)[table] or "top level": options for table, options in tables.items()}
    found["sources[]"] = found["sources[]"] | {"type": ("OPTION_WORD", None, 0, 0, True)}
    found |= {"type: feed": feed_spec(), "Transport": link_options()}
    return found | {f"type: {kind}": network_spec(kind) for kind in NETWORK}


def bounds(kind, low, high):
    """"From X to Y.", or None where the table has no bounds."""
    if kind not in ("OPTION_INT", "OPTION_DURATION", "OPTION_RATE") or high == 0:
        return None
    if kind == "OPTION_RATE":
        return f"From {low}/s to {high}/s."
    if kind == "OPTION_INT":
        return f"From {low} to {high}."
    low = f"{low // 3600000}h" if low >= 3600000 else f"{low // 1000}s"
    return f"From {low} to {f'{high // 86400000}d' if high >= 86400000 else f'{high // 60000}m'}."


def commands():
    """Command -> its arguments, as presencectl help prints them."""
    status, out, _ = run(PRESENCECTL, "help")
    assert status == 0
    found = dict(re.findall(r"^  ([a-z]\w*) ?(.*)\n      ", out, re.M))
    assert len(found) > 10
    return found


def help_options(program):
    """-c, --config, ... of a usage text."""
    _, out, _ = run(program, "--help")
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", out, re.I))


# --- what is documented -----------------------------------------------------------------------------------------------


def manual_sections():
    """Section of presenced.yaml(5) -> option -> text about it."""
    page = read("man", "presenced.yaml.5")
    described = re.search(r"^\.Sh SECTIONS\n(.*?)^\.Sh USERS", page, re.M | re.S)[1].replace(
        ".Sh SOURCES OVER A NETWORK\n", "")
    found = {}
    for part in re.split(r"^\.Ss ", described, flags=re.M)[1:]:
        title, text = part.split("\n", 1)
        items = re.split(r"^\.It Cm ", text, flags=re.M)[1:]
        options = found[title.replace("\\&", "")] = {}
        for item in items:
            assert item.split()[0] not in options, (title, item)
            options[item.split()[0]] = item
    return found


def uncommented():
    """The sample with every option switched on, in the way that its first lines describe."""
    return re.sub(r"^#(?!#)(?! \S)(?=.)", "", SAMPLE.read_text(encoding="utf-8"), flags=re.M)


def sample_options():
    """(section, option) -> values in the sample, in both forms of its lines; of a source also by its type."""
    found, stack, kind = {}, [], None
    for line in uncommented().splitlines():
        match = re.match(r"( *)(- )?([a-z_]+):(?: +(\S.*))?$", line)
        if match is None:
            assert line == "" or line.startswith("#"), f"neither an option nor an explanation: {line}"
            continue
        indent = len(match[1]) + len(match[2] or "")
        while stack and stack[-1][0] >= indent:
            stack.pop()
        if match[2]:  # an entry of a list
            stack[-1] = (stack[-1][0], stack[-1][1].removesuffix("[]") + "[]")
        section = ".".join(name for _, name in stack)
        kind = match[4] if (section, match[3]) == ("sources[]", "type") else None if match[2] else kind
        if match[4] is None:
            stack.append((indent, match[3]))
        else:
            found.setdefault((section or "top level", match[3]), []).append(match[4])
            if section == "sources[]" and kind:
                found.setdefault((f"type: {kind}", match[3]), []).append(match[4])
    return found


def example(page, name):
    text = re.search(rf'^\.\\" BEGIN EXAMPLE {re.escape(name)}\n\.Bd [^\n]*\n(.*?)\.Ed\n\.\\" END EXAMPLE', page,
                     re.M | re.S)[1]
    assert "\\" not in text
    return text


# --- presenced.yaml(5) and the sample ---------------------------------------------------------------------------------


def test_every_option_of_the_tables_is_in_the_manual_and_no_other():
    assert {name: set(options) for name, options in manual_sections().items()} == \
        {name: set(options) for name, options in sections().items()}


def test_the_manual_gives_defaults_and_bounds_as_the_tables_have_them():
    manual = manual_sections()
    for section, options in sections().items():
        for name, (kind, fallback, low, high, required) in options.items():
            text, limits = manual[section][name], bounds(kind, low, high)
            assert limits is None or f"\n{limits}\n" in text, (section, name, limits)
            if fallback is not None:
                assert f"\nDefault: {fallback.strip('[]')}.\n" in text, (section, name, fallback)
            else:
                assert f"\n{'Required.' if required else 'Default: '}" in text or name == "keep", (section, name)


@pytest.mark.parametrize("kind, parts", [("feed", ["type: feed"])] +
                         [(kind, ["Transport", f"type: {kind}"]) for kind in NETWORK])
def test_the_options_of_a_source_are_those_that_presencectl_prints(kind, parts):
    status, out, _ = run(PRESENCECTL, "help", "source", kind)

    assert status == 0
    assert set(re.findall(r"^  ([a-z_]+): ", out, re.M)) == \
        {name for part in parts for name in manual_sections()[part]}


def test_every_word_of_an_option_is_in_the_manual():
    page = read("man", "presenced.yaml.5")
    vocabulary = read("daemon", "model", "vocab.h")
    columns = re.search(r"#define USER_COLUMN_MAP.*?\n\n", read("daemon", "model", "user.h"), re.S)[0]

    for title in ("TECHNOLOGY", "DOMAIN", "PERMISSION"):
        for word in words_of(vocabulary, title):
            assert re.search(rf"^\.(It )?Ql {word}\b", page, re.M), word
    users = re.search(r"^\.Sh USERS\n(.*?)^\.Sh ", page, re.M | re.S)[1]
    assert re.findall(r"^\.It Va (\w+)", users, re.M) == re.findall(r'X\([A-Z_]+, "(\w+)"', columns.replace("\\\n", ""))


@pytest.mark.parametrize("section, header, source", [("Transport", "link_settings.h", "link_settings.c")] +
                         [(f"type: {kind}", f"{kind}/{kind}_spec.c", f"{kind}/{kind}_spec.c") for kind in NETWORK])
def test_every_word_of_an_option_of_a_network_is_in_its_text_and_no_other(section, header, source):
    vocabularies = vocabularies_of(read("connectors", source))
    used = dict(re.findall(r'"(\w+)", OPTION_WORD, [^&]*?&(\w+)', read("connectors", header)))
    assert set(used) == {name for name, (kind, *_) in sections()[section].items() if kind == "OPTION_WORD"} != set()
    texts = {}
    for name, vocabulary in used.items():
        text = manual_sections()[section][name]
        if "one of the same words" not in text:
            texts[vocabulary] = re.findall(r"^\.(?:It )?Ql (\S+)", text, re.M)
        assert sorted(texts[vocabulary]) == sorted(vocabularies[vocabulary]), name


def vocabularies_of(source):
    """Name of a vocabulary of a C file -> its words."""
    tables = {name: re.findall(r'\{ "([^"]+)"', body) for name, body in
              re.findall(r"const struct vocab_word (\w+)\[\] = \{(.*?)\n\};", source, re.S)}
    return {name: tables[table] for name, table in re.findall(r'struct vocab (\w+) = \{ "[^"]*", (\w+),', source)}


def words_of(vocabulary, title):
    text = re.search(rf"#define {title}_MAP\(X\) \\\n(.*?)\n\n", vocabulary, re.S)[1]
    return re.findall(r'X\([A-Z_0-9]+, "([^"]+)"', text)


def in_the_sample(section):
    return "sources[]" if section == "Transport" else section


def test_every_option_is_in_the_sample():
    sample = sample_options()
    for section, options in sections().items():
        for name in options:
            assert (in_the_sample(section), name) in sample, (section, name)


def test_an_option_that_is_switched_off_shows_its_default():
    off = set(uncommented().splitlines()) - set(SAMPLE.read_text(encoding="utf-8").splitlines())
    for section, options in sections().items():
        for name, (_, fallback, *_) in options.items():
            for value in sample_options().get((in_the_sample(section), name), []):
                if (section, name) in WHICH_EXAMPLE or fallback is None:
                    continue
                if any(re.fullmatch(rf" *{name}: {re.escape(value)}", line) for line in off):
                    assert value.strip('"') == fallback, (section, name)


def test_the_sample_passes_the_check_as_it_is_shipped():
    status, out, err = run(PRESENCED, "--check-config", SAMPLE, cwd="/")

    assert status == 0, err
    assert "is good" in out


def test_the_sample_with_everything_switched_on_has_no_option_that_does_not_exist(tmp_path):
    text = re.sub(r"^( +group: )attendants$", r"\1root", uncommented(), flags=re.M)
    assert "attendants]" in text
    (tmp_path / "presenced.yaml").write_text(text)
    (tmp_path / "users.csv").write_text(read("config", "users.csv"))

    status, _, err = run(PRESENCED, "--check-config", "presenced.yaml", cwd=tmp_path)

    assert status == 0, err
    assert "error" not in err and "not_configured" not in err


def test_the_sample_of_users_shows_what_the_manual_describes():
    header, *rows = read("config", "users.csv").splitlines()
    assert any("@" in column for column in header.split(","))
    assert any('"' in row for row in rows)
    assert any(",-," in row for row in rows)
    assert any(";" in row for row in rows)


def test_the_examples_of_the_manual_are_good(tmp_path):
    page = read("man", "presenced.yaml.5")
    (tmp_path / "presenced.yaml").write_text(example(page, "presenced.yaml"))
    (tmp_path / "users.csv").write_text(example(page, "users.csv"))

    status, _, err = run(PRESENCED, "--check-config", "presenced.yaml", cwd=tmp_path)

    assert (status, err) == (0, "")


@pytest.mark.parametrize("name", ["switch.yaml", "avaya.yaml", "bridge.yaml"])
def test_the_examples_of_a_telephone_switch_are_good(tmp_path, name):
    (tmp_path / name).write_text(example(read("man", "presenced.yaml.5"), name))

    status, _, err = run(PRESENCED, "--check-config", name, cwd=tmp_path)

    assert (status, err) == (0, "")


def test_a_feed_takes_the_lines_of_the_manual(start):
    page = read("man", "presenced.yaml.5")
    users = [{"id": "alice", "line": "2001"}, {"id": "bob", "line": "SEP2002"}]
    daemon = start(users=users, sources=[feed_source("switch", addresses="line")])
    feed = daemon.feed(answers=False)
    console = daemon.console()
    console.subscribe(users=["alice", "bob"])
    feed.wait_watched("2001", "SEP2002")

    lines = [json.loads(line) for line in example(page, "feed.jsonl").splitlines()]
    feed.say(*lines)

    console.wait_overall("bob", "busy")
    assert feed.errors == []
    console.wait(lambda: console.table["alice"]["telephony"]["status"] == "not_found", "not_found")


# --- presencectl ----------------------------------------------------------------------------------------------------


def test_every_command_is_in_the_manual_and_no_other():
    page = read("man", "presencectl.1")
    described = re.search(r"^\.Sh COMMANDS\n(.*?)^\.Sh ", page, re.M | re.S)[1]

    assert set(re.findall(r"^\.It Ic (\w+)", described, re.M)) == set(commands())


def test_every_option_of_presencectl_is_in_the_manual_and_no_other():
    page = read("man", "presencectl.1")
    documented = {"-" + name for name in re.findall(r"(?<![A-Za-z])Fl (-?[a-z-]+)", page, re.I)}
    exist = help_options(PRESENCECTL) | {"-V", "--version", "-h", "--help"}

    assert documented == exist


def complete(*words, environment=None):
    """What bash offers for the last of these words."""
    script = '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _presencectl; printf "%s\\n" "${COMPREPLY[@]}"'
    status, out, err = run("bash", "-c", script, BASH, PRESENCECTL, *words, env=environment)
    assert (status, err) == (0, "")
    return set(out.split("\n")) - {""}


def test_bash_completes_commands_and_options():
    assert complete("") == set(commands())
    offered = complete("-").union(*(complete(command, "-") for command in commands()))
    assert offered == help_options(PRESENCECTL) | {"-V", "--version", "-h", "--help"}
    for command, arguments in commands().items():
        assert set(re.findall(r"--[a-z-]+", arguments)) <= complete(command, "-"), command


def test_bash_completes_what_the_commands_do():
    """The words of help: "set USER ... | clear USER" offers set and clear."""
    verbs = {command: set(re.findall(r"(?:^|\| )([a-z]+)(?= |$)", arguments.strip("[]"))) for command, arguments in
             commands().items() if command in ("note", "users", "requests")}
    assert verbs["note"] == {"set", "clear"}
    for command, words in verbs.items():
        assert complete(command, "") == words, command
    assert complete("contacts", "") == {"add", "remove"}
    columns = re.search(r"#define USER_COLUMN_MAP.*?\n\n", read("daemon", "model", "user.h"), re.S)[0]
    assert complete("users", "set", "alice", "") == {
        column + "=" for column in re.findall(r'X\([A-Z_]+, "(\w+)"', columns.replace("\\\n", "")) if column != "id"}


def test_zsh_knows_every_command_and_option_and_no_other():
    text = ZSH.read_text(encoding="utf-8")
    listed = re.search(r"commands=\((.*?)^\t\)", text, re.M | re.S)[1]

    assert set(re.findall(r"^\t+'(\w+):", listed, re.M)) == set(commands())
    assert set(re.findall(r"(?<![\w-])--[a-z-]+(?=[=\[,}' )])", text)) == \
        {name for name in help_options(PRESENCECTL) if name.startswith("--")} | {"--version", "--help"}


def test_completion_offers_the_words_of_the_vocabularies():
    vocabulary = read("daemon", "model", "vocab.h")
    statuses = words_of(vocabulary, "STATE_STATUS")
    rich = {*words_of(vocabulary, "AVAILABILITY"), *words_of(vocabulary, "ACTIVITY"), *statuses}
    telephony = {*words_of(vocabulary, "MODE"), *words_of(vocabulary, "LINE"), *statuses}
    zsh = {name: set(words.split()) for name, words in
           re.findall(r"local -a (\w+)=\(([^$]*?)\)", ZSH.read_text(encoding="utf-8"), re.S)}

    assert complete("list", "--rich", "") == rich
    assert complete("list", "--telephony", "") == telephony
    assert zsh["rich"] | zsh["statuses"] == rich
    assert zsh["telephony"] | zsh["statuses"] == telephony


def test_bash_asks_the_daemon_for_users_and_sources(start):
    daemon = start(users=people("alice", "bob", "$(touch${IFS}here)"), sources=[feed_source("switch")])
    daemon.feed(truth={"alice": {"telephony": IDLE}})
    socket = daemon.folder / "presenced.sock"

    assert complete("-s", socket, "get", "") == {"alice", "bob", r"\$\(touch\$\{IFS\}here\)"}
    assert complete("-s", socket, "get", "alice", "b") == {"bob"}
    assert complete("-s", socket, "source", "") == {"switch"}
    assert complete("-s", socket, "doctor", "sw") == {"switch"}
    assert complete("-s", socket, "source", "switch", "") == {"start", "stop", "restart", "help"}


def subsystems_of_the_log():
    return {name for folder in ("daemon", "connectors") for file in (ROOT / folder).rglob("*.c") for name in
            re.findall(r'\blog_(?:debug|info|warning|error|at)\([^"]*"(\w+)"', file.read_text(encoding="utf-8"))}


def test_completion_offers_types_of_sources_kinds_of_documents_and_subsystems():
    _, _, refusal = run(PRESENCECTL, "source", "bogus", "help", "-s", "/dev/null/none")
    types = set(re.search(r"types are: ([a-z ]+)\.", refusal)[1].split())
    kinds = set(re.search(r"(\S+) FILE", commands()["decode"])[1].split("|"))
    subsystems = set(re.findall(r"^\.Ql (\w+)", re.search(r"the subsystems are\n(.*?)^\.Pp", read("man", "presenced.8"),
                                                        re.M | re.S)[1], re.M))
    zsh = {name: set(words.split()) for name, words in re.findall(r":([a-z ]+):\(([a-z -]+)\)", ZSH.read_text("utf-8"))}

    assert complete("help", "source", "") == zsh["type of source"] == types == {"feed", *NETWORK}
    assert complete("decode", "") == zsh["kind"] == kinds
    assert complete("log", "info", "") == zsh["subsystem"] == subsystems == subsystems_of_the_log()


def test_bash_is_quiet_when_the_daemon_cannot_be_reached(tmp_path):
    assert complete("-s", tmp_path / "nothing", "get", "") == set()
    assert complete("-s", tmp_path / "nothing", "source", "") == set()


def test_the_example_of_presencectl_prints_what_the_manual_says(tmp_path):
    page = read("man", "presencectl.1")
    script = example(page, "compose.sh").replace("presencectl", str(PRESENCECTL))

    status, out, err = run("sh", "-c", script, cwd=tmp_path)

    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads(example(page, "compose.out"))


def test_the_event_of_a_switch_means_what_the_manual_says(tmp_path):
    page = read("man", "presencectl.1")
    (tmp_path / "delivered.xml").write_text(example(page, "delivered.xml"))
    command = re.search(r"^\.Dl presencectl (decode .* delivered\.xml)$", page, re.M)[1].split()

    status, out, err = run(PRESENCECTL, *command, cwd=tmp_path)

    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads(example(page, "delivered.out"))


# --- presenced(8), the unit, and the pages ----------------------------------------------------------------------------


def test_every_option_of_presenced_is_in_the_manual_and_no_other():
    page = read("man", "presenced.8")
    options = re.search(r"^The options are:\n(.*?)^\.Ss ", page, re.M | re.S)[1]
    documented = {"-" + name for item in re.findall(r"^\.It (.*)", options, re.M)
                  for name in re.findall(r"Fl (-?[a-z-]+)", item, re.I)}

    assert documented == help_options(PRESENCED)


def test_the_unit_uses_options_that_exist():
    commands_of_unit = re.findall(r"^Exec\w+=\S*/presenced (.*)", UNIT.read_text(encoding="utf-8"), re.M)

    assert len(commands_of_unit) >= 2
    for arguments in commands_of_unit:
        assert set(re.findall(r"(?<!\S)-\S+", arguments)) <= help_options(PRESENCED), arguments


def test_environment_variables_of_the_programs_are_documented():
    for page, folder in (("presenced.8", "daemon"), ("presencectl.1", "cli")):
        asked = {name for file in (ROOT / folder).rglob("*.c")
                 for name in re.findall(r'getenv\("(\w+)"\)', file.read_text(encoding="utf-8"))}
        documented = set(re.findall(r"Ev (\w+)", read("man", page)))
        assert asked <= documented, page


def test_files_that_the_manuals_name_are_installed(tmp_path):
    """Those of FILES in /usr. `all` is there: it is what the other tests run."""
    status, _, err = run("make", "-s", "-o", "all", "install", f"BUILD={BUILD}", f"DESTDIR={tmp_path}", cwd=ROOT)
    named = {path for page in PAGES for path in re.findall(r"^\.It Pa (/usr/\S+)", page.read_text(encoding="utf-8"), re.M)}

    assert status == 0, err
    assert "/usr/share/doc/presenced/bridge_client.py" in named
    assert [path for path in sorted(named) if not tmp_path.joinpath(path[1:]).exists()] == []
    for page in PAGES:
        assert (tmp_path / "usr/share/man" / f"man{page.suffix[1:]}" / page.name).exists()
    run_it = [tmp_path / "usr/share/doc/presenced/bridge_client.py", "--help"]
    assert run("/usr/bin/python3", *run_it)[0] == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_has_no_complaint(page):
    _, out, err = run("mandoc", "-Tlint", "-Wwarning", page)

    assert [line for line in (out + err).splitlines()
            if "referenced manual not found" not in line and "outdated mandoc.db" not in line] == []
    assert "SPDX-License-Identifier: MIT" in page.read_text(encoding="utf-8")[:400]
