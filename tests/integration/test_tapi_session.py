"""Sessions with a switch: with and without, refused, refreshed and ended, and services that it does not have.

SPDX-License-Identifier: MIT
"""

import pytest

from presenced import until
from tapi_world import (ED, LOST, asked, begin, details, fresh, pause, pbx, shown_bad, statuses_seen,
                        telephony, wait_source, wait_status, wait_truth, wait_why, watching)

__all__ = ["pbx"]  # fixtures
SOON = 5
HOLD = {"hold": "60s"}
LOGIN = {"user": "presence", "password": "se<c&ret"}


# ---- with and without -----------------------------------------------------------------------


@pytest.mark.parametrize("offered, wanted", [("required", "auto"), ("required", "yes"), ("optional", "auto"),
                                             ("optional", "yes"), ("optional", "no"), ("absent", "auto"),
                                             ("absent", "no")])
def test_with_and_without_a_session(pbx, start, offered, wanted):
    switch = pbx(session=offered)
    _, console = begin(start, switch, session=wanted)
    wait_truth(console, switch)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    assert len(switch.sessions()) == (offered != "absent" and wanted != "no")
    assert asked(switch, "StartApplicationSession") == (wanted != "no")
    assert asked(switch, "SystemRegister") == 1


def test_session_that_is_wanted_and_not_to_be_had(pbx, start):
    _, console = begin(start, pbx(session="absent"), session="yes")
    found = wait_source(console, "connection_error", "no application sessions", SOON)
    assert "session" in found["why"] and "auto" in found["why"], "what to do about it"


def test_session_that_is_needed_and_not_wanted(pbx, start):
    """Every line is refused, and says so."""
    switch = pbx(session="required")
    pbx.forgive(switch, "a request before the session")
    _, console = begin(start, switch, session="no")
    wait_status(console, "201", "access_denied")
    wait_why(console, "201", "access_denied", "securityViolation")


def test_switch_that_ignores_sessions_is_asked_without(pbx, start):
    switch = pbx()
    switch.misbehave("swallow", request="StartApplicationSession")
    _, console = begin(start, switch)
    wait_truth(console, switch, 8)
    assert details(console)["connections"] == 1 and switch.sessions() == []


def test_switch_that_hesitates_to_begin_a_session(pbx, start):
    """Longer than it is waited for; then there is one all the same, and it is needed."""
    switch = pbx(session="required")
    pbx.forgive(switch, "a request before the session", "there is a session already")
    switch.misbehave("late", request="StartApplicationSession", seconds=5.5)
    _, console = begin(start, switch)
    wait_truth(console, switch, 25)


def test_session_that_is_wanted_and_not_answered(pbx, start):
    switch = pbx()
    switch.misbehave("swallow", times=None, request="StartApplicationSession")
    _, console = begin(start, switch, session="yes")
    wait_source(console, "connection_error", "no answer to StartApplicationSession", 12)


def test_session_is_stopped_with_the_daemon(pbx, start):
    switch = pbx(session="required", **LOGIN)
    daemon, _ = watching(start, switch)
    daemon.stop()
    switch.wait(lambda: switch.connections() == 0, "the end", SOON)
    assert asked(switch, "StopApplicationSession") == 1 and switch.sessions() == []


# ---- who we are -----------------------------------------------------------------------------


def test_name_and_password(pbx, start):
    switch = pbx(session="required", **LOGIN)
    watching(start, switch)


def test_template_of_a_vendor(pbx, start):
    switch = pbx(session="required", **LOGIN)
    info = ('<acx:SessionLoginInfo xmlns:acx="http://www.avaya.com/csta"><acx:userName>{user}</acx:userName>'
            "<password>{password}</password><sessionCleanupDelay>60</sessionCleanupDelay></acx:SessionLoginInfo>")
    _, console = begin(start, switch, session_info=info)
    wait_truth(console, switch)


def test_wrong_password_is_forbidden_and_is_not_tried_again_and_again(pbx, start, tmp_path):
    switch = pbx(session="required", **LOGIN)
    secret = tmp_path / "password"
    secret.write_text("wrong\n", encoding="utf-8")
    daemon, console = begin(start, switch, None, {"hold": "1s"}, password_file=str(secret))

    found = wait_source(console, "forbidden", "refuses our credentials", SOON)

    assert all(word in found["why"] for word in ("password_file", "invalidApplicationInfo", "again in 5m")), found
    assert "wrong" not in found["why"] and "wrong" not in daemon.log_text()
    wait_status(console, "201", "error", SOON)
    pause(3)
    assert asked(switch, "StartApplicationSession") == 1 and switch.counters["accepted"] == 1
    secret.write_text(LOGIN["password"] + "\n", encoding="utf-8")
    fresh(daemon).call("config.reload")
    wait_truth(console, switch, SOON)


