"""make demo and README.md: what a newcomer tries first works, and leaves nothing behind.

SPDX-License-Identifier: MIT
"""

import contextlib
import fcntl
import heapq
import itertools
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import uuid

import pytest

from presenced import BUILD, TESTS, people, until

sys.path.insert(0, str(TESTS / "demo"))

import office  # noqa: E402
import switch  # noqa: E402
import truth  # noqa: E402

DEMO = TESTS / "demo" / "run-demo"
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")
PEOPLE = "anna ben carla david emma farid grace hugo ivan julia kofi walter".split()
ONLY_SIP = "farid grace ivan julia kofi".split()  # the switch does not know their lines
AT_SWITCH = set(PEOPLE) - set(ONLY_SIP) - {"walter"}  # who is watched only at times


class Run:
    """A demo that is running. Whatever it starts carries a mark in its environment, and has one temporary folder."""

    def __init__(self, stdout=subprocess.PIPE, **environment):
        self.mark = f"DEMO_TEST_MARK={uuid.uuid4()}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="demo-test-"))
        environment |= dict([self.mark.split("=")], TMPDIR=str(self.folder))
        self.process = subprocess.Popen([DEMO, BUILD], stdin=subprocess.DEVNULL, stdout=stdout, bufsize=0,
                                        stderr=subprocess.PIPE, env=os.environ | environment)

    def marked(self):
        """Process id -> command line of all that it started, itself included."""
        found = {}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command and self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = command
        return found

    def programs(self):
        return {pathlib.Path(command.split()[0]).name for command in self.marked().values()}

    def wait_line(self, text):
        """All lines up to the one that has `text` in it."""
        lines = []
        while not lines or text not in lines[-1]:
            ready, _, _ = select.select([self.process.stdout], [], [], 60)
            assert ready, f"no {text!r} in {lines}"
            line = self.process.stdout.readline().decode()
            assert line, f"no {text!r} in {lines}, {self.process.stderr.read().decode()}"
            lines.append(line)
        return "".join(lines)

    def wait_end(self):
        """(exit status, the rest of standard output, standard error)"""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, (out or b"").decode(), err.decode()

    def assert_nothing_is_left(self):
        assert self.marked() == {}
        assert list(self.folder.iterdir()) == []


@pytest.fixture
def demo():
    """demo(stdout, DEMO_SECONDS=..) gives a Run; what it left behind is ended after a failure."""
    runs = []

    def run(*arguments, **environment):
        runs.append(Run(*arguments, **environment))
        return runs[-1]

    yield run
    for one in runs:
        for pid in one.marked():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        one.process.wait()
        for pipe in (one.process.stdout, one.process.stderr):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(one.folder)


def table(text):
    """User -> (what decides the person, what decides the line) of what presencectl list prints."""
    titles, *rows = text.splitlines()
    starts = [titles.index(word) for word in titles.split()]
    return {row.split()[0]: (row[starts[-2]:starts[-1]].strip(), row[starts[-1]:].strip()) for row in rows}


def assert_right_systems(rows):
    """Of everybody who is watched; walter is only at times."""
    assert list(rows) == PEOPLE
    for user, (rich, telephony) in rows.items():
        if user != "walter":
            assert rich.endswith("(sip)") and not rich.startswith("stale"), (user, rich)
            assert telephony.startswith("line "), (user, telephony)
            assert telephony.endswith("(sip)" if user in ONLY_SIP else "(tapi)"), (user, telephony)


def test_two_demos_at_a_time_end_by_themselves_with_everybody_listed_and_one_explained(demo):
    for run in [demo(DEMO_SECONDS="3"), demo(DEMO_SECONDS="3")]:
        status, out, err = run.wait_end()

        assert (status, err) == (0, "")
        final = re.search(r"^\$ \S+ -s \S+ list\n(.*?)\n\n\$ \S+ -s \S+ explain anna\n", out, re.M | re.S).group(1)
        assert_right_systems(table(final))
        assert "How it was decided:" in out
        assert re.search(r"line +cups +lost .*\n +line +switch +decided", out)
        assert re.search(r"a console, process \d+ of account \d+", out)  # the demo's own demand
        run.assert_nothing_is_left()


