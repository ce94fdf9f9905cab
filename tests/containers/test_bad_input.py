# SPDX-License-Identifier: Apache-2.0
"""Bad bundles and bad command lines, as tables. Each ends with its exit code and one line that names what is wrong, and
leaves no process, cgroup, mount or state file (which the fixture `nothing_left` checks after every test)."""

import json
import os

import pytest

# ---- config.json that is not even JSON of the right form: (name, bytes, texts in the error)

TEXTS = [
    ("empty", b"", ["config.json"]),
    ("only blanks", b" \n\t ", ["config.json"]),
    ("truncated", b'{"ociVersion": "1.0.2", "process": {', ["config.json"]),
    ("truncated string", b'{"ociVersion": "1.0', ["config.json"]),
    ("two documents", b"{} {}", ["config.json"]),
    ("trailing comma", b'{"ociVersion": "1.0.2",}', ["config.json"]),
    ("array", b"[]", ["config.json"]),
    ("null", b"null", ["config.json"]),
    ("number", b"17", ["config.json"]),
    ("not UTF-8", b'{"ociVersion": "\xff\xfe"}', ["config.json"]),
    ("binary", bytes(range(256)), ["config.json"]),
    ("NUL after the end", b'{"ociVersion": "1.0.2"}\0', ["config.json"]),
    ("deeply nested arrays", b'{"x": ' + b"[" * 100000 + b"]" * 100000 + b"}", ["config.json"]),
    ("deeply nested objects", b'{"x":' * 50000 + b"1" + b"}" * 50000, ["config.json"]),
    ("unclosed nesting", b"[" * 1000000, ["config.json"]),
    ("100 MB", b'{"x": "' + b"a" * 100_000_000 + b'"}', ["config.json"]),
]


@pytest.mark.parametrize("text, expected", [pytest.param(*row[1:], id=row[0]) for row in TEXTS])
@pytest.mark.parametrize("command", ["create", "run", "plan"])
def test_text(oci, bundle, command, text, expected):
    (bundle.path / "config.json").write_bytes(text)
    words = [command, "--bundle", bundle.path] + ([] if command == "plan" else ["bad"])
    oci(*words, timeout=20).failed(*expected)


# ---- values: (JSON pointer, value to put there, pointer that the error names if it is another one)