def test_password_that_becomes_wrong(pbx, start):
    switch = pbx(session="required", **LOGIN)
    _, console = watching(start, switch, HOLD)
    switch.password = "another"
    switch.close_connections()
    wait_source(console, "forbidden", "refuses our credentials", SOON)
    assert telephony(console, "201")["status"] == "stale"
    pause(2)
    assert asked(switch, "StartApplicationSession") == 2
    switch.password = LOGIN["password"]
    console.call("sources.restart", name="switch")
    wait_truth(console, switch, SOON, how=LOST)


@pytest.mark.parametrize("error", ["invalidApplicationInfo", "sessionLimitReached", "x" * 300])
def test_session_that_is_refused_for_another_reason_says_which(pbx, start, error):
    switch = pbx()
    switch.misbehave("refuse", times=None, request="StartApplicationSession", error=error)
    _, console = begin(start, switch)
    status = "forbidden" if error == "invalidApplicationInfo" else "connection_error"
    wait_source(console, status, error[:50], SOON)
    assert switch.sessions() == [] and asked(switch, "RequestSystemStatus") == 0, "a refusal is no reason to go on"


# ---- versions -------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", [2, 3, 4, 5, 6])
def test_edition_that_is_refused_is_followed_by_the_next_one(pbx, start, edition):
    switch = pbx(versions={ED + str(edition)})
    _, console = begin(start, switch)
    wait_truth(console, switch)
    assert switch.counters["accepted"] == 1 and len(switch.sessions()) == 1
    assert (asked(switch, "StartApplicationSession") == 1) == (edition == 3)


def test_no_edition_that_we_know(pbx, start):
    switch = pbx(versions={"http://www.ecma-international.org/standards/ecma-323/csta/ed3/priv5"})
    _, console = begin(start, switch)
    wait_source(console, "connection_error", "session_version", SOON)
    assert asked(switch, "StartApplicationSession") == 5 and switch.counters["accepted"] <= 2


def test_version_of_a_vendor(pbx, start):
    version = ED + "3/priv5"
    switch = pbx(versions={version})
    _, console = begin(start, switch, session_version=version)
    wait_truth(console, switch)
    assert asked(switch, "StartApplicationSession") == 1


@pytest.mark.parametrize("edition", [4, 5, 6])
def test_namespace_of_the_configuration_is_used(pbx, start, edition):
    switch = pbx(versions={ED + str(edition)})
    _, console = begin(start, switch, namespace=ED + str(edition))
    wait_truth(console, switch)
    peer = next(iter(switch._peers.values()))
    assert peer.namespace == ED + str(edition)


# ---- refreshed, and not ---------------------------------------------------------------------


def test_session_is_refreshed_in_time(pbx, start):
    """The switch grants two seconds, and is strict."""
    switch = pbx(session="required", session_duration=2)
    _, console = watching(start, switch, session_duration="10s")
    session = switch.sessions()
    switch.wait(lambda: asked(switch, "ResetApplicationSessionTimer") >= 5, "five refreshes", 8)
    assert switch.sessions() == session
    assert details(console)["connections"] == 1 and set(statuses_seen(console, "201")) <= {"ok"}


def test_duration_that_is_wanted_is_asked_for(pbx, start):
    switch = pbx(session="required")
    watching(start, switch, session_duration="10s")
    switch.wait(lambda: asked(switch, "ResetApplicationSessionTimer") == 1, "a refresh after half of it", 8)


@pytest.mark.parametrize("kind, options", [("refuse", {"error": "invalidSessionID"}),
                                           ("error", {"error": "generic"}), ("swallow", {})])
def test_session_that_is_not_prolonged_is_begun_anew(pbx, start, kind, options):
    switch = pbx(session="required", session_duration=2)
    _, console = watching(start, switch, HOLD)
    switch.misbehave(kind, request="ResetApplicationSessionTimer", **options)
    console.notifications.clear()
    until(lambda: details(console)["connections"] == 2, "another connection", SOON)
    switch.call("201", "202")
    wait_truth(console, switch, SOON, how=LOST)
    assert not shown_bad(console)


def test_session_that_the_switch_ends(pbx, start):
    switch = pbx(session="required")
    daemon, console = watching(start, switch, HOLD)
    switch.misbehave("session_terminated")
    console.wait(lambda: telephony(console, "201")["status"] == "stale", "stale", SOON)
    switch.call("201", "202")
    wait_truth(console, switch, SOON, how=LOST)
    assert details(console)["connections"] == 2 and not shown_bad(console)
    assert "ended the application session" in daemon.log_text()


# ---- status ---------------------------------------------------------------------------------


@pytest.mark.parametrize("session", ["required", "absent"])
def test_heartbeat_of_the_switch_is_answered_though_its_ids_are_ours(pbx, start, session):
    switch = pbx("2001-2050", session=session, heartbeat=0.05, collide=True, answer_within=2)
    _, console = watching(start, switch)
    for number in range(2001, 2026):
        switch.call(number, number + 25)
    wait_truth(console, switch, SOON)
    switch.wait(lambda: switch.counters["SystemStatusResponse"] >= 30, "30 answers", SOON)
    assert details(console)["connections"] == 1 and details(console)["strays"] == 0