def systems(text):
    """User -> which system knew the line, as the last line about the user says."""
    return dict(re.findall(r"^\d\d:\d\d:\d\d  (\w+) .* line .*\((\w+)\)$", text, re.MULTILINE))


def assert_sip_stands_in_for_the_switch(before, during, after):
    """before: up to the loss of the switch, during: until it is there again, after: until it has told its lines."""
    assert AT_SWITCH <= {user for user, system in systems(before).items() if system == "tapi"}
    stale, took_over, _ = during.partition("-- SIP takes over")
    assert took_over
    for user in AT_SWITCH:
        assert re.search(rf"  {user} .* stale, line .* \(tapi\)\n", stale), user
        assert systems(stale)[user] == "sip"
        assert systems(after)[user] == "tapi"
    assert "(tapi)" not in during[len(stale):]
    assert re.search(r" stale, line .* forwarded to .* \(tapi\)\n", stale)
    assert not re.search(r" line [^(]*(dnd|forwarded)[^(]*\(sip\)\n", during)


def test_demo_loses_the_switch_and_sip_stands_in_for_it(demo):
    run = demo(DEMO_SECONDS="10")

    status, out, err = run.wait_end()

    assert (status, err) == (0, "")
    before, _, rest = out.partition("-- the switch leaves presenced")
    during, _, rest = rest.partition("-- the switch is there again")
    after, came_back, rest = rest.partition("-- the switch has told all its lines")
    assert came_back and "restart" in after
    assert "stale" not in before and "presenced has started a monitor of 2012 at the switch" in before
    assert_sip_stands_in_for_the_switch(before, during, after)
    assert "stale" not in rest
    assert "error" not in out


def test_demo_loses_kamailio_and_then_the_switch_and_their_lamps_come_back(demo):
    run = demo()
    before = run.wait_line("-- Kamailio is killed")
    during = run.wait_line("-- Kamailio is started again")
    between = run.wait_line("-- cups is back") + run.wait_line("-- the switch leaves presenced")
    without = run.wait_line("-- the switch is there again")
    after = run.wait_line("-- the switch has told all its lines")
    socket = re.search(r"-s (/\S+/presenced\.sock)", before).group(1)

    listed = subprocess.run([BUILD / "presencectl", "-s", socket, "list"], capture_output=True, text=True, check=True)

    assert "stale" not in before.rpartition("\n-- ")[0]
    assert re.search(r"anna .* stale, .* \(sip\) +line .* \(tapi\)\n", during)
    assert re.search(r"kofi .* stale, .* \(sip\) +stale, line .* \(sip\)\n", during)
    assert_sip_stands_in_for_the_switch(before + during + between, without, after)
    assert_right_systems(table(listed.stdout))
    run.process.send_signal(signal.SIGINT)
    status, _, err = run.wait_end()
    assert (status, err) == (0, "")
    run.assert_nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_ends_well_when_told_to(demo, number):
    run = demo()
    run.wait_line("(tapi)\n")
    assert run.programs() >= {"presenced", "presencectl", "kamailio"}

    run.process.send_signal(number)

    status, _, err = run.wait_end()
    assert (status, err) == (0, "")
    run.assert_nothing_is_left()


def program(folder, text):
    """A shell script in place of Kamailio."""
    path = folder / "kamailio"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_ends_well_while_kamailio_is_being_started(demo, tmp_path, number):
    run = demo(KAMAILIO=program(tmp_path, "exec sleep 1000"))
    until(lambda: "sleep" in run.programs(), "it is being started")

    run.process.send_signal(number)

    status, _, err = run.wait_end()
    assert (status, err) == (0, "")
    run.assert_nothing_is_left()


@pytest.mark.parametrize("text, sentence", [("echo the reason; exit 7", "Kamailio ended with 7"),
                                            (None, "Kamailio cannot be started: ")])
