"""A switch behind TLS: who is believed, and what is said of who is not.

SPDX-License-Identifier: MIT
"""

import pytest

from tapi_world import (LOST, Lamps, begin, details, doctor, hear_all, pause, pbx, telephony, wait_source, wait_status,
                        wait_truth, watching)

from kamailio import authority, certificate, openssl  # after tapi_world, which knows the way

__all__ = ["pbx"]  # fixtures
SOON = 5
NAME = "pbx.example.test"


@pytest.fixture(scope="session")
def ca_file():
    return str(authority() / "ca.pem")


@pytest.fixture(scope="session")
def other_ca(tmp_path_factory):
    """The certificate of an authority that has signed nothing."""
    folder = tmp_path_factory.mktemp("other")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=another authority", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    return str(folder / "ca.pem")


def secure(pbx, extensions="201-206", /, **options):
    """A switch whose certificate our authority has signed."""
    return pbx(extensions, transport="tls", certificate=tuple(str(part) for part in certificate(NAME)), **options)


def failing(hops):
    return {hop: sentence for hop, sentence in hops.items() if sentence}


@pytest.mark.parametrize("segments", ["whole", "joined", "bytes"])
def test_calls_by_tls(pbx, start, ca_file, segments):
    switch = secure(pbx, segments=segments, session="required", user="presence", password="secret")
    daemon, console = watching(start, switch, transport="tls", ca_file=ca_file, cert_host=NAME)
    lamps = Lamps(switch, console)
    switch.call("201", "202")
    switch.answer("202")
    switch.hold("202")
    switch.set_dnd("203")
    hear_all(console, switch)
    wait_truth(console, switch, SOON)
    lamps.check()
    assert "(tls)" in details(console)["peer"]
    assert doctor(daemon)[0] == 0
    daemon.stop()
    switch.wait(lambda: switch.connections() == 0, "the end", SOON)
    assert switch.counters["StopApplicationSession"] == 1


def test_largest_document_and_200_calls_by_tls(pbx, start, ca_file):
    switch = secure(pbx, "2001-2400")
    _, console = watching(start, switch, transport="tls", ca_file=ca_file, cert_host=NAME)
    for number in range(2001, 2201):
        switch.call(number, number + 200)
        if number % 40 == 0:
            switch.misbehave("big_document")
    wait_truth(console, switch, 10)
    assert details(console)["connections"] == 1


@pytest.mark.parametrize("reset", [False, True])
def test_connection_by_tls_is_made_again(pbx, start, ca_file, reset):
    switch = secure(pbx)
    _, console = watching(start, switch, transport="tls", ca_file=ca_file, cert_host=NAME)
    switch.close_connections(reset=reset)
    wait_status(console, "203", "stale", SOON)
    switch.call("201", "202")
    wait_truth(console, switch, SOON, how=LOST)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_version_that_is_set(pbx, start, ca_file, version):
    _, console = begin(start, secure(pbx), transport="tls", ca_file=ca_file, cert_host=NAME, tls_min=version,
                       tls_max=version)
    wait_source(console, "up")


def refused(start, switch, status="connection_error", /, **options):
    """What is said of a switch that is not believed, by the source and by doctor."""
    daemon, console = begin(start, switch, **options)
    why = wait_source(console, status, "", 10)["why"]
    code, hops = doctor(daemon)
    assert code == 1
    assert telephony(console, "201")["status"] in ("requesting", "error")
    return why, failing(hops)


def test_certificate_of_another_name(pbx, start, ca_file):
    why, hops = refused(start, secure(pbx), transport="tls", ca_file=ca_file, cert_host="wrong.test")
    assert NAME in why and "wrong.test" in why and "cert_host" in why
    assert any(hop.startswith("tls ") and "cert_host" in sentence for hop, sentence in hops.items()), hops


def test_certificate_for_an_address_that_is_not_in_it(pbx, start, ca_file):
    why, _ = refused(start, secure(pbx), transport="tls", ca_file=ca_file)
    assert NAME in why and "127.0.0.1" in why and "cert_host" in why


def test_certificate_of_another_authority(pbx, start, other_ca):
    why, hops = refused(start, secure(pbx), transport="tls", ca_file=other_ca, cert_host=NAME)
    assert "not believed" in why and "ca_file" in why
    assert any(hop.startswith("tls ") and "ca_file" in sentence for hop, sentence in hops.items()), hops


def test_certificate_of_an_authority_that_the_system_does_not_know(pbx, start):
    why, _ = refused(start, secure(pbx), transport="tls", cert_host=NAME)
    assert "not believed" in why and "ca_file" in why


def test_certificate_that_is_not_checked_is_said_loudly(pbx, start, other_ca):
    switch = secure(pbx)
    daemon, console = watching(start, switch, transport="tls", tls_verify=False)
    wait_source(console, "up", "tls_verify")
    assert "not_verified" in daemon.log_text()


def test_plain_to_a_tls_port(pbx, start):
    why, hops = refused(start, secure(pbx), transport="tcp")
    assert "port" in why and "transport" in why
    assert list(hops) == ["connection"] and "transport" in hops["connection"]


def test_tls_to_a_plain_port(pbx, start):
    switch = pbx()
    pbx.forgive(switch, "bytes 0-1 of a frame are 16 03")
    why, hops = refused(start, switch, transport="tls")
    assert "TLS" in why and "port" in why
    assert any(hop.startswith("tls ") and "TLS" in sentence for hop, sentence in hops.items()), hops


def test_tls_to_a_plain_port_that_waits(pbx, start):
    """It takes the first bytes for the beginning of something long."""
    switch = pbx()
    switch.freeze()
    daemon, console = begin(start, switch, transport="tls")
    pause(1)
    assert console.source()["status"] == "connecting"
    code, hops = doctor(daemon)
    assert code == 1 and any("TLS" in sentence for sentence in failing(hops).values()), hops
    pbx.forgive(switch, "bytes 0-1 of a frame are 16 03")


def test_certificate_that_is_renewed_and_wrong_is_noticed_at_the_next_connection(pbx, start, ca_file, tmp_path):
    """The states are stale, and not believed anew."""
    switch = secure(pbx)
    _, console = watching(start, switch, {"hold": "60s"}, transport="tls", ca_file=ca_file, cert_host=NAME)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}",
            "-out", tmp_path / "cert.pem", "-keyout", tmp_path / "key.pem")
    good = switch.certificate
    switch.stop()
    switch.certificate = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    switch.start()
    wait_source(console, "connection_error", "not believed", 20)
    assert telephony(console, "201")["status"] == "stale"
    switch.stop()
    switch.certificate = good
    switch.start()
    console.call("sources.restart", name="switch")
    wait_truth(console, switch, SOON, how=LOST)
