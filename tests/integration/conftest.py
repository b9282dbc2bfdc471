"""Fixtures of the integration tests. SPDX-License-Identifier: MIT"""

import os

import pytest

import presenced


@pytest.fixture
def start():
    """start(config, users, sources, ..) gives a running Daemon, which must also end well."""
    daemons = []

    def run(*arguments, **options):
        daemon = presenced.Daemon(*arguments, **options)
        daemons.append(daemon)
        return daemon

    yield run
    errors = []
    for daemon in daemons:
        try:
            daemon.remove()
        except Exception as error:  # the others must be ended too
            errors.append(error)
    if errors:
        raise errors[0]


@pytest.fixture
def as_root():
    """Whoever is root or runs the daemon has every permission, so only root can show what others have."""
    if os.geteuid() != 0:
        pytest.skip("only root can connect as another account")