def test_demo_says_so_when_kamailio_cannot_start(demo, tmp_path, text, sentence):
    run = demo(KAMAILIO=program(tmp_path, text) if text else "/nowhere/kamailio")

    status, _, err = run.wait_end()

    assert status == 1
    assert sentence in err and "Traceback" not in err
    assert not text or "The end of the log of Kamailio:\nthe reason\n" in err
    run.assert_nothing_is_left()


def test_demo_says_so_when_kamailio_dies(demo):
    run = demo()
    run.wait_line("(tapi)\n")

    for pid, command in run.marked().items():
        if "/kamailio" in command.split()[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    status, _, err = run.wait_end()
    assert status == 1
    assert "Kamailio ended with -9" in err and "Traceback" not in err
    run.assert_nothing_is_left()


def test_demo_ends_when_who_looks_has_gone(demo):
    run = demo()
    run.wait_line("(tapi)\n")

    run.process.stdout.close()

    assert run.process.wait(60) == 0
    run.assert_nothing_is_left()


def test_demo_says_so_when_presenced_dies(demo):
    run = demo()
    run.wait_line("(tapi)\n")

    os.kill(next(pid for pid, command in run.marked().items() if command.startswith(f"{BUILD}/presenced ")), 9)

    status, _, err = run.wait_end()
    assert status == 1
    assert "presenced ended with -9" in err and "The end of the log" in err and "started" in err
    run.assert_nothing_is_left()


def test_demo_says_how_it_is_used():
    assert subprocess.run([DEMO], capture_output=True, check=False).returncode == 2
    assert subprocess.run([DEMO, "/nowhere"], capture_output=True, check=False).returncode == 2


# ---- the office of the demo ----------------------------------------------------------------


def test_the_office_and_its_switch_are_of_one_mind():
    """Whatever people do, for a long day that takes a moment."""
    timers, count, now, changes = [], itertools.count(), 0.0, []

    def play(story):
        seconds = next(story, None)
        if seconds is not None:
            heapq.heappush(timers, (now + seconds, next(count), story))

    it = office.Office(lambda person, domain: changes.append(person), play)
    lines = switch.Switch(it.people, office.OUTSIDERS)
    states, events = set(), set()
    lines.listeners.append(lambda event: events.add(event.name))
    it.open(lines)
    while now < 8 * 3600:
        for person in changes:
            states |= {(call["state"], call["direction"]) for call in person.telephony["calls"]}
            if person.at_switch:
                expected, said = person.telephony, lines.truth(person.number)
                calls = [{fact: call[fact] for fact in ("state", "direction", "peer")} for call in said["calls"]]
                assert said | {"calls": calls, "forward": said["forward"] and said["forward"]["target"]} == expected | {
                    "calls": [call | {"peer": call["peer"].number} for call in expected["calls"]]}
        changes.clear()
        now, _, story = heapq.heappop(timers)
        play(story)

    assert states == {("ringing", "in"), ("dialing", "out"), *itertools.product(("connected", "held"), ("in", "out"))}
    assert events >= {"Transfered", "Held", "Retrieved", "OutOfService", "BackInService", "DoNotDisturb", "Forwarding"}
    lines.close()


def test_the_demo_notices_a_wrong_lamp():
    anna = office.Person("anna Anna Berg sales 2001 switch")
    anna.telephony |= {"line": "ringing", "calls": [{"state": "ringing", "direction": "in",
                                                     "peer": office.Outsider("Acme Ltd", "+4420")}]}
    rich = {"status": "ok", "source": "cups", "availability": "available"}
    call = {"state": "ringing", "direction": "in", "name": "Acme Ltd"}
    by_switch = {"status": "ok", "source": "switch", "mode": "busy", "line": "ringing", "dnd": False,
                 "calls": [call | {"peer": "+4420"}]}
    by_sip = {"status": "ok", "source": "cups", "mode": "busy", "line": "ringing",
              "calls": [call | {"peer": "sip:+4420@example.com"}]}

    def wrong(telephony, **options):
        return truth.wrong([anna], {"anna": {"rich": rich, "telephony": telephony}}, **options)

    assert wrong(by_switch) == [] and wrong(by_sip, with_switch=False) == []
    assert wrong(by_switch | {"line": "idle"}) == ["telephony line of anna is idle, not ringing"]
    assert [line.split()[1] for line in wrong(by_sip)] == ["source", "dnd", "calls"]
    assert len(wrong(by_switch | {"calls": []})) == len(wrong(by_switch | {"status": "stale"})) == 1
    assert len(truth.wrong([anna], {})) > 5


# ---- on a terminal --------------------------------------------------------------------------


def on_a_terminal(demo, columns, **environment):
    """What the demo draws in two seconds on a terminal of 30 lines."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    run = demo(terminal, DEMO_SECONDS="2", TERM="xterm", COLUMNS="", LINES="", **environment)
    os.close(terminal)
    drawn, end = b"", time.monotonic() + 60
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while time.monotonic() < end and (data := os.read(master, 65536)):
            drawn += data
    os.close(master)
    assert run.wait_end()[0] == 0
    return drawn.decode()


@pytest.mark.parametrize("columns", [60, 80, 150])
def test_demo_redraws_a_table_as_wide_as_the_terminal(demo, columns):
    pictures = on_a_terminal(demo, columns, NO_COLOR="1").split("\033[H")[2:-1]

    assert len(pictures) > 3
    for picture in pictures:
        lines = picture.replace("\033[K", "").replace("\033[J", "").splitlines()
        assert "\033" not in "".join(lines)
        assert len(lines) < 30 and max(map(len, lines)) <= columns
        assert [line[2:].split()[0] for line in lines[6:19]] == ["USER", *PEOPLE]


def test_demo_is_colourful_where_that_is_wanted(demo):
    assert "\033[31m  busy\033[0m" in on_a_terminal(demo, 150, NO_COLOR="")


# ---- README.md ------------------------------------------------------------------------------


def blocks(language=""):
    """The code blocks of README.md of one language ("": of all)."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if language in ("", name)]


def test_every_make_target_in_the_readme_exists():
    makefile = (TESTS.parent / "Makefile").read_text(encoding="utf-8")
    targets = {word for rule in re.findall(r"^([\w -]+):(?!=)", makefile, re.MULTILINE) for word in rule.split()}
    named = {word for block in blocks("sh") for line in block.splitlines()
             for command in re.findall(r"\bmake ([^#|;&]*)", line)
             for word in command.split() if "=" not in word and not word.startswith("-")}

    assert {"demo", "check", "install"} <= named
    assert named <= targets, named - targets


def test_every_presencectl_command_in_the_readme_exists():
    text = subprocess.run([BUILD / "presencectl", "help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^  ([a-z]+) ?", text, re.MULTILINE))
    named = {command for block in blocks()
             for command in re.findall(r"(?:^|[$/ ])presencectl (?:-s \S+ |--json )*([a-z]+)\b", block, re.MULTILINE)}

    assert {"list", "explain"} <= named
    assert named <= known, named - known


def test_the_first_configuration_in_the_readme_is_good(start):
    daemon = start(start=False)
    for block, name in ((blocks("yaml")[0], "presenced.yaml"), (blocks("csv")[0], "users.csv")):
        (daemon.folder / name).write_text(block.replace("/etc/presenced", str(daemon.folder)), encoding="utf-8")

    status, text = daemon.check_config()

    assert status == 0, text
    assert "warning" not in text


def test_what_the_readme_asks_over_the_socket_is_answered(start):
    asked = json.loads(re.search(r"echo '(\{.*\})'", README).group(1))
    console = start(users=people(*asked["params"]["users"])).console()

    answer = console.call(asked["method"], **asked["params"])

    assert [presence["user"] for presence in answer["presences"]] == asked["params"]["users"]
