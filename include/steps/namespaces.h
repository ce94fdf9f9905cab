// SPDX-License-Identifier: Apache-2.0
// Operations on namespaces and what lives in them: id maps, host name, sysctls.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace oci::steps {

struct JoinedNamespace {
    std::uint64_t type = 0; ///< CLONE_NEW*
    std::string path;
    bool operator==(JoinedNamespace const&) const = default;
};

struct IdMap {
    std::uint32_t container_id = 0;
    std::uint32_t host_id = 0;
    std::uint32_t size = 0;
    bool operator==(IdMap const&) const = default;
};

/// Starts the container's first process. The runtime enters what is joined by path, makes the time namespace, clones,
/// and goes back; a user namespace joined by path needs a process in between (it cannot be left again).
struct StartInit {
    std::uint64_t new_namespaces = 0;      ///< CLONE_NEW* for clone3(2); the cgroup namespace is unshared later
    std::vector<JoinedNamespace> joined;   ///< all but mount namespaces
    std::vector<std::string> time_offsets; ///< lines for /proc/self/timens_offsets
    bool into_cgroup = true;               ///< CLONE_INTO_CGROUP
    bool operator==(StartInit const&) const = default;
};

/// Who may write an id map, user_namespaces(7): its own writer, or newuidmap(1) and newgidmap(1), which know from
/// /etc/subuid and /etc/subgid what a user may map.
enum class MapWriter { runtime, helper };

/// /proc/PID/uid_map, setgroups, gid_map; user_namespaces(7).
struct WriteIdMaps {
    std::vector<IdMap> uids;
    std::vector<IdMap> gids;
    MapWriter uid_writer = MapWriter::runtime;
    MapWriter gid_writer = MapWriter::runtime;
    bool deny_setgroups = false; ///< what the runtime has to give up to write its own gid
    bool operator==(WriteIdMaps const&) const = default;
};

/// The set-up child takes an id that is mapped, so that files it makes have an owner.
struct BecomeMappedUser {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    bool keep_groups = false; ///< the supplementary ones stay those of the caller
    bool operator==(BecomeMappedUser const&) const = default;
};

struct JoinMountNamespace {
    std::string path;
    bool operator==(JoinMountNamespace const&) const = default;
};

/// For a container that shares the caller's mount namespace: it is built in a namespace of its own all the same, so
/// that no mount of it is ever seen outside.
struct LeaveMountNamespace {
    bool operator==(LeaveMountNamespace const&) const = default;
};

/// Then the process goes back, and takes what was built along as its root directory: a detached tree, which ends with
/// the last process in it.
struct ReturnToMountNamespace {
    bool operator==(ReturnToMountNamespace const&) const = default;
};

/// Nothing else would: a new network namespace begins with loopback down, and programs expect 127.0.0.1 to work.
struct BringLoopbackUp {
    bool operator==(BringLoopbackUp const&) const = default;
};

struct NetworkDevice {
    std::string host_name;
    std::string container_name; ///< "%d" in it: a number that the kernel chooses
    bool operator==(NetworkDevice const&) const = default;
};

/// From the runtime's network namespace to the container's, with the permanent addresses; then they are set up.
struct MoveNetworkDevices {
    std::vector<NetworkDevice> devices;
    bool operator==(MoveNetworkDevices const&) const = default;
};

struct SetHostname {
    std::string name;
    bool operator==(SetHostname const&) const = default;
};

struct SetDomainname {
    std::string name;
    bool operator==(SetDomainname const&) const = default;
};

/// Below the detached procfs: "net/ipv4/ip_forward" and the value.
struct SetSysctls {
    std::vector<std::pair<std::string, std::string>> values;
    bool operator==(SetSysctls const&) const = default;
};

} // namespace oci::steps
