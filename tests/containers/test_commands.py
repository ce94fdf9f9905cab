# SPDX-License-Identifier: Apache-2.0
"""spec, features, plan, validate, --version, --help, and the global options: logs, root."""

import json
import os
import re
import subprocess
from datetime import datetime

import pytest

from harness import ENVIRONMENT, PROGRAM

COMMANDS = ["create", "start", "state", "kill", "delete", "run", "exec", "pause", "resume", "ps", "events", "mounts", "list",
            "spec", "features", "plan", "validate"]

# Every option of the specification's table of Linux mount options.
MOUNT_OPTIONS = """
    async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec
    noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime
    remount rexec rnoatime rnodiratime rnodev rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime
    rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync
    tmpcopyup unbindable""".split()


def as_nobody(*args, **more):
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PROGRAM, *map(str, args)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, **more)


# ---- version and help


def test_version(oci):
    lines = oci("--version", root=False).succeeded().out.splitlines()
    assert re.fullmatch(r"oci-run version \d+\.\d+\.\d+", lines[0])
    assert any(re.fullmatch(r"commit: \S+", line) for line in lines)
    assert "spec: 1.3.0" in lines
    assert oci("-v", root=False).out == oci("--version", root=False).out


@pytest.mark.parametrize("name", ["runc", "crun"])
def test_version_under_the_name_of_another_runtime(tmp_path, name):
    """Engines take it from a first line that begins with the name they called."""
    (tmp_path / name).symlink_to(PROGRAM)
    done = subprocess.run([tmp_path / name, "--version"], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert re.fullmatch(rf"{name} version \d+\.\d+\.\d+", lines[0]) and lines[1].startswith("commit: ")
    assert lines[2] == "spec: 1.3.0" and done.stderr == ""


def test_help(oci):
    text = oci("--help", root=False).succeeded().out
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\b", text, re.MULTILINE), command
    assert oci("-h", root=False).out == oci("help", root=False).out == text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(oci, command):
    text = oci("help", command, root=False).succeeded().out
    assert command in text
    assert oci(command, "--help", root=False).succeeded().out == text
    assert oci(command, "-h", root=False).succeeded().out == text


# ---- options


def test_options_in_all_their_forms(oci, bundle):
    path = bundle.sh("echo fine").write()
    for words in (["--bundle", path, "ID"], [f"--bundle={path}", "ID"], ["-b", path, "ID"], ["-bundle", path, "ID"],
                  [f"-bundle={path}", "ID"], ["ID", "--bundle", path], ["--bundle", "/nowhere", "--bundle", path, "ID"],
                  ["--keep=false", "--bundle", path, "ID"], ["--bundle", path, "--", "ID"],
                  ["-no-subreaper", "--bundle", path, "ID"]):
        id = oci.new_id()
        assert oci("run", *[id if word == "ID" else word for word in words]).succeeded().out == "fine\n", words


# ---- logs


def test_error_without_a_log_file(oci):
    err = oci("state", "nothing").failed("container does not exist").err
    assert re.match(r'time="\S+" level=error msg="', err)


def test_json_log(oci, bundle):
    """podman wants exactly one JSON object in the file, containerd reads level, msg and time of the last one."""
    log = bundle.path / "log"
    completed = oci("--log", log, "--log-format", "json", "state", "nothing").failed("container does not exist")
    entry = json.loads(log.read_text())
    assert entry["level"] == "error" and entry["msg"] == completed.err.strip()
    assert list(entry) == ["level", "msg", "time"]
    datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))


def test_warnings_do_not_get_into_the_log_by_default(oci, bundle):
    bundle.capabilities("CAP_CHOWN", "CAP_NOT_INVENTED").args("no-such-program")
    log = bundle.path / "log"
    oci.run(bundle, before=("--log", log, "--log-format", "json"))
    assert "executable file not found" in json.loads(log.read_text())["msg"]


def test_text_log(oci, bundle):
    log = bundle.path / "log"
    oci("--log", log, "state", "nothing").failed("container does not exist")
    assert re.fullmatch(r'time="\S+" level=error msg=".*container does not exist.*"\n', log.read_text())


def test_log_is_appended_to(oci, bundle):
    log = bundle.path / "log"
    log.write_text("before\n")
    oci("--log", log, "state", "nothing")
    oci("--log", log, "state", "nothing")
    lines = log.read_text().splitlines()
    assert lines[0] == "before" and len(lines) == 3


def test_log_file_is_made_even_without_an_error(oci, bundle):
    log = bundle.path / "log"
    oci("--log", log, "list").succeeded()
    assert log.read_text() == ""


