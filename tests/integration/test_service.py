"""Sources by command, events, and the life of a service. SPDX-License-Identifier: MIT"""

import select

import pytest

from presenced import BUSY, DEADLINE, IDLE, feed_source, people, until


def test_stop_start_and_restart_of_a_source(start):
    daemon = start(users=people("alice"))
    feed = daemon.feed(truth={"alice": {"telephony": IDLE}})
    console = daemon.console()
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "available")

    assert console.call("sources.stop", name="switch") == {"name": "switch", "status": "stopped"}
    feed.wait(lambda: feed.gone, "the program is let go")
    console.wait(lambda: console.table["alice"]["telephony"]["status"] == "server_not_configured", "dropped at once")
    daemon.reload()
    assert console.source()["status"] == "stopped", "until start, whatever is reloaded"

    assert console.call("sources.start", name="switch")["status"] == "connecting"
    assert console.call("sources.start", name="switch")["status"] == "connecting"
    daemon.feed(truth={"alice": {"telephony": BUSY}})
    console.wait_overall("alice", "busy")

    assert console.call("sources.restart", name="switch")["status"] == "connecting"
    console.wait(lambda: console.table["alice"]["overall"] == "unknown", "dropped")
    daemon.feed(truth={"alice": {"telephony": IDLE}})
    console.wait_overall("alice", "available")


def test_probe_says_what_is_wrong_hop_by_hop(start):
    daemon = start(sources=[feed_source("switch"), feed_source("off", enabled=False), {"name": "new", "type": "feed"}])
    console = daemon.console()

    for name, hop in (("switch", "program"), ("off", "configuration"), ("new", "configuration")):
        probe = console.call("sources.probe", name=name)
        assert probe["ok"] is False
        assert [row["hop"] for row in probe["hops"] if not row["ok"]] == [hop]

    feed = daemon.feed()
    until(lambda: console.source()["status"] == "up", "up")
    assert console.call("sources.probe", name="switch")["ok"] is True
    feed.say("nonsense")
    feed.wait_errors(1)
    assert console.call("sources.probe", name="switch")["ok"] is False


def test_changes_of_sources_are_events(start):
    daemon = start()
    console = daemon.console()
    assert console.call("events.subscribe", topics=["sources"]) == {"topics": ["sources"]}

    feed = daemon.feed()
    until_status(console, "up")
    feed.close()
    until_status(console, "connection_error")
    console.call("sources.stop", name="switch")
    until_status(console, "stopped")

    console.call("events.subscribe", topics=[])
    console.notifications.clear()
    console.call("sources.start", name="switch")
    console.barrier()
    assert not console.notifications


def until_status(console, status):
    while console.notification("sources.changed")["source"]["status"] != status:
        pass


def test_everything_that_sources_say_is_recorded(start):
    daemon = start(users=people("alice"))
    console = daemon.console()
    console.call("raw.subscribe", on=True)
    feed = daemon.feed(truth={"alice": {"telephony": BUSY}})
    console.subscribe(users=["alice"])
    console.wait_overall("alice", "busy")
    feed.say({"resync": "begin"}, {"resync": "end"})

    lines = [line["params"] for line in console.notifications if line["method"] == "raw.line"]
    while not any(line.get("resync") == "end" for line in lines):
        lines.append(console.notification("raw.line"))

    assert any(line.get("source_status") == "up" for line in lines)
    assert any(line.get("demand") is True and line["user"] == "alice" for line in lines)
    assert any(line.get("line") == "busy" and line["address"] == "alice" for line in lines)


def test_level_of_the_log_can_be_changed(start):
    daemon = start()
    console = daemon.console()
    assert "debug" not in daemon.log_text()

    console.call("log.level", level="debug")
    daemon.console().close()

    until(lambda: " debug " in daemon.log_text(), "a line of level debug")


@pytest.mark.parametrize("ends", ["log.level", "config.reload"])
def test_level_of_a_subsystem_ends_with_a_level_in_general_and_with_a_reload(start, ends):
    daemon = start()
    console = daemon.console()
    console.call("log.level", level="debug", subsystem="console")
    daemon.console().close()
    until(lambda: " debug console " in daemon.log_text(), "a line of level debug")

    console.call(ends, **({"level": "info"} if ends == "log.level" else {}))
    before = daemon.log_text().count(" debug console ")
    daemon.console().close()
    console.call("config.reload")

    assert daemon.log_text().count(" debug console ") == before


def context_switches(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("voluntary_ctxt_switches")).split()[1])


def test_idle_daemon_wakes_up_less_than_twice_a_second(start):
    daemon = start(users=people(*(f"u{n}" for n in range(100))))
    daemon.feed(truth={f"u{n}": {"telephony": IDLE, "rich": {"availability": "away"}} for n in range(100)})
    console = daemon.console()
    console.subscribe(all=True)
    for n in range(100):
        console.wait_overall(f"u{n}", "away")
    console.barrier()

    before = context_switches(daemon.process.pid)
    select.select([], [], [], 5)  # the measurement

    assert context_switches(daemon.process.pid) - before < 10


# ---- the service manager --------------------------------------------------------------------


def test_ready_is_notified_when_consoles_can_connect_and_not_before(start):
    daemon = start(users=people("alice"), notify=True, start=False)
    daemon.process = daemon.spawn("-c", str(daemon.file))

    messages = daemon.wait_notified("READY=1")

    assert daemon.listens(), f"nobody listens yet, but {messages} was notified"
    daemon.console().barrier()


def test_reload_and_stop_are_notified(start):
    daemon = start(users=people("alice"), notify=True)
    daemon.wait_notified("READY=1")

    daemon.reload(users=people("bob"))
    reloading = daemon.wait_notified("RELOADING=1")
    assert any(line.startswith("MONOTONIC_USEC=") for line in reloading[-1].split("\n"))
    daemon.wait_notified("READY=1")

    daemon.write_config(hold="soon")
    daemon.console().error_of("config.reload")
    daemon.wait_notified("RELOADING=1")
    daemon.wait_notified("READY=1")

    daemon.process.terminate()
    daemon.wait_notified("STOPPING=1")
    assert daemon.process.wait(DEADLINE) == 0


def test_watchdog_is_fed_only_when_asked_for(start):
    daemon = start(notify=True, environment={"WATCHDOG_USEC": "400000"})

    for _ in range(3):
        daemon.wait_notified("WATCHDOG=1")


@pytest.mark.parametrize("arguments, status", [(["--version"], 0), (["--help"], 0), (["--nonsense"], 2), (["x"], 2)])
def test_command_line(start, arguments, status):
    daemon = start(start=False)

    assert daemon.spawn(*arguments).wait(DEADLINE) == status
    assert "presenced" in daemon.log_text()
