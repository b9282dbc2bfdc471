"""What `presencectl doctor` says of a switch, well and ill.

SPDX-License-Identifier: MIT
"""

import concurrent.futures
import time

import pytest

from presenced import DEADLINE
from sip_world import free_port
from tapi_world import begin, doctor, pbx, person, wait_source, wait_status, wait_truth, watching

from csta_faults import BER  # after tapi_world, which knows the way

__all__ = ["free_port", "pbx"]  # fixtures
SOON = 5
HOPS = ["configuration", "dns", "tcp", "session", "system status", "lines"]


def hop_names(hops):
    return [hop.split(" 127.")[0] for hop in hops]


def failing(hops):
    return {hop: sentence for hop, sentence in hops.items() if sentence}


@pytest.mark.parametrize("session", ["required", "optional", "absent"])
def test_nothing_wrong(pbx, start, session):
    switch = pbx(session=session)
    daemon, _ = watching(start, switch)
    code, hops = doctor(daemon)
    assert code == 0 and failing(hops) == {} and hop_names(hops) == HOPS


def test_nothing_wrong_though_nobody_is_watched(pbx, start):
    switch = pbx()
    daemon, console = begin(start, switch, None, {"monitoring": {"mode": "on-demand"}}, [])
    wait_source(console, "up")
    code, hops = doctor(daemon)
    assert code == 0 and failing(hops) == {}
    assert switch.monitors() == set(), "a look costs the switch nothing that lasts"


def test_wrong_password(pbx, start):
    switch = pbx(session="required", user="presence", password="secret")
    daemon, console = begin(start, switch, password="wrong")
    wait_source(console, "forbidden", "", SOON)
    count = len(switch.requests)
    code, hops = doctor(daemon)
    assert code == 1 and list(failing(hops)) == ["session"], hops
    assert all(word in hops["session"] for word in ("credentials", "user", "password_file", "session_info"))
    assert "wrong" not in str(hops)
    assert len(switch.requests) == count, "doctor does not use up attempts"


@pytest.mark.parametrize("status, words", [("disabled", "disabled"), ("initializing", "starting")])
def test_switch_that_is_not_ready(pbx, start, status, words):
    switch = pbx()
    switch.set_status(status)
    daemon, console = begin(start, switch)
    wait_source(console, "connecting", status, SOON)
    code, hops = doctor(daemon)
    assert code == 1 and len(failing(hops)) == 1, hops
    assert words in next(iter(failing(hops).values()))


def test_switch_that_has_just_been_disabled_without_a_word(pbx, start):
    switch = pbx()
    daemon, _ = watching(start, switch)
    switch.do(lambda: setattr(switch, "status", "disabled"))
    code, hops = doctor(daemon)
    assert code == 1 and list(failing(hops)) == ["system status"] and "enable it" in hops["system status"], hops


@pytest.mark.parametrize("hello", [BER, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_not_csta(pbx, start, hello):
    switch = pbx()
    switch.misbehave("hello", times=None, data=hello)
    daemon, console = begin(start, switch)
    wait_source(console, "connection_error", "", SOON)
    code, hops = doctor(daemon)
    assert code == 1 and any("does not speak CSTA in XML" in sentence for sentence in failing(hops).values()), hops


def test_wrong_port(pbx, start, free_port):
    daemon, console = begin(start, pbx(), server=f"127.0.0.1:{free_port}")
    wait_source(console, "connection_error", "nothing listens there", SOON)
    code, hops = doctor(daemon)
    first, sentence = next(iter(failing(hops).items()))
    assert code == 1 and first.startswith("tcp") and "nothing listens there" in sentence, hops


def test_name_that_does_not_exist(pbx, start, free_port):
    daemon, console = begin(start, pbx(), server="pbx.example.test", resolvers=[f"127.0.0.1:{free_port}"])
    wait_source(console, "connection_error", "pbx.example.test", 15)
    code, hops = doctor(daemon)
    assert code == 1 and next(iter(failing(hops))).startswith("dns"), hops


def test_switch_that_lets_no_line_be_seen(pbx, start):
    switch = pbx()
    switch.misbehave("error", times=None, request="MonitorStart", error="privilegeViolationSpecifiedDevice")
    daemon, console = begin(start, switch)
    for number in switch.model.devices:
        wait_status(console, number, "access_denied", SOON)
    code, hops = doctor(daemon)
    assert code == 1 and list(failing(hops)) == ["lines"], hops
    assert all(word in hops["lines"] for word in ("none of the 6 lines", "privilegeViolationSpecifiedDevice", "20"))


def test_switch_that_knows_none_of_our_lines(pbx, start):
    switch = pbx()
    daemon, console = begin(start, switch, [person("901"), person("902")])
    for number in ("901", "902"):
        wait_status(console, number, "not_found", SOON)
    code, hops = doctor(daemon)
    assert code == 1 and "none of the 2 lines" in hops["lines"] and "invalidDeviceID" in hops["lines"], hops


def test_one_line_that_is_refused_is_nobodys_else_fault(pbx, start):
    switch = pbx()
    daemon, console = begin(start, switch, [person("201"), person("901")])
    wait_status(console, "901", "not_found", SOON)
    wait_truth(console, switch, SOON, ["201"])
    assert doctor(daemon)[0] == 0


def test_switch_that_hangs(pbx, start):
    switch = pbx()
    daemon, _ = watching(start, switch)
    switch.misbehave("swallow", request="RequestSystemStatus")
    code, hops = doctor(daemon)
    assert code == 1 and list(failing(hops)) == ["system status"], hops
    assert "does not answer" in hops["system status"]


def test_switch_that_is_lost_meanwhile(pbx, start):
    switch = pbx()
    daemon, _ = watching(start, switch)
    switch.misbehave("swallow", request="RequestSystemStatus")
    count = switch.counters["RequestSystemStatus"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        told = pool.submit(doctor, daemon)
        switch.wait(lambda: switch.counters["RequestSystemStatus"] > count, "the question of doctor")
        switch.close_connections()
        code, hops = told.result(DEADLINE)
    assert code == 1 and "lost" in next(iter(failing(hops).values())), hops


def test_source_that_is_stopped_meanwhile(pbx, start):
    switch = pbx()
    daemon, console = watching(start, switch)
    switch.misbehave("swallow", request="RequestSystemStatus")
    count = switch.counters["RequestSystemStatus"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        told = pool.submit(doctor, daemon)
        switch.wait(lambda: switch.counters["RequestSystemStatus"] > count, "the question of doctor")
        stopped = time.monotonic()
        console.call("sources.stop", name="switch")
        code, hops = told.result(DEADLINE)
    assert code == 1 and "stopped meanwhile" in next(iter(failing(hops).values())), hops
    assert time.monotonic() - stopped < 5
