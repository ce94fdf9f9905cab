// SPDX-License-Identifier: Apache-2.0
// What is remembered of a container: the folder <root>/<id>/ with record.json, config.json, state.json and start.sock.
//
// record.json is written once, before anything is made, and is all that `delete` needs. state.json comes with the
// commit. The folder itself is the lock (flock(2)); the kernel drops it with the process, so there are no stale locks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"
#include "kernel/process.h"

namespace oci::state {

/// Version of the files' format; other versions are refused.
inline constexpr int format_version = 1;

struct Record {
    std::string id;
    std::string boot_id;
    std::string bundle;        ///< absolute
    std::string cgroup_driver; ///< "cgroupfs", "systemd" or "disabled"
    std::string cgroup_path;   ///< below the cgroup2 mount, "" when disabled
    std::string
        cgroup_created;        ///< the highest folder of cgroup_path that did not exist before; delete removes up to it
    std::string systemd_unit;  ///< with the systemd driver: the scope that the cgroup belongs to
    std::string resctrl_group; ///< of linux.intelRdt, below the resctrl mount: "/gold"; "" without
    std::string resctrl_monitoring_group; ///< made for the container; "" without
    bool resctrl_created = false;         ///< the group did not exist before
    bool resctrl_named = false;           ///< by closID: it stays when the container is deleted
    bool operator==(Record const&) const = default;
};

struct State {
    std::string oci_version;
    std::string created; ///< RFC 3339 with nanoseconds, UTC
    std::string rootfs;  ///< absolute
    std::map<std::string, std::string> annotations;
    pid_t pid = 0;                 ///< init, as the runtime sees it
    std::uint64_t start_time = 0;  ///< of that pid, clock ticks since boot
    std::uint32_t owner = 0;       ///< uid that created it
    bool has_process = true;       ///< config.json had "process"
    bool devices_updated = false;  ///< `update` has replaced the device rules of config.json
    bool has_keyring = true;       ///< not the session keyring of its creator; so it is for `exec`
    bool own_pid_namespace = true; ///< a new one: the kernel ends everything in it together with init
    bool operator==(State const&) const = default;
};

/// JSON with a checksum as its last member: a flipped bit in a path would make `delete` remove another container's
/// cgroup.
std::string to_json(Record const& record);
std::string to_json(State const& state);
/// Every malformed or damaged text is an error, never an exception.
Result<Record> record_from_json(std::string_view text);
Result<State> state_from_json(std::string_view text);

/// [A-Za-z0-9_+-][A-Za-z0-9_+.-]*, at most 255 bytes; error "invalid container ID format: ...".
Result<void> check_id(std::string_view id);
/// Whether it is the error "container does not exist". ENOENT alone may come from anything that is missing.
bool is_missing_container(Error const& error);
/// The default root: /run/oci-run, or $XDG_RUNTIME_DIR/oci-run where the caller is not root (as runc's
/// is chosen). "" where there is none: everything below fails with such a root and says what to set.
std::string default_root(std::uint32_t euid, bool in_user_namespace, char const* user, char const* xdg_runtime_dir);

class ContainerDir {
public:
    /// Makes <root> (0700, sticky below XDG_RUNTIME_DIR) and <root>/<id> and takes the lock. EEXIST:
    /// "container with given ID already exists".
    static Result<ContainerDir> reserve(std::string const& root, std::string const& id);
    /// Without lock. ENOENT: "container does not exist".
    static Result<ContainerDir> open(std::string const& root, std::string const& id);
    /// With the lock, waiting for it until the deadline; then looked up again, so that the folder is the one under that
    /// name. ETIMEDOUT: "container is busy: another command holds its lock".
    static Result<ContainerDir> open_locked(std::string const& root, std::string const& id, kernel::Deadline deadline);

    std::string const& id() const { return id_; }
    int get() const { return directory_.get(); }
    /// The path for messages only.
    std::string path() const;
    /// Whether somebody holds the lock (another open description than this one).
    bool is_locked_by_other() const;
    /// Closes the descriptor, and with the last copy of it the lock: for children that must not keep it.
    void release() {
        directory_.close();
        root_.close();
    }

    /// Gives up the lock; the descriptor stays.
    Result<void> unlock();
    /// Takes it again. False: the container was deleted meanwhile, whatever has its name now is another one.
    Result<bool> lock_again(kernel::Deadline deadline);

    Result<void> write_record(Record const& record);
    Result<void> write_config(std::string_view config);
    Result<void> write_state(State const& state);
    /// ENOENT: "container does not exist" (the folder is about to become, or was just, a container; it has made
    /// nothing).
    Result<Record> read_record() const;
    Result<std::string> read_config() const;
    /// nullopt: not committed yet (no state.json).
    Result<std::optional<State>> read_state() const;

    Result<kernel::Fd> open_gate() const;    ///< listens at start.sock
    Result<kernel::Fd> connect_gate() const; ///< ECONNREFUSED, ENOENT: nobody waits
    /// Whether init waits at the gate. Never blocks.
    Result<bool> gate_accepts() const;

    /// The folder with the socket of NOTIFY_SOCKET, which the container gets as a bind mount.
    Result<void> make_notify_folder();
    /// nullopt: the container was made without.
    Result<std::optional<kernel::Fd>> open_notify_folder() const;

    /// Removes state, config, gate, temporary files, record, then the folder. Any other name in it is an error that
    /// names it, and nothing is removed. May be called again after a failure.
    Result<void> remove();

private:
    ContainerDir(kernel::Fd root, std::string root_path, std::string id, kernel::Fd directory, bool locked)
        : root_(std::move(root))
        , root_path_(std::move(root_path))
        , id_(std::move(id))
        , directory_(std::move(directory))
        , locked_(locked) {}

    kernel::Fd root_;
    std::string root_path_;
    std::string id_;
    kernel::Fd directory_;
    bool locked_; ///< by this open description
};

/// Of ContainerDir::make_notify_folder.
std::string notify_folder_path(std::string const& root, std::string const& id);

/// Names of the containers below `root`, sorted. A root that does not exist is empty.
Result<std::vector<std::string>> container_ids(std::string const& root);

} // namespace oci::state
