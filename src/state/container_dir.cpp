// SPDX-License-Identifier: Apache-2.0
#include "state/container_dir.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "base/trace.h"
#include "kernel/file.h"
#include "kernel/socket.h"

namespace oci::state {

namespace {

constexpr std::size_t maximum_file_size = 16U << 20U;
constexpr char record_name[] = "record.json";
constexpr char config_name[] = "config.json";
constexpr char state_name[] = "state.json";
constexpr char gate_name[] = "start.sock";
constexpr char notify_name[] = "notify"; ///< a folder with the socket of NOTIFY_SOCKET

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
constexpr int most_attempts = 100;
constexpr std::chrono::seconds reserve_patience{10};

constexpr std::string_view missing_message = "container does not exist";

Failure does_not_exist() {
    return Failure(Error{std::string(missing_message), ENOENT});
}

/// For a missing folder the sentence that engines look for; other errors as they are.
Failure lookup_failure(Error error) {
    if (error.errno_value == ENOENT)
        return does_not_exist();
    return Failure(std::move(error));
}

/// "": default_root() had nothing to offer.
Result<void> check_root(std::string const& root) {
    if (root.empty())
        return fail(
            "no folder for the state of containers: XDG_RUNTIME_DIR is not set or empty; set it, or give --root");
    return {};
}

/// The folder that holds all containers, made where it is missing.
Result<kernel::Fd> make_root(std::string const& root) {
    TRY(check_root(root));
    auto const top = TRY(kernel::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    auto made = TRY(in_context(kernel::make_directories_in_root(top.get(), clean_path(root), 0700), "state root"));
    char const* const runtime_directory = std::getenv("XDG_RUNTIME_DIR");
    if (runtime_directory != nullptr && *runtime_directory != '\0' &&
        is_below(clean_path(root), clean_path(runtime_directory))) {
        // Entries with the sticky bit survive the periodic clean-up (XDG base directory specification). A failure means
        // that the folder is not ours: no reason to refuse it.
        (void)kernel::fchmodat(made.get(), ".", 01700);
    }
    return made;
}

Result<void> wait_for_lock(int directory, kernel::Deadline deadline) {
    auto locked = kernel::lock_exclusively(directory, deadline);
    if (!locked && locked.error().errno_value == ETIMEDOUT)
        locked.error().message = "container is busy: another command holds its lock";
    return locked;
}

/// Opens and locks the folder. nullopt: it was replaced meanwhile. ENOENT: there is none, or none any more.
Result<std::optional<kernel::Fd>> lock_once(int root, std::string const& id, kernel::Deadline deadline) {
    auto directory = TRY(kernel::openat(root, id, directory_flags));
    TRY(wait_for_lock(directory.get(), deadline));
    auto const locked = TRY(kernel::fstat(directory.get()));
    auto const named = TRY(kernel::fstatat(root, id, AT_SYMLINK_NOFOLLOW));
    if (named.st_dev != locked.st_dev || named.st_ino != locked.st_ino)
        return std::nullopt;
    return directory;
}

Failure exists_already() {
    return Failure(Error{"container with given ID already exists", EEXIST});
}

/// Makes the folder and locks it. nullopt: somebody was faster and removed it before it was locked.
Result<std::optional<kernel::Fd>> make_and_lock(int root, std::string const& id) {
    if (auto made = kernel::mkdirat(root, id, 0700); !made) {
        if (made.error().errno_value == EEXIST)
            return exists_already();
        return Failure(in_context(std::move(made), "state directory").error());
    }
    bool taken = false;
    auto const lock = [&]() -> Result<std::optional<kernel::Fd>> {
        TRY(kernel::fchmodat(root, id, 0700)); // whatever the umask took away
        auto locked = TRY(lock_once(root, id, kernel::Deadline::after(reserve_patience)));
        // Before it was locked, a `delete` may have removed it, and another `create` have made this one and its
        // container.
        taken = locked && !TRY(kernel::list_directory(locked->get())).empty();
        return locked;
    };
    auto locked = in_context(lock(), "state directory");
    if (!locked && locked.error().errno_value == ENOENT)
        return std::nullopt;
    if (!locked && locked.error().errno_value != ETIMEDOUT) // that one is in use
        (void)kernel::unlinkat(root, id, AT_REMOVEDIR);     // which fails where it is another's, and has files
    if (taken)
        return exists_already();
    return locked;
}

/// What kernel::write_file_atomically leaves when it is killed: ".state.json.1234".
bool is_temporary(std::string_view name) {
    constexpr std::array<std::string_view, 3> prefixes = {".record.json.", ".config.json.", ".state.json."};
    return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
        return name.starts_with(prefix) && parse_number<std::uint64_t>(name.substr(prefix.size()));
    });
}

bool is_known(std::string_view name) {
    constexpr std::array<std::string_view, 5> names = {record_name, config_name, state_name, gate_name, notify_name};
    return std::find(names.begin(), names.end(), name) != names.end() || is_temporary(name);
}

Result<void> remove_if_there(int directory, std::string const& name, int flags) {
    auto removed = kernel::unlinkat(directory, name, flags);
    if (!removed && removed.error().errno_value == ENOENT)
        return {};
    return removed;
}

Result<void> remove_notify_folder(int directory) {
    auto const folder = kernel::openat(directory, notify_name, directory_flags);
    if (!folder)
        return folder.error().errno_value == ENOENT ? Result<void>() : Result<void>(Failure(folder.error()));
    for (auto const& name : TRY(kernel::list_directory(folder->get())))
        TRY(remove_if_there(folder->get(), name, 0));
    return remove_if_there(directory, notify_name, AT_REMOVEDIR);
}

} // namespace