def test_switch_that_refuses_the_question_for_its_status_talks_all_the_same(pbx, start):
    switch = pbx(session="absent", unsupported={"RequestSystemStatus"})
    _, console = watching(start, switch, keepalive="5s")
    before = len(switch.requests)
    switch.wait(lambda: len(switch.requests) > before, "a question whether it is there", 8)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    assert details(console)["connections"] == 1


# ---- services that it does not have ---------------------------------------------------------


def known(console, number):
    half = telephony(console, number)
    return {key: half[key] for key in ("line", "dnd", "forward") if key in half}


def test_without_do_not_disturb(pbx, start):
    switch = pbx(unsupported={"GetDoNotDisturb"})
    switch.set_dnd("203")
    switch.set_forward("202", "forwardImmediate", True, "8000")
    _, console = begin(start, switch)
    console.wait(lambda: all("forward" in known(console, n) for n in switch.model.devices), "the rest is known", SOON)
    assert known(console, "203") == {"line": "idle", "forward": None}, "unknown is not off"
    assert known(console, "202")["forward"] == {"kind": "voicemail", "target": "8000"}
    assert 1 <= asked(switch, "GetDoNotDisturb") <= 16, "nobody is asked who cannot know"

    switch.set_dnd("203")
    console.wait(lambda: known(console, "203").get("dnd") is True, "an event tells it", SOON)
    switch.set_dnd("203", False)
    console.wait(lambda: known(console, "203").get("dnd") is False, "an event tells it", SOON)
    assert "dnd" not in known(console, "201")


def test_without_forwarding(pbx, start):
    switch = pbx(unsupported={"GetForwarding"})
    switch.set_forward("203", "forwardImmediate", True, "8000")
    _, console = begin(start, switch)
    console.wait(lambda: all("dnd" in known(console, n) for n in switch.model.devices), "the rest is known", SOON)
    assert known(console, "203") == {"line": "idle", "dnd": False}, "unknown is not none"
    assert 1 <= asked(switch, "GetForwarding") <= 16

    switch.set_forward("203", "forwardImmediate", True, "8000")
    wanted = {"kind": "voicemail", "target": "8000"}
    console.wait(lambda: known(console, "203").get("forward") == wanted, "an event tells it", SOON)
    switch.set_forward("203", "forwardImmediate", False)
    console.wait(lambda: known(console, "203").get("forward", 1) is None, "an event tells it", SOON)
    switch.set_forward("202", "forwardBusy", True, "8000")
    switch.set_dnd("202")
    console.wait(lambda: known(console, "202").get("dnd"), "a later event", SOON)
    assert "forward" not in known(console, "202"), "of another kind it says nothing"


def test_without_snapshots(pbx, start):
    switch = pbx(unsupported={"SnapshotDevice"})
    switch.call("201", "202")
    _, console = begin(start, switch)
    console.wait(lambda: all("dnd" in known(console, n) for n in switch.model.devices), "the rest is known", SOON)
    assert known(console, "201") == {"dnd": False, "forward": None}, "unknown is not idle"
    assert 1 <= asked(switch, "SnapshotDevice") <= 16

    switch.answer("202")
    wait_truth(console, switch, SOON, ["201", "202"], LOST)
    switch.hang_up("201")
    wait_truth(console, switch, SOON, ["201", "202"])
    assert "line" not in known(console, "203")


def test_without_monitors(pbx, start):
    switch = pbx(unsupported={"MonitorStart"})
    _, console = begin(start, switch)
    wait_why(console, "201", "error", "serviceNotSupported")
    assert console.source()["status"] == "up"
    pause(2)
    assert asked(switch, "MonitorStart") == len(switch.model.devices)


def test_without_registration(pbx, start):
    switch = pbx(unsupported={"SystemRegister", "SystemRegisterCancel"})
    _, console = watching(start, switch, HOLD)
    switch.misbehave("restart_announced")
    wait_truth(console, switch, SOON)
    assert asked(switch, "SystemRegister") == 1, "once in a connection"


def test_snapshot_that_is_announced_and_never_comes(pbx, start):
    """One gateway answers with a bare serviceCrossRefID. What the line does is unknown until an event speaks."""
    switch = pbx(["201", "202"], dialect={"snapshot": "bare"})
    _, console = begin(start, switch)
    console.wait(lambda: known(console, "202") == {"dnd": False, "forward": None}, "the rest is known", 25)
    switch.call("201", "202")
    wait_truth(console, switch, SOON, how=LOST)


def test_polling_finds_what_is_never_told(pbx, start):
    switch = pbx()
    _, console = watching(start, switch, poll="1s")
    switch.misbehave("drop_events", times=None, events=("DoNotDisturb", "Forwarding"))
    switch.set_dnd("201")
    switch.set_forward("202", "forwardImmediate", True, "8000")
    wait_truth(console, switch, 4)
    switch.set_dnd("201", False)
    switch.set_forward("202", "forwardImmediate", False)
    wait_truth(console, switch, 4)
    assert asked(switch, "SnapshotDevice") == len(switch.model.devices), "calls are not polled"
