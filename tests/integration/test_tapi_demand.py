"""Lines are monitored while somebody wants them, and at the pace of the switch.

SPDX-License-Identifier: MIT
"""

import time

import pytest

from tapi_world import (BASE, LOST, asked, begin, details, fresh, pause, pbx, person, rng, source, telephony,
                        user_of, wait_source, wait_status, wait_truth, watching)

__all__ = ["pbx", "rng"]  # fixtures
SOON = 5
LINGER = {"monitoring": {"mode": "on-demand", "linger": "1s"}}


def on_demand(start, switch, /, config=None, **options):
    """A daemon that nobody asks for anybody yet, and a console."""
    daemon, console = begin(start, switch, None, LINGER | (config or {}), [], **options)
    wait_source(console, "up")
    return daemon, console


def want(console, numbers):
    """These instead of those before; what the console knew of others it forgets."""
    users = [user_of(number) for number in numbers]
    console.subscribe(users=users)
    for gone in set(console.table) - set(users):
        del console.table[gone]


def move(console, number, line):
    """Another line for the person of this extension; "-": none."""
    console.call("users.set", user=user_of(number), addresses={"line": line})


# ---- demand ---------------------------------------------------------------------------------


def test_no_monitors_without_demand(pbx, start):
    switch = pbx("2001-2100")
    daemon, console = on_demand(start, switch)
    observer = daemon.console()
    observer.subscribe(all=True, demand=False)
    console.call("presence.get", users=list(observer.table))
    pause(1.5)
    assert switch.monitors() == set() and asked(switch, "SnapshotDevice") == 0
    observer.barrier()
    assert {row["telephony"]["status"] for row in observer.table.values()} == {"not_requested"}


def test_exactly_those_who_are_wanted_are_monitored(pbx, start):
    switch = pbx("2001-2100")
    daemon, console = on_demand(start, switch)
    numbers = list(switch.model.devices)
    want(console, numbers[:60])
    wait_truth(console, switch, SOON, numbers[:60])
    assert switch.monitors() == set(numbers[:60])

    other = fresh(daemon)
    want(other, numbers[50:70])
    want(console, numbers[:10])

    switch.wait(lambda: switch.monitors() == {*numbers[:10], *numbers[50:70]}, "the others are stopped", SOON)
    assert asked(switch, "MonitorStart") == 70 and asked(switch, "MonitorStop") == 40
    other.close()
    switch.wait(lambda: switch.monitors() == set(numbers[:10]), "those of the other", SOON)
    console.close()
    switch.wait(lambda: switch.monitors() == set(), "all", SOON)
    assert switch.monitor_count() == 0 and switch.connections() == 1, "the connection stays"


def test_who_asks_once_wants_for_a_while(pbx, start):
    switch = pbx()
    switch.call("201", "202")
    _, console = on_demand(start, switch)
    row = console.call("presence.get", users=["u202"], wait=5000)["presences"][0]
    assert row["telephony"]["line"] == "ringing"
    assert switch.monitors() == {"202"}
    switch.wait(lambda: switch.monitors() == set(), "it is stopped after linger", SOON)


def test_line_of_two_people_is_monitored_once(pbx, start):
    switch = pbx()
    users = [person("201"), person("201") | {"id": "assistant"}]
    _, console = begin(start, switch, users, LINGER)
    console.wait(lambda: all(row["telephony"]["status"] == "ok" for row in console.table.values()), "both", SOON)
    switch.call("202", "201")
    console.wait(lambda: all(row["telephony"]["line"] == "ringing" for row in console.table.values()), "both", SOON)
    assert asked(switch, "MonitorStart") == 1


def test_nothing_of_a_line_is_believed_that_was_not_wanted(pbx, start):
    """It was idle when it was forgotten, and is in a call when it is wanted again."""
    switch = pbx()
    _, console = on_demand(start, switch)
    want(console, ["201", "202"])
    wait_truth(console, switch, SOON, ["201", "202"])
    want(console, ["203"])
    switch.wait(lambda: switch.monitors() == {"203"}, "they are stopped", SOON)
    switch.call("201", "202")
    switch.set_dnd("202")
    console.notifications.clear()
    want(console, ["201", "202"])
    wait_truth(console, switch, SOON, ["201", "202"])
    lines = {message["params"]["telephony"].get("line") for message in console.notifications
             if message["method"] == "presence.changed" and message["params"]["user"] == "u201"}
    assert lines <= {None, "busy"}


def test_address_that_changes_is_another_line(pbx, start):
    switch = pbx()
    daemon, console = begin(start, switch, [person("201")], LINGER)
    wait_truth(console, switch, SOON, ["201"])
    switch.call("202", "203")
    users = [person("201") | {"extension": "202"}]
    daemon.reload(users)
    console.wait(lambda: telephony(console, "201").get("line") == "busy", "that of 202", SOON)
    switch.wait(lambda: switch.monitors() == {"202"}, "only that", SOON)
    daemon.reload([person("201") | {"extension": ""}])
    wait_status(console, "201", "not_configured_for_user", SOON)
    switch.wait(lambda: switch.monitors() == set(), "none", SOON)


