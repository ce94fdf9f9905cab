# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the container tests. After every test the host must be as it was before: see `nothing_left`."""

import os
import shutil
import subprocess

import pytest

import fields
import harness
import terminals


def pytest_addoption(parser):
    parser.addoption("--fields", metavar="PLACE,...", default="",
                     help="show which test proves that a field of config.json works: of those that begin so")


def pytest_configure(config):
    # Started by run.sh, which makes the surroundings; without them the tests would change the host.
    if os.geteuid() != 0 or not (harness.SYSTEMD or (harness.OWN_CGROUP / "cgroup.procs").exists()):
        raise pytest.UsageError("start these tests with 'sudo tests/containers/run.sh'")
    if not os.access(harness.PROGRAM, os.X_OK):
        raise pytest.UsageError(f"no program at {harness.PROGRAM}: build it, or set OCI_RUN")
    harness.become_subreaper()
    if config.getoption("--fields"):
        config.pluginmanager.register(fields.Plugin(tuple(config.getoption("--fields").split(","))))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a skip is a failure, unless the kernel is the reason; in the virtual machine it has all that tests need."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2]
        if "kernel:" not in reason or "OCI_RUN_VM" in os.environ:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"


def pytest_terminal_summary(terminalreporter):
    """The reason of each skip, and the counts as tests/run.sh reads them."""
    count = lambda *outcomes: sum(len(terminalreporter.stats.get(outcome, [])) for outcome in outcomes)
    mode = " --systemd" if harness.SYSTEMD else ""
    for report in terminalreporter.stats.get("failed", []) + terminalreporter.stats.get("error", []):
        again = f"tests/containers/run.sh{mode} '{report.nodeid}'"
        if "OCI_RUN_VM" in os.environ:
            security = " --security selinux" if harness.selinux_is_on() else ""
            again = f'tests/vm/run.sh{mode}{security} "{again}"'
        terminalreporter.write_line(f"to run it alone: sudo OCI_RUN={harness.PROGRAM} {again}")
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"skipped: {report.nodeid}: {report.longrepr[2]}")
    terminalreporter.write_line(
        f"{count('passed')} passed, {count('failed', 'error')} failed, {count('skipped')} skipped")


@pytest.fixture(scope="session")
def session():
    # A tmpfs that run.sh has mounted; it goes with our private mount namespace.
    return harness.Session(os.environ["OCI_RUN_TESTS_FOLDER"])


@pytest.fixture(scope="session")
def surroundings(session):
    return harness.Surroundings(session.folder / "state")


@pytest.fixture(autouse=True)
def nothing_left(surroundings):
    """First set up, so last torn down."""
    yield
    surroundings.check()


@pytest.fixture
def oci(session, new_bundle):
    """After `new_bundle`, so its containers are gone before the bundles are."""
    program = harness.Oci(session.folder)
    yield program
    program.delete_all()


@pytest.fixture
def new_bundle(session, nothing_left):
    """Makes bundles; their folders are removed afterwards, which fails while anything is mounted there."""
    bundles = []

    def make():
        bundles.append(session.bundle())
        return bundles[-1]

    yield make
    for bundle in bundles:
        shutil.rmtree(bundle.path)


@pytest.fixture
def bundle(new_bundle):
    return new_bundle()


@pytest.fixture
def container(oci, bundle):
    """One that runs and does nothing."""
    return oci.run_detached(bundle.sh("sleep 100000"))


@pytest.fixture
def console(bundle):
    """A console socket that listens."""
    one = terminals.Console(bundle.path / "console.sock")
    yield one
    one.close()


@pytest.fixture
def holder(nothing_left):
    """Makes processes that hold namespaces: holder("--net")."""
    holders = []

    def make(*options):
        holders.append(harness.Holder(*options))
        return holders[-1]

    yield make
    for one in holders:
        one.close()


@pytest.fixture
def host_mount(nothing_left):
    """Mounts on the host's side and unmounts afterwards: host_mount("-t", "tmpfs", "none", path)."""
    targets = []

    def mount(*args):
        subprocess.run(["mount", *map(str, args)], check=True)
        targets.append(str(args[-1]))

    yield mount
    for target in reversed(targets):
        subprocess.run(["umount", "--recursive", target], check=True)
