# SPDX-License-Identifier: Apache-2.0
"""linux.seccomp: actions, arguments, and what the filter does to system calls that nobody knew of."""

import errno
import signal
import subprocess

import pytest

from harness import status_fields


def number(name):
    """The number of a system call on this machine, from the kernel's headers."""
    source = f"#include <sys/syscall.h>\nSYS_{name}\n"
    out = subprocess.run(["gcc", "-E", "-P", "-x", "c", "-"], input=source, capture_output=True, text=True, check=True)
    return int(out.stdout.split()[-1])


def rule(action, *names, args=None, errno_ret=None):
    entry = {"names": list(names), "action": action}
    if args is not None:
        entry["args"] = args
    if errno_ret is not None:
        entry["errnoRet"] = errno_ret
    return entry


def seccomp(bundle, *rules, default="SCMP_ACT_ALLOW", **more):
    bundle.linux["seccomp"] = {"defaultAction": default, "syscalls": list(rules), **more}
    return bundle


def call(oci, bundle, name_or_number, *arguments):
    """Result and errno of one system call inside."""
    if isinstance(name_or_number, str):
        name_or_number = number(name_or_number)
    bundle.args("/bin/probe", "syscall", str(name_or_number), *map(str, arguments))
    result, error = oci.output_of(bundle).split()
    return int(result), int(error)