def test_of_several_logs_the_last_counts(oci, bundle):
    first, second = bundle.path / "first", bundle.path / "second"
    oci("--log", first, "--log-format", "text", "--log", second, "--log-format=json", "state", "nothing")
    assert not first.exists() or first.read_text() == ""
    json.loads(second.read_text())


def test_debug(oci, bundle):
    log = bundle.path / "log"
    assert oci.run(bundle.sh("true"), before=("--debug", "--log", log, "--log-format", "json")).succeeded().out == ""
    levels = {json.loads(line)["level"] for line in log.read_text().splitlines()}
    assert levels == {"debug"}


def test_log_level(oci, bundle):
    log = bundle.path / "log"
    bundle.capabilities("CAP_NOT_INVENTED").sh("true")
    oci.run(bundle, before=("--log-level", "warning", "--log", log, "--log-format", "json")).succeeded()
    assert {json.loads(line)["level"] for line in log.read_text().splitlines()} == {"warning"}


def test_success_is_silent(oci, bundle):
    container = oci.create(bundle.sh("sleep 1000"))
    assert (container.output(), container.errors()) == ("", "")
    for words in (["start", container.id], ["kill", container.id, "KILL"]):
        completed = oci(*words).succeeded()
        assert (completed.out, completed.err) == ("", "")
    container.wait()
    completed = oci("delete", container.id).succeeded()
    assert (completed.out, completed.err) == ("", "")


# ---- root


def test_missing_root_of_list(oci):
    assert "no such file" in oci("--root", "/no/such/root", "list", root=False).err.lower()


def test_root_is_made(oci, bundle):
    root = bundle.path / "deep/er/root"
    oci("--root", root, "run", "--bundle", bundle.sh("true").write(), "c", root=False).succeeded()
    assert root.is_dir() and list(root.iterdir()) == []


def test_relative_root(oci, bundle):
    bundle.sh("true").write()
    oci("--root", "my-root", "create", "--bundle", ".", "c", root=False, cwd=bundle.path).succeeded()
    assert (bundle.path / "my-root/c").is_dir()
    oci("--root", bundle.path / "my-root", "delete", "--force", "c", root=False).succeeded()


def test_default_root_of_a_user_is_in_the_runtime_directory(bundle):
    folder = bundle.path / "xdg"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    (folder / "oci-run").mkdir(mode=0o700)
    (folder / "oci-run/broken").mkdir()
    (folder / "oci-run/broken/record.json").write_text("not JSON")
    for path in (folder / "oci-run", folder / "oci-run/broken", folder / "oci-run/broken/record.json"):
        os.chown(path, 65534, 65534)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PROGRAM, "list"]
    out = subprocess.run(command, env={**ENVIRONMENT, "XDG_RUNTIME_DIR": str(folder)}, capture_output=True, text=True)
    assert out.returncode == 0 and "broken" in out.stdout + out.stderr


@pytest.mark.parametrize("environment", [{}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "/tmp"}, {"PATH": ""}])
def test_root_user_needs_no_environment(oci, bundle, environment):
    container = oci.create(bundle.sh("true"), env=environment)
    oci("start", container.id, env=environment).succeeded()
    container.wait()
    oci("delete", container.id, env=environment).succeeded()


# ---- spec


def test_spec_writes_a_configuration_that_is_valid_and_runs(oci, bundle):
    (bundle.path / "config.json").unlink(missing_ok=True)
    oci("spec", cwd=bundle.path, root=False).succeeded()
    text = (bundle.path / "config.json").read_text()
    config = json.loads(text)
    assert config["ociVersion"].startswith("1.") and config["process"]["args"] == ["sh"]
    assert config["process"]["terminal"] is True and "\n\t\"" in text
    assert not config["process"]["capabilities"].get("inheritable")
    oci("validate", "--bundle", bundle.path, root=False).succeeded()


def test_spec_does_not_overwrite(oci, bundle):
    (bundle.path / "config.json").write_text("mine")
    oci("spec", "--bundle", bundle.path, root=False).failed("config.json exists. Remove it first")
    assert (bundle.path / "config.json").read_text() == "mine"


