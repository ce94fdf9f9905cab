# SPDX-License-Identifier: Apache-2.0
"""The measured bundles. a: a small one. b: what an engine writes. c: b in a user namespace. floor.c does their kernel work."""

import json
import pathlib
import shutil

CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
                "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
                "CAP_AUDIT_WRITE"]
MASKED = ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
FILES = ["resolv.conf", "hostname", "hosts"]
PROFILE = "/usr/share/containers/seccomp.json"  # Debian: golang-github-containers-common


def device(access, kind=None, major=None, minor=None, allow=True):
    rule = {"allow": allow, "type": kind, "major": major, "minor": minor, "access": access}
    return {name: value for name, value in rule.items() if value is not None}


DEVICES = [device("rwm", allow=False), device("m", "c"), device("m", "b"), device("rwm", "c", 1, 3), device("rwm", "c", 1, 5),
           device("rwm", "c", 1, 7), device("rwm", "c", 1, 8), device("rwm", "c", 1, 9), device("rwm", "c", 5, 0),
           device("rwm", "c", 5, 2), device("rwm", "c", 136)]


def mount(destination, kind, source, *options):
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def seccomp():
    """The engines' profile for the capabilities above, in the specification's form."""
    profile = json.loads(pathlib.Path(PROFILE).read_text())
    rules = []
    for rule in profile["syscalls"]:
        needed = rule.get("includes", {}).get("caps", [])
        unwanted = rule.get("excludes", {}).get("caps", [])
        if not set(needed) <= set(CAPABILITIES) or set(unwanted) & set(CAPABILITIES):
            continue
        if rule.get("includes", {}).get("arches", ["amd64"]).count("amd64") == 0:
            continue
        entry = {"names": rule["names"], "action": rule["action"]}
        if rule.get("args"):
            entry["args"] = rule["args"]
        if rule["action"] == "SCMP_ACT_ERRNO":
            entry["errnoRet"] = rule.get("errnoRet", 1)
        rules.append(entry)
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": rules}


def small():
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/payload"], "env": ["PATH=/bin"], "cwd": "/",
                    "capabilities": {name: ["CAP_KILL"] for name in ("bounding", "effective", "permitted")},
                    "noNewPrivileges": True},
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "bench",
        "mounts": [mount("/proc", "proc", "proc"),
                   mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
                   mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
                   mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
                   mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
                   mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
                   mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro")],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
                  "resources": {"devices": [device("rwm", allow=False)]},
                  "maskedPaths": MASKED, "readonlyPaths": READ_ONLY},
    }


def engine_like(folder):
    config = small()
    config["root"]["readonly"] = False
    config["process"]["capabilities"] = {name: CAPABILITIES for name in ("bounding", "effective", "permitted")}
    config["process"]["noNewPrivileges"] = False
    for name in FILES:
        (folder / name).write_text("bench\n")
        config["mounts"].append(mount(f"/etc/{name}", "bind", str(folder / name), "rbind", "rprivate"))
    config["linux"]["resources"] = {"devices": DEVICES}
    config["linux"]["seccomp"] = seccomp()
    return config


def in_user_namespace(config):
    config = json.loads(json.dumps(config))
    mapping = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    config["linux"] |= {"namespaces": config["linux"]["namespaces"] + [{"type": "user"}],
                        "uidMappings": mapping, "gidMappings": mapping}
    return config


def make(folder, payload):
    """Writes them to FOLDER/a, b and c, and each once more without device rules (a-plain ...)."""
    folder = pathlib.Path(folder)
    folder.chmod(0o755)
    configs = {"a": small(), "b": engine_like(folder)}
    configs["c"] = in_user_namespace(configs["b"])
    for name, config in list(configs.items()):
        plain = json.loads(json.dumps(config))
        del plain["linux"]["resources"]
        configs[f"{name}-plain"] = plain
    for name, config in configs.items():
        rootfs = folder / name / "rootfs"
        for place in ("proc", "sys", "dev", "etc"):
            (rootfs / place).mkdir(parents=True)
        for file in FILES:
            (rootfs / "etc" / file).touch()
        shutil.copy(payload, rootfs / "payload")
        (folder / name / "config.json").write_text(json.dumps(config))
        waiting = json.loads(json.dumps(config))
        waiting["process"]["args"] += ["waits"]
        (folder / name / "waiting").mkdir()
        waiting["root"]["path"] = str(rootfs)
        (folder / name / "waiting" / "config.json").write_text(json.dumps(waiting))
