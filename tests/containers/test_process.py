# SPDX-License-Identifier: Apache-2.0
"""config.json "process": what the program finds when it runs."""

import ctypes
import os
import pathlib
import resource
import signal

import pytest

from harness import status_fields

SYS_RT_SIGACTION = {"x86_64": 13, "aarch64": 134}[os.uname().machine]


def status(oci, bundle, **more):
    return status_fields(oci.output_of(bundle, "cat /proc/self/status", **more))


# ---- args, env, cwd


def test_arguments_arrive_as_they_are(oci, bundle):
    bundle.args("/bin/sh", "-c", 'printf "<%s>" "$@"', "sh", "a b", "", "ü\t$x", "-n", "*")
    assert oci.output_of(bundle) == "<a b><><ü\t$x><-n><*>"


def test_program_is_looked_up_in_the_containers_path(oci, bundle):
    folder = bundle.rootfs / "somewhere"
    folder.mkdir()
    (folder / "greet").write_text("#!/bin/sh\necho found in $0\n")
    (folder / "greet").chmod(0o755)
    bundle.process["env"] = ["PATH=/nowhere:/somewhere:/bin"]
    assert oci.output_of(bundle.args("greet")) == "found in /somewhere/greet\n"


def test_the_runtimes_path_does_not_matter(oci, bundle):
    assert oci.output_of(bundle.args("true"), env={"PATH": "/nowhere"}) == ""


def test_path_lookup_skips_what_cannot_be_executed(oci, bundle):
    for name, mode in (("first", 0o644), ("second", 0o755)):
        (bundle.rootfs / name).mkdir()
        (bundle.rootfs / name / "greet").write_text(f"#!/bin/sh\necho {name}\n")
        (bundle.rootfs / name / "greet").chmod(mode)
    bundle.process["env"] = ["PATH=/first:/second"]
    bundle.args("greet")
    assert oci.output_of(bundle) == "second\n"


def test_environment_is_exactly_the_configured_one(oci, bundle):
    bundle.process["env"] = ["PATH=/bin", "EMPTY=", "A=b=c", "HOME=/x"]
    bundle.args("/bin/env")
    assert sorted(oci.output_of(bundle, env={"SECRET": "1"}).split()) == ["A=b=c", "EMPTY=", "HOME=/x", "PATH=/bin"]


def test_of_a_variable_given_twice_the_last_counts(oci, bundle):
    bundle.process["env"] = ["PATH=/bin", "V=1", "V=2"]
    assert oci.output_of(bundle, "echo $V") == "2\n"


@pytest.mark.parametrize("uid, home", [(0, "/root"), (1000, "/home/user"), (1001, "/")])
def test_home_comes_from_the_containers_passwd(oci, bundle, uid, home):
    (bundle.rootfs / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
    bundle.process["env"] = ["PATH=/bin"]
    bundle.process["user"] = {"uid": uid, "gid": uid}
    assert oci.output_of(bundle, "echo $HOME") == home + "\n"
    bundle.process["env"] = ["HOME=", "PATH=/bin"]  # as Docker has it in an image
    assert oci.output_of(bundle) == home + "\n"


def test_working_directory(oci, bundle):
    bundle.process["cwd"] = "/tmp"
    assert oci.output_of(bundle, "pwd") == "/tmp\n"


def test_missing_working_directory_is_created(oci, bundle):
    bundle.process["cwd"] = "/srv/deep/er"
    assert oci.output_of(bundle, "pwd") == "/srv/deep/er\n"


def test_working_directory_that_only_the_user_may_enter(oci, bundle):
    folder = bundle.rootfs / "private"
    folder.mkdir(mode=0o700)
    os.chown(folder, 1000, 1000)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["cwd"] = "/private"
    assert oci.output_of(bundle, "pwd; echo x > f; stat -c %u f") == "/private\n1000\n"


# ---- user


def test_user_and_group(oci, bundle):
    bundle.process["user"] = {"uid": 1234, "gid": 5678}
    fields = status(oci, bundle)
    assert fields["Uid"].split() == ["1234"] * 4
    assert fields["Gid"].split() == ["5678"] * 4


def test_additional_groups(oci, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 6, 4294967294]}
    assert status(oci, bundle)["Groups"].split() == ["5", "6", "4294967294"]


@pytest.mark.parametrize("user_namespace", [False, True])
def test_the_callers_groups_are_kept_for_an_annotation(oci, bundle, user_namespace):
    """podman run --group-add keep-groups"""
    if user_namespace:
        bundle.user_namespace()
    bundle.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    bundle.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5]}
    container = oci.run_detached(bundle.args("sleep", "1000"), preexec_fn=lambda: os.setgroups([7, 8, 9]))
    groups = status_fields(pathlib.Path(f"/proc/{container.pid}/status").read_text())["Groups"]
    assert groups.split() == ["7", "8", "9"]