REMOVE = object()
PROCESS = [
    ("/ociVersion", REMOVE), ("/ociVersion", 1), ("/ociVersion", "one"), ("/ociVersion", "2.0.0"),
    ("/process", 7), ("/process/cwd", REMOVE), ("/process/cwd", "relative"), ("/process/cwd", ""),
    ("/process/cwd", "/nul\0inside"), ("/process/args", REMOVE), ("/process/args", []), ("/process/args", "true"),
    ("/process/args/0", 1), ("/process/args/0", "nul\0inside"), ("/process/args/0", ""), ("/process/env/0", "NOEQUALS"),
    ("/process/env/0", "A=nul\0inside"), ("/process/env/0", 5), ("/process/env", "A=b"), ("/process/terminal", "yes"),
    ("/process/user", []), ("/process/user/uid", -1), ("/process/user/uid", 4294967296), ("/process/user/uid", "root"),
    ("/process/user/gid", 1.5), ("/process/user/umask", 4096), ("/process/user/additionalGids", [1, -5],
                                                                "/process/user/additionalGids/1"),
    ("/process/oomScoreAdj", 1001), ("/process/oomScoreAdj", -1001), ("/process/oomScoreAdj", "high"),
    ("/process/noNewPrivileges", 1), ("/process/capabilities/bounding", "CAP_CHOWN"),
    ("/process/capabilities", ["CAP_CHOWN"]),
    ("/process/rlimits", [{"type": "RLIMIT_NOPE", "soft": 1, "hard": 1}], "/process/rlimits/0/type"),
    ("/process/rlimits", [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}], "/process/rlimits/0"),
    ("/process/rlimits", [{"type": "RLIMIT_CORE", "soft": -1, "hard": 1}], "/process/rlimits/0/soft"),
    ("/process/rlimits", [{"type": "RLIMIT_CORE", "soft": 1}], "/process/rlimits/0/hard"),
    ("/process/rlimits", [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2, "/process/rlimits/1"),
]
ROOT_AND_MOUNTS = [
    ("/root", REMOVE), ("/root/path", REMOVE), ("/root/path", ""), ("/root/path", 3), ("/root/readonly", "no"),
    ("/hostname", 7), ("/hostname", "x" * 65), ("/domainname", "x" * 65), ("/hostname", "nul\0inside"),
    ("/mounts", {}), ("/mounts/0", "proc"), ("/mounts/0/destination", REMOVE), ("/mounts/0/destination", 7),
    ("/mounts/0/destination", ""), ("/mounts/0/destination", "/nul\0inside"), ("/mounts/0/options", "ro"),
    ("/mounts/0/options", [1], "/mounts/0/options/0"), ("/mounts/0/type", 3),
    ("/mounts/0", {"destination": "/mnt", "type": "bind", "options": ["bind"]}),
    ("/mounts/0", {"destination": "/mnt", "source": "tmpfs"}, "/mounts/0"),
    ("/mounts/0", {"destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["idmap"]}, "/mounts/0"),
    ("/annotations", []), ("/annotations", {"key": 1}, "/annotations/key"), ("/annotations", {"": "x"}, "/annotations"),
    ("/hooks", []), ("/hooks", {"prestart": {}}, "/hooks/prestart"),
    ("/hooks", {"createRuntime": [{}]}, "/hooks/createRuntime/0/path"),
    ("/hooks", {"createRuntime": [{"path": "relative"}]}, "/hooks/createRuntime/0/path"),
    ("/hooks", {"poststop": [{"path": "/x", "timeout": 0}]}, "/hooks/poststop/0/timeout"),
    ("/hooks", {"poststop": [{"path": "/x", "timeout": -3}]}, "/hooks/poststop/0/timeout"),
]
MAPPING = {"containerID": 0, "hostID": 0, "size": 1}
LINUX = [
    ("/linux", []), ("/linux/namespaces", {}), ("/linux/namespaces/0", {"type": "sound"}, "/linux/namespaces/0/type"),
    ("/linux/namespaces/0", {}, "/linux/namespaces/0/type"),
    ("/linux/namespaces", [{"type": "pid"}, {"type": "mount"}, {"type": "pid"}], "/linux/namespaces/2"),
    ("/linux/namespaces/0", {"type": "pid", "path": "relative"}, "/linux/namespaces/0/path"),
    ("/linux/uidMappings", [MAPPING], "/linux/"), ("/linux/gidMappings", [MAPPING], "/linux/"),
    ("/linux/uidMappings", [{"containerID": 0, "hostID": 0, "size": 0}], "/linux/uidMappings/0/size"),
    ("/linux/uidMappings", [{"containerID": 0}], "/linux/uidMappings/0"),
    ("/linux/timeOffsets", {"monotonic": {"secs": 1}}, "/linux/timeOffsets"),
    ("/linux/timeOffsets", {"lunar": {"secs": 1}}, "/linux/timeOffsets"),
    ("/linux/devices", [{"path": "/dev/x", "type": "z", "major": 1, "minor": 1}], "/linux/devices/0/type"),
    ("/linux/devices", [{"path": "dev/x", "type": "c", "major": 1, "minor": 1}], "/linux/devices/0/path"),
    ("/linux/devices", [{"path": "/dev/x", "type": "c", "major": 1}], "/linux/devices/0/minor"),
    ("/linux/devices", [{"type": "c", "major": 1, "minor": 1}], "/linux/devices/0/path"),
    ("/linux/cgroupsPath", 5), ("/linux/cgroupsPath", "../escape"), ("/linux/cgroupsPath", "/a/../../escape"),
    ("/linux/cgroupsPath", "/"), ("/linux/cgroupsPath", "/nul\0inside"),
    ("/linux/resources", []), ("/linux/resources/devices", [{"access": "rwm"}], "/linux/resources/devices/0/allow"),
    ("/linux/resources/devices", [{"allow": True, "access": "xyz"}], "/linux/resources/devices/0/access"),
    ("/linux/resources/devices", [{"allow": True, "type": "q"}], "/linux/resources/devices/0/type"),
    ("/linux/resources/pids", {"limit": "many"}, "/linux/resources/pids/limit"),
    ("/linux/resources/memory", {"limit": -2}, "/linux/resources/memory/limit"),
    ("/linux/resources/memory", {"swap": 100}, "/linux/resources/memory"),
    ("/linux/resources/memory", {"limit": 200, "swap": 100}, "/linux/resources/memory/swap"),
    ("/linux/resources/cpu", {"shares": -1}, "/linux/resources/cpu/shares"),
    ("/linux/resources/cpu", {"cpus": "one"}, "/linux/resources/cpu/cpus"),
    ("/linux/resources/network", {"classID": 1}),
    ("/linux/intelRdt", []), ("/linux/intelRdt", {"closID": "../x"}, "/linux/intelRdt/closID"),
    ("/linux/intelRdt", {"memBwSchema": "L3:0=f"}, "/linux/intelRdt/memBwSchema"),
    ("/linux/intelRdt", {"schemata": ["L3:0=f", "MB:0=10\nMB:1=10"]}, "/linux/intelRdt/schemata/1"),
    ("/linux/rootfsPropagation", "sideways"), ("/linux/maskedPaths", "/proc"), ("/linux/maskedPaths", ["relative"],
                                                                                "/linux/maskedPaths/0"),
    ("/linux/readonlyPaths", ["relative"], "/linux/readonlyPaths/0"),
    ("/linux/sysctl", []), ("/linux/sysctl", {"net.x": 1}, "/linux/sysctl/net.x"),
    ("/linux/sysctl", {"kernel.panic": "1"}, "/linux/sysctl/kernel.panic"),
    ("/linux/sysctl", {"net.ipv4.ip_forward": "1\n2"}, "/linux/sysctl/net.ipv4.ip_forward"),
    ("/linux/sysctl", {"net.ipv4/../../kernel/panic": "1"}, "/linux/sysctl/"),
    ("/linux/seccomp", {}, "/linux/seccomp/defaultAction"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_MAYBE"}, "/linux/seccomp/defaultAction"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 5}, "/linux/seccomp/defaultErrnoRet"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_Z80"]},
     "/linux/seccomp/architectures/0"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NOPE"]},
     "/linux/seccomp/flags/0"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]},
     "/linux/seccomp/syscalls/0/names"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["x"], "action": "NO"}]},
     "/linux/seccomp/syscalls/0/action"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW",
                        "syscalls": [{"names": ["getpid"], "action": "SCMP_ACT_KILL", "errnoRet": 5}]},
     "/linux/seccomp/syscalls/0/errnoRet"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]},
     "/linux/seccomp/syscalls/0/args/0/index"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 0, "op": "ABOUT"}]}]},
     "/linux/seccomp/syscalls/0/args/0/op"),
    ("/linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}, "/linux/seccomp/listenerMetadata"),
]


