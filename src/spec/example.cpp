// SPDX-License-Identifier: Apache-2.0
// The example configuration that `spec` writes.
#include "spec/example.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace oci::spec {

namespace {

using nlohmann::ordered_json;

// No inheritable and no ambient capabilities: a program that is no root then starts without any.
constexpr std::string_view example = R"({
    "ociVersion": "1.3.0",
    "process": {
        "terminal": true,
        "user": {"uid": 0, "gid": 0},
        "args": ["sh"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
        "cwd": "/",
        "capabilities": {
            "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        },
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": true
    },
    "root": {"path": "rootfs", "readonly": true},
    "hostname": "oci-run",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
         "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
    ],
    "linux": {
        "resources": {"devices": [{"allow": false, "access": "rwm"}]},
        "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                       {"type": "cgroup"}],
        "maskedPaths": [
            "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
            "/sys/devices/virtual/powercap", "/sys/firmware"
        ],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
    }
})";

ordered_json id_mappings(std::uint32_t host_id) {
    auto mapping = ordered_json::object();
    mapping["containerID"] = 0;
    mapping["hostID"] = host_id;
    mapping["size"] = 1;
    return ordered_json::array({mapping});
}

/// What a user without rights cannot do goes: limits, a group that is not mapped, and the network namespace (there
/// would be nobody to connect it), without which sysfs cannot be mounted but only bound.
void make_rootless(ordered_json& config, std::uint32_t uid, std::uint32_t gid) {
    auto& linux = config["linux"];
    linux.erase("resources");
    auto namespaces = ordered_json::array();
    for (auto const& entry : linux["namespaces"])
        if (entry["type"] != "network")
            namespaces.push_back(entry);
    namespaces.push_back({{"type", "user"}});
    linux["namespaces"] = namespaces;
    linux["uidMappings"] = id_mappings(uid);
    linux["gidMappings"] = id_mappings(gid);
    for (auto& mount : config["mounts"]) {
        if (mount["type"] == "devpts")
            mount["options"].erase(mount["options"].size() - 1);
        if (mount["type"] == "sysfs") {
            mount["type"] = "none";
            mount["source"] = "/sys";
            mount["options"] = {"rbind", "nosuid", "noexec", "nodev", "rro"};
        }
    }
}

} // namespace

std::string example_config(bool rootless, std::uint32_t uid, std::uint32_t gid) {
    auto config = ordered_json::parse(example);
    if (rootless)
        make_rootless(config, uid, gid);
    return config.dump(1, '\t') + "\n";
}

} // namespace oci::spec
