"""config/bridge_client.py, the example of presenced-bridge(7), as the host of a real daemon: its class and its program.

SPDX-License-Identifier: MIT
"""

import contextlib
import importlib.util
import json
import pathlib
import subprocess
import sys
import threading

import pytest

from bridge_world import (IDLE, TOKEN, Hand, at, authority, begin, bridge_at, details, free_port,
                          users_of, wait_facts, wait_source, wait_status)
from presenced import DEADLINE, until

__all__ = ["authority", "free_port"]  # fixtures
CLIENT = pathlib.Path(__file__).resolve().parents[2] / "config" / "bridge_client.py"
LINES = ("201", "202", "203")
TALK = {"type": "lineCallState", "line": "201", "call": "c1", "state": "CONNECTED", "origin": "EXTERNAL",
        "peer": "+442070846845"}
TALKS = IDLE | {"line": "busy", "calls": [{"state": "connected", "direction": "in", "peer": "+442070846845"}]}
SPEC = importlib.util.spec_from_file_location("bridge_client", CLIENT)
bridge_client = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bridge_client)


def offer(*lines):
    return {"type": "lineOpen", "lines": [{"line": line, "inService": True, "can": ["forward", "dnd"]}
                                          for line in lines]}


def idle(line):
    return {"type": "lineState", "line": line, "inService": True, "calls": [], "entries": [], "on": False}


@pytest.fixture
def client():
    """client(address, ..) gives a Bridge that runs, and its `said`, the sentences of its log."""
    made = []

    def run(*arguments, **options):
        said = []
        one = bridge_client.Bridge(*arguments, log=said.append, **options)
        one.said = said
        one.thread = threading.Thread(target=one.run, daemon=True)
        made.append(one)
        one.thread.start()
        return one

    yield run
    for one in made:
        one.stop()
        one.thread.join(DEADLINE)
        assert not one.thread.is_alive()


def push_lines(one, *lines):
    for message in (offer(*lines), *map(idle, lines)):
        one.push(message)


def test_a_life(start, client):
    daemon, console = begin(start, LINES, {"rules": {"voicemail_pilots": ["8000"]}})
    one = client(at(daemon))
    push_lines(one, *LINES)
    for line in LINES:
        wait_facts(console, line, IDLE)
    one.push(TALK)
    wait_facts(console, "201", TALKS)
    one.push(TALK | {"state": "ONHOLD"})
    wait_facts(console, "201", TALKS | {"line": "held", "calls": [TALKS["calls"][0] | {"state": "held"}]})
    one.push({"type": "lineDnd", "line": "202", "on": True})
    wait_facts(console, "202", IDLE | {"dnd": True})
    one.push({"type": "lineForward", "line": "202", "entries": [{"mode": "UNCOND", "dest": "8000"}]})
    wait_facts(console, "202", IDLE | {"dnd": True, "forward": {"target": "8000"}})
    one.push({"type": "lineDevState", "line": "203", "state": "OUTOFSERVICE"})
    wait_facts(console, "203", IDLE | {"line": "offline"})
    one.push({"type": "lineDevState", "line": "203", "state": 0x40})
    wait_facts(console, "203", IDLE)
    one.push({"type": "lineClose", "line": "203", "reason": "REMOVED"})
    wait_status(console, "203", "not_found")
    push_lines(one, "203")
    wait_facts(console, "203", IDLE)
    one.push(TALK | {"state": "IDLE"})
    wait_facts(console, "201", IDLE)
    found = details(console)
    assert (found["gaps"], found["bad_messages"]) == (0, 0)


def test_what_was_lost_is_said_again(start, client):
    """A change that was not pushed, and is in the table, is found; so is one that is too long to be sent."""
    daemon, console = begin(start, LINES, {"verify": {"any": "1s"}})
    one = client(at(daemon))
    push_lines(one, *LINES)
    wait_facts(console, "201", IDLE)
    one.lines["201"]["on"] = True
    wait_facts(console, "201", IDLE | {"dnd": True})
    one.push({"type": "lineDnd", "line": "201", "on": False, "x": "x" * 70000})
    wait_facts(console, "201", IDLE)
    assert details(console)["gaps"] >= 1 and details(console)["bad_messages"] == 0


def test_wants_of_others_and_many_lines(start, client):
    lines = [str(n) for n in range(1000, 1450)]
    daemon, console = begin(start, lines[:200], {"monitoring": {"linger": "1s"}}, users=users_of([*lines, "9"]))
    console.checked = 0.02
    one = client(at(daemon))
    push_lines(one, *lines)
    for line in lines[:200]:
        wait_facts(console, line, IDLE)
    more = daemon.console(checked=0.02)
    more.subscribe(users=[f"u{line}" for line in [*lines[200:], "9"]])
    for line in lines[200:]:
        wait_facts(more, line, IDLE)
    wait_status(more, "9", "not_found")
    more.close()
    until(lambda: one._open == set(lines[:200]), "the others are closed")
    assert details(console)["bad_messages"] == 0