def put(config, pointer, value):
    """Puts a value at a JSON pointer, or removes what is there."""
    *parents, last = pointer.split("/")[1:]
    place = config
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
    if value is REMOVE:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value


def rows(table):
    return [pytest.param(row[0], row[1], row[2] if len(row) > 2 else row[0],
                         id=f"{row[0]}={'(none)' if row[1] is REMOVE else json.dumps(row[1])[:40]}") for row in table]


@pytest.mark.parametrize("pointer, value, named", rows(PROCESS + ROOT_AND_MOUNTS + LINUX))
def test_value(oci, bundle, pointer, value, named):
    bundle.args("true")
    put(bundle.config, pointer, value)
    bundle.write()
    oci("create", "--bundle", bundle.path, "bad").failed(named)
    completed = oci("validate", "--bundle", bundle.path)
    assert completed.rc == 1 and named in completed.out


def test_hostname_without_an_own_namespace(oci, bundle):
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"] if entry["type"] != "uts"]
    bundle.config["hostname"] = "not-the-hosts"
    oci.run(bundle.args("true")).failed("/hostname")


# ---- bundles


@pytest.mark.parametrize("change, texts", [
    (lambda bundle: bundle.rootfs.rename(bundle.path / "elsewhere"), ["rootfs", "no such file or directory"]),
    (lambda bundle: (bundle.rootfs.rename(bundle.path / "real"), bundle.rootfs.symlink_to("real")), ["rootfs"]),
    (lambda bundle: (bundle.rootfs.rename(bundle.path / "real"), bundle.rootfs.write_text("")), ["rootfs"]),
    (lambda bundle: (bundle.path / "config.json").unlink(), ["config.json", "no such file or directory"]),
    (lambda bundle: ((bundle.path / "config.json").unlink(), (bundle.path / "config.json").mkdir()), ["config.json"]),
    (lambda bundle: ((bundle.path / "config.json").unlink(), os.mkfifo(bundle.path / "config.json")), ["config.json"]),
], ids=["no rootfs", "rootfs is a link", "rootfs is a file", "no config.json", "config.json is a folder",
        "config.json is a fifo"])