def test_the_callers_groups_are_dropped(oci, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    assert status(oci, bundle, preexec_fn=lambda: os.setgroups([7, 8, 9]))["Groups"] == ""


def test_umask(oci, bundle):
    bundle.process["user"]["umask"] = 0o027
    assert oci.output_of(bundle, "umask; touch /tmp/f; stat -c %a /tmp/f") == "0027\n640\n"


def test_without_umask_the_callers_stays(oci, bundle):
    assert oci.output_of(bundle, "umask", preexec_fn=lambda: os.umask(0o037)) == "0037\n"


def test_files_made_for_the_container_ignore_the_callers_umask(oci, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1000, "umask": 0o022}
    script = "stat -c %a /dev/null /dev/shm; echo > /dev/null"
    assert oci.output_of(bundle, script, preexec_fn=lambda: os.umask(0o077)) == "666\n1777\n"


def test_files_of_standard_streams_belong_to_the_user(oci, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    assert oci.output_of(bundle, ": >> /dev/stdout && stat -L -c %u /proc/self/fd/1") == "1000\n"


# ---- limits

LIMITS = {
    "RLIMIT_AS": "Max address space", "RLIMIT_CORE": "Max core file size", "RLIMIT_CPU": "Max cpu time",
    "RLIMIT_DATA": "Max data size", "RLIMIT_FSIZE": "Max file size", "RLIMIT_LOCKS": "Max file locks",
    "RLIMIT_MEMLOCK": "Max locked memory", "RLIMIT_MSGQUEUE": "Max msgqueue size", "RLIMIT_NICE": "Max nice priority",
    "RLIMIT_NOFILE": "Max open files", "RLIMIT_NPROC": "Max processes", "RLIMIT_RSS": "Max resident set",
    "RLIMIT_RTPRIO": "Max realtime priority", "RLIMIT_RTTIME": "Max realtime timeout",
    "RLIMIT_SIGPENDING": "Max pending signals", "RLIMIT_STACK": "Max stack size",
}
# resource has no number for it
RLIMIT_LOCKS = 10


@pytest.mark.parametrize("name", LIMITS)
def test_resource_limit(oci, bundle, name):
    # Limits that are low already stay below what the host allows: raising them would need CAP_SYS_RESOURCE.
    available = resource.getrlimit(getattr(resource, name, RLIMIT_LOCKS))[1]
    hard = 1 << 30 if available == resource.RLIM_INFINITY else available
    soft = hard // 2
    bundle.process["rlimits"] = [{"type": name, "soft": soft, "hard": hard}]
    line = next(line for line in oci.output_of(bundle, "cat /proc/self/limits").splitlines()
                if line.startswith(LIMITS[name] + " "))
    assert line[len(LIMITS[name]):].split()[:2] == [str(soft), str(hard)]


def test_unlimited_resource_limit(oci, bundle):
    bundle.process["rlimits"] = [{"type": "RLIMIT_CPU", "soft": 2**64 - 1, "hard": 2**64 - 1}]
    assert oci.output_of(bundle, "ulimit -t") == "unlimited\n"


def test_limits_that_are_not_configured_stay_the_callers(oci, bundle):
    bundle.process["rlimits"] = []
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (123, 456))
    assert oci.output_of(bundle, "ulimit -Sn; ulimit -Hn", preexec_fn=limit) == "123\n456\n"


# ---- capabilities

CAP_NUMBERS = {"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_NET_BIND_SERVICE": 10, "CAP_NET_RAW": 13, "CAP_SYS_TIME": 25}


def mask(*names):
    return sum(1 << CAP_NUMBERS[name] for name in names)


def capability_sets(oci, bundle, **more):
    fields = status(oci, bundle, **more)
    return {name: int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def test_capabilities_of_root(oci, bundle):
    both = mask("CAP_CHOWN", "CAP_KILL")
    bundle.capabilities("CAP_CHOWN", "CAP_KILL")
    assert capability_sets(oci, bundle) == {"CapInh": 0, "CapPrm": both, "CapEff": both, "CapBnd": both, "CapAmb": 0}


def test_inheritable_capabilities(oci, bundle):
    bundle.capabilities("CAP_CHOWN", "CAP_KILL")
    bundle.process["capabilities"]["inheritable"] = ["CAP_KILL"]
    sets = capability_sets(oci, bundle)
    assert sets["CapInh"] == mask("CAP_KILL") and sets["CapAmb"] == 0


def test_a_user_loses_capabilities_at_exec(oci, bundle):
    bundle.capabilities("CAP_CHOWN", "CAP_KILL")
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    both = mask("CAP_CHOWN", "CAP_KILL")
    assert capability_sets(oci, bundle) == {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": both, "CapAmb": 0}


def test_a_user_keeps_ambient_capabilities(oci, bundle):
    one = mask("CAP_NET_BIND_SERVICE")
    bundle.capabilities("CAP_NET_BIND_SERVICE", "CAP_CHOWN", sets=("bounding", "permitted", "effective"))
    for name in ("inheritable", "ambient"):
        bundle.process["capabilities"][name] = ["CAP_NET_BIND_SERVICE"]
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    assert capability_sets(oci, bundle) == {
        "CapInh": one, "CapPrm": one, "CapEff": one, "CapBnd": mask("CAP_NET_BIND_SERVICE", "CAP_CHOWN"), "CapAmb": one}


def test_without_capabilities_there_are_none(oci, bundle):
    del bundle.process["capabilities"]
    assert set(capability_sets(oci, bundle).values()) == {0}


def test_what_a_capability_allows(oci, bundle):
    bundle.capabilities("CAP_KILL")
    assert oci.output_of(bundle, "chown 1:1 /tmp 2>&1 || true") == "chown: /tmp: Operation not permitted\n"


def test_unknown_capability_is_a_warning(oci, bundle):
    bundle.capabilities("CAP_CHOWN", "CAP_NOT_INVENTED").args("/bin/true")
    completed = oci.run(bundle).succeeded()
    assert "CAP_NOT_INVENTED" in completed.err and "warning" in completed.err


def test_capability_that_the_runtime_does_not_have_is_a_warning(oci, bundle):
    PR_CAPBSET_DROP = 24
    libc = ctypes.CDLL(None)
    drop = lambda: libc.prctl(PR_CAPBSET_DROP, CAP_NUMBERS["CAP_SYS_TIME"], 0, 0, 0)
    bundle.capabilities("CAP_CHOWN", "CAP_SYS_TIME").sh("grep CapBnd /proc/self/status")
    completed = oci.run(bundle, preexec_fn=drop).succeeded()
    assert int(completed.out.split()[1], 16) == mask("CAP_CHOWN")
    assert "CAP_SYS_TIME" in completed.err and len(completed.err.splitlines()) == 1


# ---- the rest


@pytest.mark.parametrize("value", [True, False])
def test_no_new_privileges(oci, bundle, value):
    bundle.process["noNewPrivileges"] = value
    assert status(oci, bundle)["NoNewPrivs"] == str(int(value))


def test_oom_score(oci, bundle):
    bundle.process["oomScoreAdj"] = 500
    assert oci.output_of(bundle, "cat /proc/self/oom_score_adj") == "500\n"


def test_oom_score_stays_when_it_is_not_configured(oci, bundle):
    bundle.process.pop("oomScoreAdj", None)
    set_ours = lambda: pathlib.Path("/proc/self/oom_score_adj").write_text("300")
    assert oci.output_of(bundle, "cat /proc/self/oom_score_adj", preexec_fn=set_ours) == "300\n"


def test_standard_streams(oci, bundle):
    completed = oci.run(bundle.sh("cat; echo oops >&2"), input="some input\n").succeeded()
    assert (completed.out, completed.err) == ("some input\n", "oops\n")


def test_signals_start_with_their_defaults(oci, bundle):
    def ignore_and_block():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGRTMAX, signal.SIG_IGN)
        # By system call: the C library keeps this one for itself. struct sigaction of the kernel: SIG_IGN is 1.
        action = (ctypes.c_ulong * 4)(1, 0, 0, 0)
        assert ctypes.CDLL(None).syscall(SYS_RT_SIGACTION, 33, action, None, ctypes.c_size_t(8)) == 0
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

    assert oci.output_of(bundle.args("/bin/probe", "signals"), preexec_fn=ignore_and_block) == ""


def test_a_session_of_its_own(oci, bundle):
    # fields 5 and 6 of stat: process group and session
    assert oci.output_of(bundle, "cut -d' ' -f1,5,6 /proc/1/stat") == "1 1 1\n"


def test_only_the_standard_streams_are_open(oci, bundle):
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_inheritable(fd, True)
    try:
        assert oci.output_of(bundle.args("/bin/probe", "descriptors"), close_fds=False).split() == ["0", "1", "2"]
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_exit_code(oci, bundle, code):
    assert oci.run(bundle.sh(f"exit {code}")).rc == code


def test_hostname_and_domainname(oci, bundle):
    bundle.config["hostname"] = "ship"
    bundle.config["domainname"] = "sea.example"
    assert oci.output_of(bundle, "hostname; cat /proc/sys/kernel/domainname") == "ship\nsea.example\n"
    assert os.uname().nodename != "ship"