def test_over_tls_and_after_a_loss(start, client, free_port, authority):
    source = bridge_at(free_port, transport="tls", cert_file=str(authority / "bridge.pem"), keepalive="5s")
    daemon, console = begin(start, LINES, sources=[source])
    one = client(("127.0.0.1", free_port), TOKEN, str(authority / "ca.pem"), "bridge.test")
    push_lines(one, *LINES)
    wait_facts(console, "201", IDLE)
    one.push(TALK)
    wait_facts(console, "201", TALKS)
    daemon.reload(sources=[source | {"keepalive": "6s"}])
    until(lambda: sum("wanted" in sentence for sentence in one.said) >= 2, "it connects again")
    again = daemon.console()
    again.subscribe(users=["u201"])
    wait_facts(again, "201", TALKS)
    pings = details(again)["messages"]
    until(lambda: details(again)["messages"] >= pings + 2, "pings")
    assert details(again)["bad_messages"] == 0


@pytest.mark.parametrize("token, words", [("wrong", "token"), (TOKEN, "certificate")])
def test_who_is_not_let_in_waits(start, client, free_port, authority, token, words):
    daemon, _ = begin(start, LINES, sources=[bridge_at(free_port, transport="tls",
                                                       cert_file=str(authority / "bridge.pem"))])
    name = "bridge.test" if words == "token" else "other.test"
    one = client(("127.0.0.1", free_port), token, str(authority / "ca.pem"), name)
    sentence = until(lambda: next((s for s in one.said if "next attempt" in s), None), "a sentence")
    assert words in sentence
    seconds = float(sentence.split()[-2])
    assert 48 <= seconds <= 72 if words == "token" else seconds < 2


def test_another_program_takes_over(start, client):
    daemon, console = begin(start, LINES)
    one = client(at(daemon))
    push_lines(one, *LINES)
    wait_facts(console, "201", IDLE)
    with Hand(at(daemon)) as hand:
        hand.begin(*LINES)
        until(lambda: any("next attempt in" in sentence for sentence in one.said), "it waits")
        hand.settle()
        assert float(one.said[-1].split()[-2]) >= 48


# ---- the program ----------------------------------------------------------------------------


def program(*arguments, **options):
    return subprocess.run([sys.executable, str(CLIENT), *arguments], capture_output=True, text=True, timeout=DEADLINE,
                          check=False, **options)


def test_help_says_what_there_is():
    done = program("--help")
    assert done.returncode == 0 and done.stderr == ""
    for word in ("--token-file", "--ca-file", "--cert-host", "--stay", "lineOpen", "HOST:PORT"):
        assert word in done.stdout
    assert program("nowhere").returncode == 2
    assert program().returncode == 2


@contextlib.contextmanager
def running(*arguments):
    """The program, with its standard input open."""
    command, pipe = [sys.executable, str(CLIENT), *arguments], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as one:
        def write(*messages):
            for message in messages:
                one.stdin.write(message if isinstance(message, str) else json.dumps(message) + "\n")
            one.stdin.flush()

        one.write = write
        try:
            yield one
        finally:
            one.kill()


def test_lines_from_standard_input(start):
    daemon, console = begin(start, LINES)
    with running("-v", at(daemon)) as one:
        one.write(offer(*LINES), *map(idle, LINES))
        for line in LINES:
            wait_facts(console, line, IDLE)
        one.write(TALK, "this is no JSON\n", {"type": "lineDance", "line": "204"}, [],
                  {"type": "lineDnd", "line": "202", "on": True})
        wait_facts(console, "201", TALKS)
        wait_facts(console, "202", IDLE | {"dnd": True})
        one.stdin.close()
        assert one.wait(DEADLINE) == 0
        err = one.stderr.read()
        assert "not JSON" in err and "not understood" in err and "Traceback" not in err and one.stdout.read() == ""
    wait_source(daemon, "connection_error", "stopped")
    wait_status(console, "201", "stale")


def test_the_lines_of_its_help(start):
    daemon, console = begin(start, ["201"])
    example = [line.strip() + "\n" for line in program("--help").stdout.splitlines() if line.startswith('  {"type"')]
    assert len(example) == 6
    with running(at(daemon)) as one:
        one.write(*example)
        wait_facts(console, "201", IDLE | {"dnd": True, "forward": {"target": "8000"}})
        assert details(console)["bad_messages"] == 0


def test_with_a_token_over_tcp_and_staying(start, free_port, tmp_path):
    daemon, console = begin(start, LINES, sources=[bridge_at(free_port)])
    (tmp_path / "token").write_text(TOKEN + "\n")
    with running("--token-file", str(tmp_path / "token"), "--stay", f"127.0.0.1:{free_port}") as one:
        one.write({"type": "lineOpen", "lines": [{"line": "201", "inService": True, "can": []}]},
                  idle("201") | {"entries": None, "on": None})
        one.stdin.close()
        wait_facts(console, "201", {"line": "idle", "calls": []})
        assert one.poll() is None
        daemon.reload(sources=[bridge_at(free_port, keepalive="7s")])
        again = daemon.console()
        again.subscribe(users=["u201"])
        wait_facts(again, "201", {"line": "idle", "calls": []})
        assert TOKEN not in " ".join(pathlib.Path(f"/proc/{one.pid}/cmdline").read_text().split("\0"))
