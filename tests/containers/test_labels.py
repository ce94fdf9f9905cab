# SPDX-License-Identifier: Apache-2.0
"""Labels of the Linux security modules: process.apparmorProfile, process.selinuxLabel, linux.mountLabel. With SELinux:
selinux/."""

import pathlib
import subprocess

import pytest

from harness import selinux_is_on

SECURITYFS = pathlib.Path("/sys/kernel/security")
PROFILE = """profile oci-run-test flags=(attach_disconnected, mediate_deleted) {
  capability, network, mount, umount, signal, ptrace, unix,
  file,
  deny /etc/forbidden r,
}
"""


def apparmor_is_on():
    parameter = pathlib.Path("/sys/module/apparmor/parameters/enabled")
    return parameter.exists() and parameter.read_text().startswith("Y")


@pytest.fixture
def profile():
    if not apparmor_is_on():
        pytest.skip("kernel: no AppArmor here")
    mounted = not (SECURITYFS / "apparmor").exists()
    if mounted:
        subprocess.run(["mount", "-t", "securityfs", "securityfs", SECURITYFS], check=True)
    parser = ["apparmor_parser", "--skip-cache"]
    subprocess.run([*parser, "--replace"], input=PROFILE, text=True, check=True)
    yield "oci-run-test"
    subprocess.run([*parser, "--remove"], input=PROFILE, text=True, check=True)
    if mounted:
        subprocess.run(["umount", SECURITYFS], check=True)


@pytest.mark.parametrize("user_namespace", [False, True])
@pytest.mark.parametrize("no_new_privileges", [False, True])
def test_apparmor_profile(oci, bundle, profile, user_namespace, no_new_privileges):
    if user_namespace:
        bundle.user_namespace()
    bundle.process["apparmorProfile"] = profile
    bundle.process["noNewPrivileges"] = no_new_privileges
    container = oci.run_detached(bundle.args("sleep", "1000"))
    assert container.proc("attr/current").strip() == "oci-run-test (enforce)"
    # exec gets what init got, and the kernel enforces it.
    assert container.exec("cat", "/proc/self/attr/current").succeeded().out.strip() == "oci-run-test (enforce)"
    (bundle.rootfs / "etc/forbidden").write_text("secret")
    assert "Permission denied" in container.exec("cat", "/etc/forbidden").err


def test_apparmor_profile_of_exec(oci, bundle, profile):
    container = oci.run_detached(bundle.args("sleep", "1000"))
    own = lambda name: oci("exec", "--apparmor", name, container.id, "cat", "/proc/self/attr/current")
    assert own(profile).succeeded().out.strip() == "oci-run-test (enforce)"
    own("no-such-profile").failed("set AppArmor profile no-such-profile", "no such file or directory", rc=255)


def test_hooks_are_not_confined(oci, bundle, profile):
    bundle.process["apparmorProfile"] = profile
    bundle.hook("startContainer", "/bin/sh", "-c", "cat /proc/self/attr/current >/hook-label")
    oci.run(bundle.args("true")).succeeded()
    assert (bundle.rootfs / "hook-label").read_text().strip() == "unconfined"


def test_unknown_apparmor_profile(oci, bundle, profile):
    bundle.process["apparmorProfile"] = "no-such-profile"
    oci.run(bundle.args("true")).failed("set AppArmor profile no-such-profile", "no such file or directory")


@pytest.mark.skipif(apparmor_is_on(), reason="kernel: AppArmor is on")
def test_apparmor_profile_without_apparmor(oci, bundle):
    bundle.process["apparmorProfile"] = "some-profile"
    oci.run(bundle.args("true")).failed("/process/apparmorProfile: AppArmor is not enabled on this machine")


@pytest.mark.skipif(selinux_is_on(), reason="kernel: SELinux is on")
@pytest.mark.parametrize("pointer", ["/process/selinuxLabel", "/linux/mountLabel"])
def test_selinux_labels_without_selinux(oci, bundle, pointer):
    _, parent, name = pointer.split("/")
    bundle.config[parent][name] = "system_u:object_r:container_file_t:s0:c1,c2"
    oci.run(bundle.args("true")).failed(f"{pointer}: SELinux is not enabled on this machine")
