# SPDX-License-Identifier: Apache-2.0
"""Below a seccomp filter that a sandbox has put around the runtime: it works all the same, or says which call is
forbidden and by what. Where it works, tests/security/filtered.sh runs other tests there, too."""

import pathlib
import subprocess

import pytest

import harness


@pytest.fixture
def forbid(bundle, monkeypatch):
    """From then on the program under test may not make these calls."""
    real = harness.PROGRAM

    def build(*calls, error):
        program = bundle.path / "filtered"
        forbidden = ",".join(f"SYS_{call}" for call in calls)
        subprocess.run(["gcc", "-static", "-Wall", "-Werror", f"-DFORBIDDEN={forbidden}", f"-DERROR={error}",
                        f'-DPROGRAM="{real}"', pathlib.Path(__file__).with_name("filtered.c"), "-o", program], check=True)
        monkeypatch.setattr(harness, "PROGRAM", str(program))

    return build


ERRORS = pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])


@ERRORS
def test_works_without(oci, bundle, forbid, error):
    forbid("openat2", "close_range", error=error)
    source = bundle.path / "source"
    source.mkdir()
    container = oci.run_detached(bundle.bind(source, "/new/folder").sh("probe descriptors; sleep 100000"))
    container.wait_output("0 1 2 \n")
    assert container.exec("/bin/probe", "descriptors").succeeded().out == "0 1 2 \n"
    container.delete("--force")


@ERRORS
@pytest.mark.parametrize("call", ["clone3", "pidfd_open", "open_tree", "move_mount", "fsopen", "fsmount", "fsconfig",
                                  "mount_setattr"])
def test_says_what_is_forbidden(oci, bundle, forbid, call, error):
    forbid(call, error=error)
    oci.run(bundle.sh("true")).failed(f"(a seccomp filter around oci-run forbids {call})")


@ERRORS
@pytest.mark.parametrize("call", ["clone3", "pidfd_open"])
def test_says_what_is_forbidden_to_exec(container, forbid, call, error):
    forbid(call, error=error)
    container.exec("/bin/true").failed(f"(a seccomp filter around oci-run forbids {call})", rc=255)
