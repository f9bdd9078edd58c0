"""What the doctor says of the service's environment."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from compassd.doctor.service import check_ways


@contextmanager
def process(environment: Mapping[str, str]) -> Iterator[int]:
    """A process with that environment."""
    command = ["/bin/sh", "-c", "echo ready; read -r end"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        child.stdout.readline()
        yield child.pid
        child.communicate("\n")


def test_nothing_to_say_of_the_same_ways() -> None:
    with process({"HTTPS_PROXY": "http://proxy.example", "HOME": "/a", "NO_PROXY": ""}) as pid:
        assert list(check_ways(pid, {"https_proxy": "http://proxy.example", "HOME": "/b"})) == []


def test_other_ways_are_named_without_their_passwords() -> None:
    with process({"HTTPS_PROXY": "http://me:TOPSECRET@proxy.example"}) as pid:
        (finding,) = check_ways(pid, {"REQUESTS_CA_BUNDLE": "/a"})
        assert str(finding).startswith(
            "warn  environment: not the same for the service as here: https_proxy, requests_ca_bundle; "
        )
        assert "TOPSECRET" not in str(finding)
        # The name in lower case wins.
        (finding,) = check_ways(pid, {"HTTPS_PROXY": "http://me:TOPSECRET@proxy.example", "https_proxy": "b"})
        assert "here: https_proxy;" in str(finding)


def test_a_service_that_has_just_ended_is_passed_over() -> None:
    with process({"HTTPS_PROXY": "a"}) as pid:
        pass
    assert list(check_ways(pid, {})) == []