# ---- races ----------------------------------------------------------------------------------


@pytest.mark.parametrize("slow", ["MonitorStart", "MonitorStop", "SnapshotDevice", "GetForwarding", None])
def test_watched_unwatched_and_watched_again(pbx, start, rng, slow):
    """While a request about it is out: three people change their places faster than the switch answers."""
    switch = pbx()
    _, console = begin(start, switch, [person(number) for number in ("201", "202", "203")])
    wait_truth(console, switch, SOON, ["201", "202", "203"])
    if slow:
        switch.misbehave("late_answer", times=None, request=slow, seconds=0.05)
    for n in range(60):
        number = rng.choice(("201", "202", "203"))
        move(console, number, rng.choice((number, "204", "205", "206", "-")))
        if n % 6 == 0:
            switch.set_dnd("201", n % 12 == 0)
        if n % 10 == 9:
            switch.wait(lambda: switch.in_flight() == 0, "rest", SOON)
    switch.call("201", "202")
    for number in ("201", "202", "203"):
        move(console, number, number)
    wait_truth(console, switch, SOON, ["201", "202", "203"])
    switch.wait(lambda: switch.monitors() == {"201", "202", "203"} and switch.monitor_count() == 3, "just these", SOON)
    switch.wait(lambda: switch.in_flight() == 0, "rest", SOON)
    assert details(console)["lines"] == 3 and details(console)["waiting"] == 0


def test_wanted_again_in_the_moment_in_which_it_is_forgotten(pbx, start, rng):
    switch = pbx()
    _, console = on_demand(start, switch)
    want(console, ["201", "202"])
    wait_truth(console, switch, SOON, ["201", "202"])
    for n in range(6):
        want(console, ["203"])
        pause(rng.uniform(0.98, 1.02))  # linger is 1 s
        want(console, ["201", "202"])
        switch.set_dnd("202", n % 2 == 0)
        wait_truth(console, switch, SOON, ["201", "202"])
        switch.wait(lambda: {"201", "202"} <= switch.monitors(), "both", SOON)
    switch.wait(lambda: switch.monitors() == {"201", "202"} and switch.monitor_count() == 2, "just these", SOON)


def test_monitor_that_is_being_stopped_is_not_stopped_again_at_the_end(pbx, start):
    switch = pbx()
    _, console = on_demand(start, switch)
    want(console, ["201", "202"])
    wait_truth(console, switch, SOON, ["201", "202"])
    switch.misbehave("late_answer", request="MonitorStop", seconds=2)
    want(console, ["202"])
    switch.wait(lambda: asked(switch, "MonitorStop") == 1, "201 is stopped", SOON)
    console.call("sources.stop", name="switch")
    switch.wait(lambda: switch.connections() == 0, "the end", SOON)
    assert asked(switch, "MonitorStop") == 1


def test_unwatched_while_its_monitor_is_started_again(pbx, start):
    switch = pbx()
    _, console = on_demand(start, switch)
    want(console, ["201", "202"])
    wait_truth(console, switch, SOON, ["201", "202"])
    switch.misbehave("monitor_stop", device="201")
    want(console, ["202"])
    pause(2.5)
    assert switch.monitors() == {"202"}


def test_watched_while_the_switch_is_away(pbx, start):
    switch = pbx()
    _, console = on_demand(start, switch, {"hold": "60s"})
    want(console, ["201"])
    wait_truth(console, switch, SOON, ["201"])
    switch.set_status("disabled")
    wait_status(console, "201", "stale", SOON)
    want(console, ["202", "203"])
    switch.call("202", "204")
    pause(1.2)
    switch.set_status("enabled")
    wait_truth(console, switch, SOON, ["202", "203"])
    switch.wait(lambda: switch.monitors() == {"202", "203"} and switch.monitor_count() == 2, "just these", SOON)


def test_source_that_is_stopped_and_started(pbx, start):
    switch = pbx()
    _, console = watching(start, switch)
    for _ in range(5):
        console.call("sources.stop", name="switch")
        switch.wait(lambda: switch.connections() == 0, "it is let go", SOON)
        console.call("sources.start", name="switch")
    switch.call("201", "202")
    wait_truth(console, switch, SOON)


def test_reload_that_changes_nothing_costs_nothing(pbx, start):
    switch = pbx()
    daemon, console = watching(start, switch)
    requests = len(switch.requests)
    daemon.reload()
    console.barrier()
    assert len(switch.requests) == requests and switch.connections() == 1


# ---- pace -----------------------------------------------------------------------------------


