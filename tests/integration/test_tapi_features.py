"""Do Not Disturb, forwarding and lines out of service, as a switch tells them, and which of them wins.

SPDX-License-Identifier: MIT
"""

import pytest

from tapi_world import (PILOT, Lamps, asked, begin, details, hear_all, pbx, person, telephony, user_of,
                        wait_truth, watching)

from csta_model import AGENT_EVENTS, FORWARDS  # after tapi_world, which knows the way

__all__ = ["pbx"]  # fixtures
SOON = 5
UNCONDITIONAL = ("forwardImmediate", "forwardImmInt", "forwardImmExt")


def rest(console, switch):
    hear_all(console, switch, SOON)
    wait_truth(console, switch, SOON)


def mode(console, number="201"):
    half = telephony(console, number)
    return half["mode"], half["line"]


# ---- which wins -----------------------------------------------------------------------------


def test_dnd_over_forwarded_over_busy_over_available(pbx, start):
    """Every step is an event of the switch; the line is shown whatever wins."""
    switch = pbx()
    _, console = watching(start, switch)
    lamps = Lamps(switch, console)
    forward = ("set_forward", "201", "forwardImmediate")
    steps = [(("call", "202", "201"), "busy", "ringing"),
             (("answer", "201"), "busy", "busy"),
             ((*forward, True, PILOT), "forwarded_to_voicemail", "busy"),
             ((*forward, True, "203"), "forwarded_to_phone", "busy"),
             (("set_dnd", "201"), "dnd", "busy"),
             ((*forward, True, PILOT), "dnd", "busy"),
             (("hang_up", "202"), "dnd", "idle"),
             (("set_dnd", "201", False), "forwarded_to_voicemail", "idle"),
             (("call", "201", "202"), "forwarded_to_voicemail", "busy"),
             ((*forward, False), "busy", "busy"),
             (("hang_up", "201"), "available", "idle"),
             (("out_of_service", "201"), "offline", "offline"),
             ((*forward, True, "203"), "forwarded_to_phone", "offline"),
             (("set_dnd", "201"), "dnd", "offline"),
             (("set_dnd", "201", False), "forwarded_to_phone", "offline"),
             ((*forward, False), "offline", "offline"),
             (("back_in_service", "201"), "available", "idle")]
    for (operation, *arguments), wanted, line in steps:
        getattr(switch, operation)(*arguments)
        rest(console, switch)
        assert mode(console) == (wanted, line), f"after {operation} {arguments}"
        assert console.table["u201"]["overall"] == wanted
    lamps.check()


def test_what_was_set_before_is_asked(pbx, start):
    switch = pbx("201-206")
    switch.set_dnd("201")
    switch.set_forward("202", "forwardImmediate", True, PILOT)
    switch.set_forward("203", "forwardImmediate", True, "+302118840101")
    switch.set_forward("204", "forwardBusy", True, PILOT)
    switch.set_forward("205", "forwardImmediate", False, PILOT, 3)
    switch.out_of_service("206")
    switch.set_dnd("206")

    _, console = begin(start, switch)
    wait_truth(console, switch)

    assert [mode(console, n) for n in switch.model.devices] == [
        ("dnd", "idle"), ("forwarded_to_voicemail", "idle"), ("forwarded_to_phone", "idle"), ("available", "idle"),
        ("available", "idle"), ("dnd", "offline")]


# ---- kinds of forwarding --------------------------------------------------------------------


@pytest.mark.parametrize("dialect", [{}, {"devices": "name"}, {"devices": "tel"}, {"forward_to": False}], ids=str)
def test_only_forwarding_without_condition_is_forwarded(pbx, start, dialect):
    """By events, and asked for."""
    switch = pbx([str(n) for n in range(201, 201 + len(FORWARDS))], dialect=dialect)
    _, console = watching(start, switch)
    for number, kind in zip(switch.model.devices, FORWARDS):
        switch.set_forward(number, kind, True, PILOT, 4)
    rest(console, switch)
    wanted = {number: "forwarded_to_voicemail" if kind == "forwardImmediate" else "available"
              for number, kind in zip(switch.model.devices, FORWARDS)}
    assert {number: mode(console, number)[0] for number in wanted} == wanted

    console.call("sources.restart", name="switch")
    console.wait(lambda: telephony(console, "201")["status"] != "ok", "a new beginning")
    wait_truth(console, switch)
    assert {number: mode(console, number)[0] for number in wanted} == wanted