def test_errno_is_eperm_by_default(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid"))
    assert call(oci, bundle, "getpgid", 0) == (-1, errno.EPERM)


def test_errno_of_a_rule(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", errno_ret=errno.EXDEV))
    assert call(oci, bundle, "getpgid", 0) == (-1, errno.EXDEV)


def test_a_filter_is_loaded(oci, bundle):
    fields = status_fields(oci.output_of(seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid")), "cat /proc/self/status"))
    assert fields["Seccomp"] == "2" and fields.get("Seccomp_filters", "1") == "1"


def test_without_seccomp_there_is_no_filter(oci, bundle):
    bundle.linux.pop("seccomp", None)
    assert status_fields(oci.output_of(bundle, "cat /proc/self/status"))["Seccomp"] == "0"


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"])
def test_kill_and_trap(oci, bundle, action):
    seccomp(bundle, rule(action, "getpgid")).args("/bin/probe", "syscall", str(number("getpgid")), "0")
    assert oci.run(bundle).rc == 128 + signal.SIGSYS


def test_log_lets_pass(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_LOG", "getpgid"))
    assert call(oci, bundle, "getpgid", 0) == (1, 0)


def test_trace_without_a_tracer_is_enosys(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_TRACE", "getpgid"))
    assert call(oci, bundle, "getpgid", 0) == (-1, errno.ENOSYS)


# ---- arguments: getpgid(pid) knows process 1 only (itself); 77 comes from the filter

@pytest.mark.parametrize("op, value, value_two, caught, free", [
    ("SCMP_CMP_EQ", 5, None, [5], [4, 6]),
    ("SCMP_CMP_NE", 5, None, [4, 6], [5]),
    ("SCMP_CMP_LT", 5, None, [4], [5, 6]),
    ("SCMP_CMP_LE", 5, None, [4, 5], [6]),
    ("SCMP_CMP_GT", 5, None, [6], [4, 5]),
    ("SCMP_CMP_GE", 5, None, [5, 6], [4]),
    ("SCMP_CMP_MASKED_EQ", 0xC, 0x4, [4, 5, 7], [8, 12, 3]),
])
def test_argument(oci, bundle, op, value, value_two, caught, free):
    argument = {"index": 0, "value": value, "op": op}
    if value_two is not None:
        argument["valueTwo"] = value_two
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", args=[argument], errno_ret=77))
    for pid in caught:
        assert call(oci, bundle, "getpgid", pid) == (-1, 77)
    for pid in free:
        assert call(oci, bundle, "getpgid", pid) == (-1, errno.ESRCH)


def test_several_arguments_of_one_rule_must_all_match(oci, bundle):
    both = [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "setpriority", args=both, errno_ret=77))
    assert call(oci, bundle, "setpriority", 0, 1, 0) == (-1, 77)
    assert call(oci, bundle, "setpriority", 0, 0, 0) == (0, 0)


def test_several_rules_for_one_call(oci, bundle):
    first = [{"index": 0, "value": 5, "op": "SCMP_CMP_EQ"}]
    second = [{"index": 0, "value": 6, "op": "SCMP_CMP_EQ"}]
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", args=first, errno_ret=77),
            rule("SCMP_ACT_ERRNO", "getpgid", args=second, errno_ret=78))
    assert call(oci, bundle, "getpgid", 5) == (-1, 77)
    assert call(oci, bundle, "getpgid", 6) == (-1, 78)


def test_arguments_are_64_bits_wide(oci, bundle):
    argument = [{"index": 0, "value": 1 << 32, "op": "SCMP_CMP_EQ"}]
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", args=argument, errno_ret=77))
    assert call(oci, bundle, "getpgid", 0) == (1, 0)
    assert call(oci, bundle, "getpgid", 1 << 32) == (-1, 77)


# ---- lists of what is allowed

# What the probe needs to start and to print.
NEEDED = ["execve", "execveat", "exit_group", "exit", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq",
          "prlimit64", "readlink", "readlinkat", "getrandom", "mprotect", "write", "fstat", "newfstatat", "ioctl",
          "uname", "mmap", "futex", "rt_sigaction", "getpgid", "lseek", "statx"]


def test_default_action_errno(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_ALLOW", *NEEDED), default="SCMP_ACT_ERRNO")
    assert call(oci, bundle, "getpgid", 0) == (1, 0)
    assert call(oci, bundle, "getsid", 0) == (-1, errno.EPERM)


def test_default_errno(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_ALLOW", *NEEDED), default="SCMP_ACT_ERRNO", defaultErrnoRet=errno.ENOTTY)
    assert call(oci, bundle, "getsid", 0) == (-1, errno.ENOTTY)


def test_calls_that_are_newer_than_the_filter_are_not_there(oci, bundle):
    """A C library falls back on ENOSYS, but gives up on EPERM."""
    seccomp(bundle, rule("SCMP_ACT_ALLOW", *NEEDED), default="SCMP_ACT_ERRNO")
    assert call(oci, bundle, 1500) == (-1, errno.ENOSYS)


@pytest.mark.parametrize("no_new_privileges", [True, False])
@pytest.mark.parametrize("uid", [0, 1000])
def test_a_filter_that_allows_almost_nothing(oci, bundle, no_new_privileges, uid):
    """The runtime itself needs nothing after the filter is loaded but execve and, should that fail, exit."""
    seccomp(bundle, rule("SCMP_ACT_ALLOW", "execve", "execveat", "exit", "exit_group"), default="SCMP_ACT_KILL_PROCESS")
    bundle.process["noNewPrivileges"] = no_new_privileges
    bundle.process["user"] = {"uid": uid, "gid": uid}
    bundle.process["capabilities"] = {}
    assert oci.run(bundle.args("/bin/only_exit")).rc == 42


def test_capabilities_are_exact_although_loading_needs_one(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid")).capabilities("CAP_CHOWN")
    bundle.process["noNewPrivileges"] = False
    fields = status_fields(oci.output_of(bundle, "cat /proc/self/status"))
    assert [int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0, 1, 1, 1, 0]
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("0", "2")


def test_unknown_system_calls_are_skipped(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "not_invented_yet", "getpgid", errno_ret=77))
    assert call(oci, bundle, "getpgid", 0) == (-1, 77)


@pytest.mark.parametrize("flag", ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                  "SECCOMP_FILTER_FLAG_TSYNC"])
def test_flag(oci, bundle, flag):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", errno_ret=77), flags=[flag])
    assert call(oci, bundle, "getpgid", 0) == (-1, 77)


def test_architectures(oci, bundle):
    architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", errno_ret=77), architectures=architectures)
    assert call(oci, bundle, "getpgid", 0) == (-1, 77)


def test_architecture_of_a_call(oci, bundle):
    """x32 has the numbers of x86_64 with a bit set, and the filter sees them before the kernel refuses them."""
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", errno_ret=77), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"])
    assert call(oci, bundle, number("getpgid") | 0x40000000, 0) == (-1, 77)


def test_filter_in_a_user_namespace(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", errno_ret=77)).user_namespace()
    bundle.process["noNewPrivileges"] = False
    assert call(oci, bundle, "getpgid", 0) == (-1, 77)


def test_exec_is_under_the_same_filter(oci, bundle):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "getpgid", errno_ret=77)).sh("sleep 1000")
    container = oci.run_detached(bundle)
    assert container.exec("/bin/probe", "syscall", str(number("getpgid")), "0").succeeded().out == "-1 77\n"