@pytest.mark.parametrize("in_flight", [1, 2, 8])
def test_so_many_requests_at_a_time(pbx, start, in_flight):
    switch = pbx("2001-2060")
    _, console = on_demand(start, switch, in_flight=in_flight, rate="1000/s")
    switch.wait(lambda: asked(switch, "SystemRegister") == 1 and switch.in_flight() == 0, "rest", SOON)
    switch.misbehave("late_answer", times=None, seconds=0.01)
    switch.max_in_flight, switch.peak_in_flight = in_flight, 0
    want(console, switch.model.devices)
    wait_truth(console, switch, 20)
    assert switch.peak_in_flight == in_flight
    assert switch.violations == []
    switch.behave()
    switch.max_in_flight = None



def test_so_many_monitors_in_a_second(pbx, start):
    switch = pbx("2001-2060", max_starts=20 + 5)  # the machine may hesitate
    begun = time.monotonic()
    _, console = begin(start, switch, rate="20/s")
    wait_truth(console, switch, 20)
    assert time.monotonic() - begun > (60 - 3) / 20
    assert switch.violations == []


def test_default_pace(pbx, start):
    switch = pbx("2001-2300", max_starts=100 + 20)
    begun = time.monotonic()
    _, console = begin(start, switch)
    wait_truth(console, switch, 10)
    assert time.monotonic() - begun > (300 - 11) / 100
    assert switch.violations == []


def test_verifications_keep_the_pace_too(pbx, start):
    switch = pbx("2001-2060")
    _, console = watching(start, switch, {"verify": {"any": "1s", "rate": "1000/s"}}, in_flight=4)
    switch.misbehave("late_answer", times=None, seconds=0.01)
    switch.max_in_flight = 4
    count = asked(switch, "SnapshotDevice")
    switch.wait(lambda: asked(switch, "SnapshotDevice") >= count + 180, "three rounds", 10)
    assert switch.violations == []
    switch.behave()
    switch.max_in_flight = None


def test_goodbyes_keep_the_pace_too(pbx, start):
    """At most in_flight requests are out, also when the source is stopped."""
    switch = pbx("2001-2060")
    _, console = watching(start, switch, in_flight=4)
    switch.max_in_flight = 4
    console.call("sources.stop", name="switch")
    switch.wait(lambda: switch.connections() == 0, "the end", SOON)
    assert switch.violations == []


def test_who_is_in_a_call_is_looked_at_first_after_a_loss(pbx, start):
    switch = pbx("2001-2100")
    _, console = watching(start, switch, {"hold": "60s"}, rate="50/s")
    for one, other in zip(range(2081, 2091), range(2091, 2101)):
        switch.call(one, other)
    wait_truth(console, switch, SOON)
    before = len(switch.requests)
    switch.close_connections()
    switch.wait(lambda: len(switch.monitors()) == 100, "all are monitored again", 10)
    started = [request.device for request in list(switch.requests)[before:] if request.name == "MonitorStart"]
    assert set(started[:20]) == {str(number) for number in range(2081, 2101)}
    wait_truth(console, switch, SOON, how=LOST)


def test_proofs_of_everybody_do_not_hold_up_what_events_tell(pbx, start):
    switch = pbx(300)
    _, console = watching(start, switch, {"verify": {"any": "1s", "rate": "1000/s"}}, in_flight=4)
    switch.call("2001", "2002")
    wait_truth(console, switch, 2)


# ---- configuration --------------------------------------------------------------------------


def test_source_without_a_server_is_not_configured(pbx, start):
    daemon = start(BASE, users=[person("201")], sources=[{"name": "switch", "type": "tapi", "protocol": "csta"}])
    found = daemon.console().source()
    assert found["status"] == "not_configured" and "server" in found["why"]


@pytest.mark.parametrize("options, words", [({"transport": "udp"}, "udp"), ({"session": "maybe"}, "session"),
                                            ({"session_duration": "5s"}, "session_duration"), ({"rate": "0/s"}, "rate"),
                                            ({"in_flight": 0}, "in_flight"), ({"keepalive": "1s"}, "keepalive"),
                                            ({"session_info": "<user>"}, "session_info"), ({"poll": "x"}, "poll"),
                                            ({"password": "a", "password_file": "b"}, "password_file"),
                                            ({"protocol": "tsapi"}, "protocol"), ({"uri": "sip:a@b"}, "uri")], ids=str)
def test_options_that_are_wrong_are_said(pbx, start, options, words):
    switch = pbx()
    daemon = start(BASE, users=[person("201")], sources=[source(switch, **options)], start=False)
    code, said = daemon.check_config()
    assert code != 0 and words in said, said


def test_rich_presence_is_not_served(pbx, start):
    switch = pbx()
    _, console = watching(start, switch)
    assert console.table["u201"]["rich"]["status"] == "server_not_configured"
    assert set(console.source()["domains"]) == {"telephony"}


def test_only_some_people_are_served(pbx, start):
    switch = pbx()
    users = [person("201", groups="sales"), person("202", groups="board")]
    _, console = begin(start, switch, users, None, None, **{"users": {"groups": ["sales"]}})
    wait_truth(console, switch, SOON, ["201"])
    assert telephony(console, "202")["status"] == "not_configured_for_user"
    assert switch.monitors() == {"201"}