Result<void> check_id(std::string_view id) {
    auto const allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
               c == '-' || c == '.';
    };
    // 255 bytes is the longest name of a folder. No leading dot: "." and "..", and hidden folders are not seen by
    // people.
    if (id.empty() || id.size() > 255 || id[0] == '.' || !std::all_of(id.begin(), id.end(), allowed))
        return fail("invalid container ID format: ", json_string(id.substr(0, 300)));
    return {};
}

bool is_missing_container(Error const& error) {
    return error.errno_value == ENOENT && error.message == missing_message;
}

std::string default_root(std::uint32_t euid, bool in_user_namespace, char const* user, char const* xdg_runtime_dir) {
    bool const named_root = user != nullptr && std::string_view(user) == "root";
    bool const rootless = euid != 0 || (in_user_namespace && !named_root);
    if (rootless && xdg_runtime_dir != nullptr && *xdg_runtime_dir != '\0')
        return absolute_path("/", concat(xdg_runtime_dir, "/oci-run"));
    return euid == 0 ? "/run/oci-run" : "";
}

Result<ContainerDir> ContainerDir::reserve(std::string const& root, std::string const& id) {
    TRY(check_id(id));
    auto root_directory = TRY(make_root(root));
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        auto directory = TRY(make_and_lock(root_directory.get(), id));
        if (directory)
            return ContainerDir(std::move(root_directory), root, id, std::move(*directory), true);
    }
    return fail("state directory ", root, "/", id, " is removed by others again and again");
}

Result<ContainerDir> ContainerDir::open(std::string const& root, std::string const& id) {
    TRY(check_id(id));
    TRY(check_root(root));
    auto root_directory = kernel::openat(AT_FDCWD, root, O_PATH | O_DIRECTORY);
    if (!root_directory)
        return lookup_failure(std::move(root_directory).error());
    auto directory = kernel::openat(root_directory->get(), id, directory_flags);
    if (!directory)
        return lookup_failure(std::move(directory).error());
    return ContainerDir(std::move(*root_directory), root, id, std::move(*directory), false);
}

Result<ContainerDir> ContainerDir::open_locked(std::string const& root, std::string const& id,
                                               kernel::Deadline deadline) {
    TraceSpan const span("lock the state");
    TRY(check_id(id));
    TRY(check_root(root));
    auto root_directory = kernel::openat(AT_FDCWD, root, O_PATH | O_DIRECTORY);
    if (!root_directory)
        return lookup_failure(std::move(root_directory).error());
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        auto directory = lock_once(root_directory->get(), id, deadline);
        if (!directory)
            return lookup_failure(std::move(directory).error());
        if (*directory)
            return ContainerDir(std::move(*root_directory), root, id, std::move(**directory), true);
    }
    return fail("state directory ", root, "/", id, " is replaced by others again and again");
}

std::string notify_folder_path(std::string const& root, std::string const& id) {
    return concat(root, "/", id, "/", notify_name);
}

std::string ContainerDir::path() const {
    return concat(root_path_, "/", id_);
}

bool ContainerDir::is_locked_by_other() const {
    if (locked_)
        return false;
    // A lock belongs to an open description, so a fresh one is needed; it is gone again at the end of this function.
    auto const probe = kernel::openat(get(), ".", O_RDONLY | O_DIRECTORY);
    if (!probe)
        return false;
    auto const locked = kernel::flock(probe->get(), LOCK_SH | LOCK_NB);
    return !locked && locked.error().errno_value == EWOULDBLOCK;
}

Result<void> ContainerDir::unlock() {
    locked_ = false;
    return kernel::flock(get(), LOCK_UN);
}

Result<bool> ContainerDir::lock_again(kernel::Deadline deadline) {
    TRY(wait_for_lock(get(), deadline));
    locked_ = true;
    auto const ours = TRY(kernel::fstat(get()));
    auto const named = kernel::fstatat(root_.get(), id_, AT_SYMLINK_NOFOLLOW);
    return named && named->st_dev == ours.st_dev && named->st_ino == ours.st_ino;
}