@pytest.mark.parametrize("first, second", [("forwardImmInt", "forwardImmExt"), ("forwardImmExt", "forwardImmInt")])
def test_forwarding_of_inside_and_outside_callers_together_is_forwarded(pbx, start, first, second):
    """To where those from outside go."""
    switch = pbx()
    _, console = watching(start, switch)
    lamps = Lamps(switch, console)
    targets = {"forwardImmInt": "203", "forwardImmExt": PILOT}
    for step, wanted in ((first, "available"), (second, "forwarded_to_voicemail")):
        switch.set_forward("201", step, True, targets[step])
        rest(console, switch)
        assert mode(console)[0] == wanted
    switch.set_forward("201", "forwardImmediate", True, "204")
    rest(console, switch)
    assert telephony(console, "201")["forward"] == {"kind": "phone", "target": "204"}, "all calls are more"
    switch.set_forward("201", "forwardImmediate", False)
    rest(console, switch)
    assert telephony(console, "201")["forward"] == {"kind": "voicemail", "target": PILOT}
    switch.set_forward("201", first, False)
    rest(console, switch)
    assert telephony(console, "201")["forward"] is None
    lamps.check()


def test_busy_forward_is_no_forward_even_when_it_acts(pbx, start):
    switch = pbx()
    _, console = watching(start, switch)
    lamps = Lamps(switch, console)
    for kind in FORWARDS:
        if kind not in UNCONDITIONAL:
            switch.set_forward("202", kind, True, "203")
    for number in ("204", "205"):
        switch.call(number, "202")
    switch.call("201", "202")
    rest(console, switch)
    assert mode(console, "203") == ("busy", "ringing"), "the third call has gone there"
    assert telephony(console, "202")["forward"] is None and mode(console, "202") == ("busy", "ringing")
    lamps.check()


def test_forward_that_is_programmed_and_off(pbx, start):
    switch = pbx()
    _, console = watching(start, switch)
    switch.set_forward("201", "forwardImmediate", True, "203")
    rest(console, switch)
    switch.set_forward("201", "forwardImmediate", False, "203")
    rest(console, switch)
    assert telephony(console, "201")["forward"] is None


def test_forward_event_without_a_type_is_asked_about(pbx, start):
    switch = pbx(dialect={"forward_to": False})
    _, console = watching(start, switch)
    switch.set_forward("201", "forwardImmediate", True, PILOT)
    rest(console, switch)
    switch.set_forward("201", "forwardNoAns", True, "203")
    rest(console, switch)
    assert telephony(console, "201")["forward"] == {"kind": "voicemail", "target": PILOT}
    switch.set_forward("201", "forwardImmediate", False)
    rest(console, switch)
    assert telephony(console, "201")["forward"] is None


# ---- numbers --------------------------------------------------------------------------------

NUMBERS = {"country": "44", "international": "00", "national": "0", "outside": ["9"], "extension_digits": 4,
           "did": [{"prefix": "+44207084", "keep": 4}]}
PILOT_SPELT = ["8000", "tel:8000", "sip:8000@pbx", "sips:8000@pbx;user=phone", "N<8000>Voice mail",
               "N<8000>Voice mail;displayNumber=8000", "N<+442070848000>Voice mail", "+442070848000",
               "+44 20 7084-8000", "+44 (20) 7084.8000", "00442070848000", "02070848000", "902070848000",
               "9 00 44 20 7084 8000", "tel:+442070848000", "tel:+44-20-7084-8000;ext=9", "sip:+442070848000@pbx",
               "sip:00442070848000@pbx;transport=tcp"]
OWN_SPELT = ["8123", "tel:8123", "sip:8123@pbx", "N<8123>Own box", "+442070848123", "00442070848123", "02070848123",
             "902070848123", "tel:+44 20 7084 8123", "sip:+442070848123@pbx"]
PHONE_SPELT = ["18000", "80000", "800", "8001", "tel:8001", "+442070858000", "00442070858000", "sip:mobile@pbx",
               "N<203>Cid Doe", "+302118840101", "+44207084800", "442070848000", "8124"]


def inside(spelt):
    """What is told of a target: as the switch wrote it, but of N<..> the number."""
    return spelt[2:spelt.index(">")] if spelt.startswith("N<") else spelt


@pytest.mark.parametrize("asked_for", [False, True], ids=["told", "asked"])
@pytest.mark.parametrize("voicemail", ["8123", "+442070848123", "00442070848123", "sip:8123@pbx"])
def test_target_is_voicemail_or_a_phone_however_it_is_written(pbx, start, asked_for, voicemail):
    spelt = [(one, "voicemail") for one in PILOT_SPELT + OWN_SPELT] + [(one, "phone") for one in PHONE_SPELT]
    numbers = [str(2001 + n) for n in range(len(spelt))]
    switch = pbx(numbers)

    def forward_all():
        for number, (target, _) in zip(numbers, spelt):
            switch.set_forward(number, "forwardImmediate", True, target)

    if asked_for:
        forward_all()
    users = [person(number, voicemail=voicemail) for number in numbers]
    _, console = begin(start, switch, users, {"numbers": NUMBERS})
    if not asked_for:
        console.wait(lambda: all(console.table[user["id"]]["telephony"].get("mode") == "available" for user in users),
                     "nobody is forwarded")
        forward_all()
    wanted = {number: {"kind": kind, "target": inside(target)} for number, (target, kind) in zip(numbers, spelt)}

    def shown():
        return {number: telephony(console, number).get("forward") for number in numbers}

    console.wait(lambda: telephony(console, numbers[-1]).get("forward"), "the last is forwarded", SOON)
    if asked_for:
        console.wait(lambda: all(shown().values()), "all are forwarded", SOON)
    assert shown() == wanted
    assert {number: telephony(console, number)["mode"] for number in numbers} == {
        number: "forwarded_to_" + wanted[number]["kind"] for number in numbers}