def test_bundle(oci, bundle, change, texts):
    bundle.args("true").write()
    change(bundle)
    oci("create", "--bundle", bundle.path, "bad", timeout=10).failed(*texts)


# ---- command lines: (words, texts in the error); BUNDLE stands for a good bundle

COMMAND_LINES = [
    ([], ["command"]),
    (["no-such-command"], ["no-such-command"]),
    (["--no-such-option"], ["no-such-option"]),
    (["--no-such-option", "list"], ["no-such-option"]),
    (["create"], ['"create"', "requires exactly 1 argument"]),
    (["create", "--bundle", "BUNDLE"], ['"create"', "requires exactly 1 argument"]),
    (["create", "--bundle", "BUNDLE", "a", "b"], ['"create"', "requires exactly 1 argument"]),
    (["create", "--no-such-option", "a"], ["no-such-option"]),
    (["create", "-x", "a"], ["-x"]),
    (["create", "--bundle"], ["bundle", "flag needs an argument"]),
    (["create", "a", "--pid-file"], ["pid-file", "flag needs an argument"]),
    (["create", "--bundle", "/no/such/bundle", "a"], ["/no/such/bundle", "no such file or directory"]),
    (["create", "--bundle", "", "a"], ["config.json"]),
    (["create", "--no-pivot=perhaps", "--bundle", "BUNDLE", "a"], ["no-pivot"]),
    (["run", "--preserve-fds", "x", "--bundle", "BUNDLE", "a"], ["preserve-fds"]),
    (["run", "--preserve-fds", "-1", "--bundle", "BUNDLE", "a"], ["preserve-fds"]),
    (["run", "--preserve-fds", "99999999999", "--bundle", "BUNDLE", "a"], ["preserve-fds"]),
    (["create", "--pid-file", "/no/such/folder/pid", "--bundle", "BUNDLE", "a"],
     ["/no/such/folder", "no such file or directory"]),
    (["create", "--bundle", "BUNDLE", ""], ["invalid container ID format"]),
    (["create", "--bundle", "BUNDLE", "."], ["invalid container ID format"]),
    (["create", "--bundle", "BUNDLE", ".."], ["invalid container ID format"]),
    (["create", "--bundle", "BUNDLE", ".hidden"], ["invalid container ID format"]),
    (["create", "--bundle", "BUNDLE", "with space"], ["invalid container ID format"]),
    (["create", "--bundle", "BUNDLE", "ü"], ["invalid container ID format"]),
    (["create", "--bundle", "BUNDLE", "new\nline"], ["invalid container ID format"]),
    (["create", "--bundle", "BUNDLE", "x" * 256], ["invalid container ID format"]),
    (["create", "--bundle", "BUNDLE", "a*"], ["invalid container ID format"]),
    (["state", "../etc"], []),
    (["state", ".."], ["invalid container ID format"]),
    (["delete", ".."], ["invalid container ID format"]),
    (["delete", "--force", ".."], ["invalid container ID format"]),
    (["kill", "../x", "9"], []),
    (["start"], ['"start"', "requires exactly 1 argument"]),
    (["start", "a", "b"], ['"start"', "requires exactly 1 argument"]),
    (["state"], ['"state"', "requires exactly 1 argument"]),
    (["delete"], ['"delete"', "requires exactly 1 argument"]),
    (["kill"], ['"kill"', "requires"]),
    (["kill", "a", "9", "b"], ['"kill"', "requires"]),
    (["list", "a"], ['"list"']),
    (["list", "--format", "xml"], ["xml"]),
    (["spec", "a"], ['"spec"']),
    (["plan", "--bundle", "BUNDLE", "--format", "xml"], ["xml"]),
    (["validate", "--bundle", "BUNDLE", "--format", "xml"], ["xml"]),
    (["validate", "--bundle", "/no/such/bundle"], ["/no/such/bundle"]),
    (["help", "no-such-command"], ["no-such-command"]),
    (["--log-format", "xml", "list"], ["xml"]),
    (["--log-level", "loud", "list"], ["loud"]),
    (["--log", "/no/such/folder/log", "list"], ["/no/such/folder/log"]),
    (["--log"], ["log", "flag needs an argument"]),
    (["--root"], ["root", "flag needs an argument"]),
    (["--root", "/", "list"], ["root"]),
    (["--cgroup-manager", "magic", "list"], ["magic"]),
    (["--cgroup-manager"], ["cgroup-manager", "flag needs an argument"]),
    (["--rootless", "perhaps", "list"], ["perhaps"]),
]