Result<void> ContainerDir::write_record(Record const& record) {
    return in_context(kernel::write_file_atomically(get(), record_name, to_json(record), 0600), path());
}

Result<void> ContainerDir::write_config(std::string_view config) {
    return in_context(kernel::write_file_atomically(get(), config_name, config, 0600), path());
}

Result<void> ContainerDir::write_state(State const& state) {
    return in_context(kernel::write_file_atomically(get(), state_name, to_json(state), 0600), path());
}

Result<Record> ContainerDir::read_record() const {
    auto const text = kernel::read_file(get(), record_name, maximum_file_size);
    if (!text && text.error().errno_value == ENOENT)
        return does_not_exist();
    if (!text)
        return Failure(in_context(text, path()).error());
    auto record = TRY(in_context(record_from_json(*text), path(), "/", record_name));
    if (record.id != id_)
        return fail(path(), "/", record_name, ": belongs to container ", record.id);
    return record;
}

Result<std::string> ContainerDir::read_config() const {
    return in_context(kernel::read_file(get(), config_name, maximum_file_size), path());
}

Result<std::optional<State>> ContainerDir::read_state() const {
    auto const text = kernel::read_file(get(), state_name, maximum_file_size);
    if (!text && text.error().errno_value == ENOENT)
        return std::nullopt;
    if (!text)
        return Failure(in_context(text, path()).error());
    return TRY(in_context(state_from_json(*text), path(), "/", state_name));
}

Result<kernel::Fd> ContainerDir::open_gate() const {
    return in_context(kernel::listen_at(get(), gate_name), path());
}

Result<kernel::Fd> ContainerDir::connect_gate() const {
    return in_context(kernel::connect_at(get(), gate_name, SOCK_SEQPACKET), path());
}

Result<bool> ContainerDir::gate_accepts() const {
    auto connection = kernel::connect_at(get(), gate_name, SOCK_SEQPACKET | SOCK_NONBLOCK);
    if (connection)
        return true;
    switch (connection.error().errno_value) {
    case ETIMEDOUT: // the queue is full: init waits, but is stopped or not scheduled
        return true;
    case ECONNREFUSED:
    case ENOENT:
        return false;
    default:
        return Failure(in_context(std::move(connection), path()).error());
    }
}

Result<void> ContainerDir::make_notify_folder() {
    auto const make = [&]() -> Result<void> {
        TRY(kernel::mkdirat(get(), notify_name, 0755));
        return kernel::fchmodat(get(), notify_name, 0755); // whatever the umask took away
    };
    return in_context(make(), path());
}

Result<std::optional<kernel::Fd>> ContainerDir::open_notify_folder() const {
    auto folder = kernel::openat(get(), notify_name, directory_flags);
    if (!folder && folder.error().errno_value == ENOENT)
        return std::nullopt;
    return TRY(in_context(std::move(folder), path()));
}

Result<void> ContainerDir::remove() {
    TraceSpan const span("remove the state");
    std::vector<std::string> temporary;
    for (auto const& name : TRY(in_context(kernel::list_directory(get()), path()))) {
        if (!is_known(name))
            return fail(path(), " holds something unknown, nothing is removed: ", printable(name));
        if (is_temporary(name))
            temporary.push_back(name);
    }
    auto const remove_files = [&]() -> Result<void> {
        for (auto const* const name : {state_name, config_name, gate_name})
            TRY(remove_if_there(get(), name, 0));
        for (auto const& name : temporary)
            TRY(remove_if_there(get(), name, 0));
        TRY(remove_notify_folder(get()));
        // Last: as long as the record is there, another `delete` can go on.
        return remove_if_there(get(), record_name, 0);
    };
    TRY(in_context(remove_files(), path()));
    return in_context(remove_if_there(root_.get(), id_, AT_REMOVEDIR), root_path_);
}

Result<std::vector<std::string>> container_ids(std::string const& root) {
    TRY(check_root(root));
    auto const directory = kernel::openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
    if (!directory && directory.error().errno_value == ENOENT)
        return std::vector<std::string>{};
    if (!directory)
        return Failure(directory.error());
    std::vector<std::string> ids;
    for (auto const& name : TRY(in_context(kernel::list_directory(directory->get()), root))) {
        auto const status = kernel::fstatat(directory->get(), name, AT_SYMLINK_NOFOLLOW);
        // What cannot be looked at may be a container: whoever asked will see why.
        if (check_id(name) && (status ? S_ISDIR(status->st_mode) : status.error().errno_value != ENOENT))
            ids.push_back(name);
    }
    return ids;
}

} // namespace oci::state