def test_spec_rootless(oci, bundle):
    (bundle.path / "config.json").unlink(missing_ok=True)
    oci("spec", "--bundle", bundle.path, "--rootless", root=False).succeeded()
    config = json.loads((bundle.path / "config.json").read_text())
    assert "user" in [entry["type"] for entry in config["linux"]["namespaces"]]
    assert config["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 0, "size": 1}]
    oci("validate", "--bundle", bundle.path, root=False).succeeded()


# ---- features


def test_features(oci):
    completed = oci("features", root=False).succeeded()
    assert completed.err == ""
    features = json.loads(completed.out)
    assert features["ociVersionMin"] == "1.0.0" and features["ociVersionMax"] == "1.3.0"
    assert features["hooks"] == ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    assert set(MOUNT_OPTIONS) <= set(features["mountOptions"])
    linux = features["linux"]
    assert set(linux["namespaces"]) == {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}
    assert "CAP_CHOWN" in linux["capabilities"] and linux["cgroup"]["v2"] is True and linux["cgroup"]["v1"] is False
    assert linux["seccomp"]["enabled"] is True and "SCMP_ACT_ERRNO" in linux["seccomp"]["actions"]


# ---- plan


def test_plan_is_for_everybody_and_changes_nothing(bundle, oci):
    bundle.sh("true").write()
    os.chmod(bundle.path / "config.json", 0o644)
    completed = as_nobody("plan", "--bundle", bundle.path)
    assert completed.returncode == 0 and completed.stderr == ""
    assert "pivot root" in completed.stdout and "execute" in completed.stdout
    assert sorted(path.name for path in bundle.path.iterdir()) == ["config.json", "rootfs"]


def test_plan_as_json(bundle, oci):
    bundle.sh("true").write()
    text = oci("plan", "--bundle", bundle.path).succeeded().out
    steps = json.loads(oci("plan", "--bundle", bundle.path, "--format", "json").succeeded().out)
    assert {step["actor"] for step in steps} == {"runtime", "container", "finisher"}
    assert len(steps) >= len([line for line in text.splitlines() if line.strip()]) - 3


def test_plan_of_a_bad_configuration(bundle, oci):
    bundle.process["cwd"] = "relative"
    bundle.write()
    oci("plan", "--bundle", bundle.path).failed("/process/cwd")


# ---- validate


def test_validate_a_good_configuration(bundle):
    bundle.sh("true").write()
    os.chmod(bundle.path / "config.json", 0o644)
    completed = as_nobody("validate", "--bundle", bundle.path)
    assert completed.returncode == 0 and completed.stderr == ""


def bad(bundle):
    bundle.process["cwd"] = "relative"
    bundle.process["args"] = []
    bundle.linux["namespaces"].append({"type": "pid"})
    bundle.config["mounts"][0]["destination"] = 7
    bundle.write()
    return ["/process/cwd", "/process/args", f"/linux/namespaces/{len(bundle.linux['namespaces']) - 1}",
            "/mounts/0/destination"]


def test_validate_names_all_problems(bundle, oci):
    pointers = bad(bundle)
    completed = oci("validate", "--bundle", bundle.path)
    assert completed.rc == 1
    text = (bundle.path / "config.json").read_text().splitlines()
    for pointer in pointers:
        line = next(line for line in completed.out.splitlines() if pointer in line)
        assert "config.md#" in line or "config-linux.md#" in line, line
        # The place is where the value begins, so that editors can jump there.
        file, row, column, _ = line.split(":", 3)
        value = bundle.config
        for name in line.split(": ")[1].split("/")[1:]:
            value = value[int(name) if isinstance(value, list) else name]
        shown = text[int(row) - 1].encode()[int(column) - 1:].decode()
        assert file == "config.json" and shown.startswith(json.dumps(value)[:1]), line


def test_validate_text_that_is_no_json(bundle, oci):
    (bundle.path / "config.json").write_text('{\n  "a": tru\n}')
    completed = oci("validate", "--bundle", bundle.path)
    assert completed.rc == 1 and completed.out.startswith("config.json: is not valid JSON: parse error at line 3")


def test_validate_as_json(bundle, oci):
    pointers = bad(bundle)
    completed = oci("validate", "--bundle", bundle.path, "--format", "json")
    assert completed.rc == 1
    problems = json.loads(completed.out)
    problems = problems if isinstance(problems, list) else problems["problems"]
    found = [problem["pointer"] for problem in problems]
    assert all(any(one.startswith(pointer) for one in found) for pointer in pointers) and len(found) == len(pointers)
    assert all(problem["rule"] and problem["section"] for problem in problems)
    assert all(problem["line"] > 0 and problem["column"] > 0 for problem in problems)


def test_unknown_properties_are_ignored(bundle, oci):
    bundle.config["org.example"] = {"x": 1}
    bundle.process["futureField"] = [1]
    bundle.linux["futureField"] = True
    assert oci.run(bundle.sh("echo fine")).succeeded().out == "fine\n"