@pytest.mark.parametrize("words, texts", [pytest.param(*row, id=" ".join(row[0])[:60] or "nothing")
                                          for row in COMMAND_LINES])
def test_command_line(oci, bundle, words, texts):
    path = bundle.args("true").write()
    oci(*[path if word == "BUNDLE" else word for word in words]).failed(*texts)


@pytest.mark.parametrize("words, texts", [
    (["exec"], ['"exec"', "requires"]),
    (["exec", "a"], ["a"]),
    (["exec", "--no-such-option", "a", "true"], ["no-such-option"]),
    (["exec", "..", "true"], ["invalid container ID format"]),
])
def test_command_line_of_exec(oci, words, texts):
    completed = oci(*words)
    assert completed.rc in (1, 255)
    completed.failed(*texts, rc=completed.rc)


def test_error_in_the_log_is_the_error_on_the_screen(oci, bundle):
    bundle.process["cwd"] = "relative"
    log = bundle.path / "log"
    completed = oci("--log", log, "--log-format", "json", "create", "--bundle", bundle.write(), "bad")
    assert completed.rc == 1 and json.loads(log.read_text())["msg"] == completed.err.strip()


# ---- what only the kernel can refuse still names its place

def test_missing_bind_source(oci, bundle):
    bundle.bind("/no/such/source", "/mnt")
    place = f"/mounts/{len(bundle.config['mounts']) - 1}/source"
    oci("create", "--bundle", bundle.write(), oci.new_id()).failed(place, "no such file or directory")


def test_refused_option_of_a_file_system(oci, bundle):
    bundle.mount("/mnt", "tmpfs", "tmpfs", ["size=banana"])
    place = f"/mounts/{len(bundle.config['mounts']) - 1}: "
    oci("create", "--bundle", bundle.write(), oci.new_id()).failed(place, "size")


def test_user_who_is_not_mapped(oci, bundle):
    bundle.user_namespace(size=10)
    bundle.process["user"]["uid"] = 10
    oci("create", "--bundle", bundle.write(), oci.new_id()).failed("/process/user/uid", "must be mapped")


def test_terminal_without_devpts(oci, bundle, tmp_path):
    bundle.without_mount("/dev/pts")
    bundle.process["terminal"] = True
    oci("run", "--bundle", bundle.write(), oci.new_id()).failed("/process/terminal", "/dev/pts")