def test_voicemail_of_somebody_else_is_a_phone(pbx, start):
    switch = pbx()
    users = [person("201", voicemail="8123"), person("202", voicemail="8124")]
    _, console = begin(start, switch, users)
    wait_truth(console, switch, numbers=["201", "202"])
    for number in ("201", "202"):
        switch.set_forward(number, "forwardImmediate", True, "8123")
    console.wait(lambda: mode(console, "201")[0] == "forwarded_to_voicemail", "the own one", SOON)
    console.wait(lambda: mode(console, "202")[0] == "forwarded_to_phone", "that of a colleague", SOON)


def test_lines_written_in_another_way_in_the_directory(pbx, start):
    """The switch is asked for what the directory says, and its events are understood."""
    switch = pbx(["2001", "2002"], dialect={"local_info": False, "devices": "name"})
    users = [person("2001", line="20 01"), person("2002", line="N<2002>Bob")]
    _, console = begin(start, switch, users)
    wait_truth(console, switch)
    switch.call("2001", "2002")
    rest(console, switch)
    switch.answer("2002")
    rest(console, switch)
    switch.hold("2002")
    rest(console, switch)
    assert mode(console, "2002") == ("busy", "held") and mode(console, "2001") == ("busy", "busy")


# ---- lines out of service -------------------------------------------------------------------


@pytest.mark.parametrize("local_info", [True, False])
def test_out_of_service_and_back(pbx, start, local_info):
    switch = pbx(dialect={"local_info": local_info})
    _, console = watching(start, switch)
    lamps = Lamps(switch, console)
    switch.call("201", "202")
    switch.answer("202")
    rest(console, switch)

    switch.out_of_service("202")
    rest(console, switch)
    assert mode(console, "202") == ("offline", "offline") and telephony(console, "202")["calls"] == []

    switch.set_forward("202", "forwardImmediate", True, PILOT)
    switch.back_in_service("202")
    rest(console, switch)
    assert mode(console, "202") == ("forwarded_to_voicemail", "idle")
    lamps.check()


def test_line_that_comes_back_is_asked_for_everything(pbx, start):
    """What was set while it was away, and not told."""
    switch = pbx()
    _, console = watching(start, switch)
    switch.out_of_service("202")
    rest(console, switch)
    switch.misbehave("drop_events", times=2, device="202", events=("DoNotDisturb", "Forwarding"))
    switch.set_dnd("202")
    switch.set_forward("202", "forwardImmediate", True, "203")

    switch.back_in_service("202")

    wait_truth(console, switch, SOON)
    assert mode(console, "202") == ("dnd", "idle")


def test_line_that_was_out_of_service_from_the_beginning_comes_back(pbx, start):
    switch = pbx()
    switch.out_of_service("202")
    _, console = watching(start, switch)
    assert mode(console, "202") == ("offline", "offline")
    switch.back_in_service("202")
    rest(console, switch)
    switch.call("201", "202")
    rest(console, switch)
    assert mode(console, "202") == ("busy", "ringing")


def test_call_at_a_line_that_is_out_of_service_proves_that_it_is_not(pbx, start):
    """Its coming back was not told."""
    switch = pbx()
    _, console = watching(start, switch)
    switch.out_of_service("202")
    rest(console, switch)
    switch.misbehave("drop_events", device="202", events="BackInService")
    switch.back_in_service("202")
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    assert mode(console, "202") == ("busy", "ringing")


# ---- what changes nothing -------------------------------------------------------------------


@pytest.mark.parametrize("busy", [False, True])
def test_events_of_agents_change_nothing(pbx, start, busy):
    switch = pbx()
    _, console = watching(start, switch)
    if busy:
        switch.call("202", "201")
        switch.answer("201")
        rest(console, switch)
    console.notifications.clear()
    questions = len(switch.requests)

    for what in AGENT_EVENTS:
        switch.set_agent("201", what, "700")
    hear_all(console, switch, SOON)
    console.barrier()

    assert [m for m in console.notifications if m["params"].get("user") == user_of("201")] == []
    assert len(switch.requests) == questions, "nothing is asked because of them"


def test_events_that_nobody_knows_change_nothing(pbx, start):
    switch = pbx()
    _, console = watching(start, switch)
    for kind in ("unknown_event", "unknown_reference", "no_reference", "long_text"):
        switch.misbehave(kind)
    switch.call("201", "202")
    wait_truth(console, switch, SOON)
    found = details(console)
    assert found["bad_documents"] == 0 and found["connections"] == 1 and found["events_of_nobody"] >= 2
    assert asked(switch, "SnapshotDevice") == len(switch.model.devices), "none was asked anew"
