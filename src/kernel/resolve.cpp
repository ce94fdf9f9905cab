// SPDX-License-Identifier: Apache-2.0
// Looking up a path inside a root: openat2(2), and the component-wise walk that stands in for it and that makes what is
// missing on the way.
//
// The walk holds a descriptor of every folder from the root to where it is. ".." takes one off, so a rename of a folder
// by somebody else cannot lead outside (the kernel answers EAGAIN there); a link's text is walked like the path itself.
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <optional>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/file.h"

namespace oci::kernel {

namespace {

constexpr int most_links = 40;     // MAXSYMLINKS of the kernel
constexpr int most_attempts = 128; // against somebody who renames all the time (libpathrs does the same)
constexpr std::uint64_t in_root = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

struct WalkRequest {
    int flags = 0;
    mode_t mode = 0;
    std::uint64_t resolve = 0;
    mode_t make_folders = 0; ///< S_IFDIR and permissions: folders missing on the way are made
    mode_t make_last = 0;    ///< S_IFDIR or S_IFREG and permissions: so is the last component
};

struct Component {
    std::string name;
    bool slash = false; ///< followed by at least one '/'
};

class Walk {
public:
    explicit Walk(WalkRequest const& request)
        : request_(request) {}

    Result<Fd> run(int directory, std::string const& path) {
        int error = EAGAIN;
        for (int attempt = 0; attempt < most_attempts && error == EAGAIN; ++attempt)
            error = walk(directory, path.c_str());
        if (error != 0)
            return fail_errno(error, failed_call_, " ", path);
        return std::move(answer_);
    }

private:
    // All of these return 0 or an errno value.
    int walk(int directory, std::string_view path);
    int enter(int directory, bool absolute);
    int jump_to_root();
    int go_up();
    int step(Component const& component);
    int step_into(std::string const& name);
    int step_last(std::string const& name);
    int follow(Fd const& link);
    int open_last(std::string const& name, bool known_link);
    int open_here();
    int look_up(std::string const& name, Fd& found, struct ::stat& status);
    int look_up_or_make(std::string const& name, mode_t make, Fd& found, struct ::stat& status);
    int make(std::string const& name, mode_t make);
    int check_mount(Fd const& opened);

    void push(std::string_view path);
    int here() const { return folders_.back().get(); }
    bool has(std::uint64_t flag) const { return (request_.resolve & flag) != 0; }
    bool follows_last_link() const;

    WalkRequest request_;
    std::vector<Fd> folders_;        ///< from the root to where the walk is
    std::vector<Component> pending_; ///< what is still to walk, the next one last
    std::optional<std::uint64_t> mount_id_;
    int links_ = 0;
    bool must_be_folder_ = false; ///< a trailing slash was seen
    char const* failed_call_ = "open";
    Fd answer_;
};

int Walk::walk(int directory, std::string_view path) {
    folders_.clear();
    pending_.clear();
    links_ = 0;
    must_be_folder_ = false;
    if (path.empty())
        return ENOENT;
    if (path.size() >= PATH_MAX)
        return ENAMETOOLONG;
    if ((request_.flags & O_CREAT) != 0 && (request_.flags & O_DIRECTORY) != 0)
        return EINVAL; // open(2), BUGS; since Linux 6.4 the kernel says so too
    if (int const error = enter(directory, path.starts_with('/')); error != 0)
        return error;
    push(path);
    while (!pending_.empty()) {
        Component const component = std::move(pending_.back());
        pending_.pop_back();
        if (int const error = step(component); error != 0)
            return error;
        if (answer_)
            return 0;
    }
    return open_here();
}

int Walk::enter(int directory, bool absolute) {
    if (absolute && has(RESOLVE_BENEATH))
        return EXDEV;
    char const* const start = absolute && !has(RESOLVE_IN_ROOT) ? "/" : ".";
    Fd base(::openat(directory, start, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!base)
        return errno;
    mount_id_.reset();
    if (int const error = check_mount(base); error != 0)
        return error;
    folders_.push_back(std::move(base));
    return 0;
}

/// Puts the parts of a path, or of a link's text, in front of what is still to walk.
void Walk::push(std::string_view path) {
    std::vector<Component> parts;
    for (auto const part : split(path, '/')) {
        if (!part.empty())
            parts.push_back({std::string(part), false});
        else if (!parts.empty())
            parts.back().slash = true;
    }
    pending_.insert(pending_.end(), std::make_move_iterator(parts.rbegin()), std::make_move_iterator(parts.rend()));
}

int Walk::step(Component const& component) {
    if (component.name == ".")
        return 0;
    if (component.name == "..")
        return go_up();
    if (!pending_.empty())
        return step_into(component.name);
    if (component.slash && (request_.flags & O_CREAT) != 0)
        return EISDIR;
    must_be_folder_ = must_be_folder_ || component.slash;
    return step_last(component.name);
}

int Walk::step_into(std::string const& name) {
    Fd found;
    struct ::stat status {};
    if (int const error = look_up_or_make(name, request_.make_folders, found, status); error != 0)
        return error;
    if (S_ISLNK(status.st_mode))
        return follow(found);
    if (!S_ISDIR(status.st_mode))
        return ENOTDIR;
    folders_.push_back(std::move(found));
    return 0;
}

bool Walk::follows_last_link() const {
    if (must_be_folder_)
        return true;
    bool const exclusive = (request_.flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    return (request_.flags & O_NOFOLLOW) == 0 && !exclusive;
}

int Walk::step_last(std::string const& name) {
    if (must_be_folder_ && S_ISREG(request_.make_last))
        return ENOTDIR;
    Fd found;
    struct ::stat status {};
    int const error = look_up_or_make(name, request_.make_last, found, status);
    if (error == ENOENT && (request_.flags & O_CREAT) != 0)
        return open_last(name, false);
    if (error != 0)
        return error;
    bool const link = S_ISLNK(status.st_mode);
    if (link && follows_last_link())
        return follow(found);
    if (link || (request_.flags & O_PATH) == 0)
        return open_last(name, link);
    // The answer is what was looked at, not what has that name by now.
    if ((must_be_folder_ || (request_.flags & O_DIRECTORY) != 0) && !S_ISDIR(status.st_mode))
        return ENOTDIR;
    answer_ = std::move(found);
    return 0;
}

int Walk::open_last(std::string const& name, bool known_link) {
    int const flags = request_.flags | O_NOFOLLOW | O_CLOEXEC | (must_be_folder_ ? O_DIRECTORY : 0);
    Fd opened(::openat(here(), name.c_str(), flags, request_.mode));
    if (!opened)
        return errno == ELOOP && !known_link ? EAGAIN : errno; // became a link after it was looked at: once more
    if (int const error = check_mount(opened); error != 0)
        return error;
    answer_ = std::move(opened);
    return 0;
}

/// The path ended in a folder the walk already stands in: "/", "." or "..".
int Walk::open_here() {
    answer_ = Fd(::openat(here(), ".", request_.flags | O_CLOEXEC, request_.mode));
    return answer_ ? 0 : errno;
}

int Walk::go_up() {
    if (folders_.size() > 1) {
        folders_.pop_back();
        return 0;
    }
    if (has(RESOLVE_BENEATH))
        return EXDEV;
    if (has(RESOLVE_IN_ROOT))
        return 0;
    Fd parent(::openat(here(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!parent)
        return errno;
    if (int const error = check_mount(parent); error != 0)
        return error;
    folders_.back() = std::move(parent);
    return 0;
}

int Walk::jump_to_root() {
    if (has(RESOLVE_BENEATH))
        return EXDEV;
    if (has(RESOLVE_IN_ROOT)) {
        folders_.resize(1);
        return 0;
    }
    if (has(RESOLVE_NO_XDEV))
        return EXDEV; // as the kernel, which has not looked up "/" for a relative path and so cannot compare
    Fd root(::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root)
        return errno;
    folders_.clear();
    folders_.push_back(std::move(root));
    return 0;
}

/// On procfs every link below a process's folder is magic; those in its root ("self", "mounts", "net") are text.
bool is_magic_link(int link, int folder) {
    struct ::statfs filesystem {};
    if (::fstatfs(link, &filesystem) != 0)
        return true;
    if (filesystem.f_type != PROC_SUPER_MAGIC)
        return false;
    struct ::stat link_status {};
    struct ::stat folder_status {};
    bool const known = ::fstat(link, &link_status) == 0 && ::fstat(folder, &folder_status) == 0;
    constexpr ino_t procfs_root = 1;
    return !known || folder_status.st_dev != link_status.st_dev || folder_status.st_ino != procfs_root;
}

int Walk::follow(Fd const& link) {
    if (has(RESOLVE_NO_SYMLINKS) || links_ == most_links || is_magic_link(link.get(), here()))
        return ELOOP;
    ++links_;
    std::array<char, PATH_MAX> buffer{};
    ssize_t const length = ::readlinkat(link.get(), "", buffer.data(), buffer.size());
    if (length < 0)
        return errno;
    std::string_view const target(buffer.data(), static_cast<std::size_t>(length));
    if (target.empty())
        return ENOENT;
    if (target.size() == buffer.size())
        return ENAMETOOLONG;
    if (target.starts_with('/'))
        if (int const error = jump_to_root(); error != 0)
            return error;
    push(target);
    return 0;
}

int Walk::look_up(std::string const& name, Fd& found, struct ::stat& status) {
    failed_call_ = "open";
    found = Fd(::openat(here(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!found || ::fstat(found.get(), &status) != 0)
        return errno;
    return check_mount(found);
}

/// What was made is looked up again: if somebody put a link there meanwhile, it is followed like any other.
int Walk::look_up_or_make(std::string const& name, mode_t make_mode, Fd& found, struct ::stat& status) {
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        int error = look_up(name, found, status);
        if (error != ENOENT || make_mode == 0)
            return error;
        error = make(name, make_mode);
        if (error != 0 && error != EEXIST)
            return error;
    }
    return EAGAIN;
}

int Walk::make(std::string const& name, mode_t make_mode) {
    bool const folder = S_ISDIR(make_mode);
    failed_call_ = folder ? "mkdir" : "create";
    mode_t const permissions = make_mode & 07777U;
    mode_t const saved = ::umask(0); // the permissions are meant exactly
    int const result = folder ? ::mkdirat(here(), name.c_str(), permissions)
                              : ::mknodat(here(), name.c_str(), S_IFREG | permissions, 0);
    int const error = result == 0 ? 0 : errno;
    ::umask(saved);
    return error;
}

/// RESOLVE_NO_XDEV: the mount the walk began in is the only one.
int Walk::check_mount(Fd const& opened) {
    if (!has(RESOLVE_NO_XDEV))
        return 0;
    struct ::statx status {};
    if (::statx(opened.get(), "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0)
        return errno;
    if ((status.stx_mask & STATX_MNT_ID) == 0)
        return EXDEV;
    if (!mount_id_)
        mount_id_ = status.stx_mnt_id;
    return *mount_id_ == status.stx_mnt_id ? 0 : EXDEV;
}

bool makes_a_file(int flags) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

/// What exists costs one call; the walk is for what has to be made.
Result<Fd> find_or_make(int root, std::string const& path, WalkRequest const& request) {
    auto existing = openat2(root, path, request.flags, 0, request.resolve);
    if (existing || existing.error().errno_value != ENOENT)
        return existing;
    return Walk(request).run(root, path);
}

} // namespace

Result<Fd> openat2(int directory, std::string const& path, int flags, mode_t mode, std::uint64_t resolve) {
    struct ::open_how how {};
    how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC));
    how.mode = makes_a_file(flags) ? mode : 0; // EINVAL otherwise
    how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
    int error = EAGAIN;
    for (int attempt = 0; attempt < most_attempts && (error == EAGAIN || error == EINTR); ++attempt) {
        Fd opened(static_cast<int>(::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how)));
        if (opened)
            return opened;
        error = errno;
    }
    if (error == ENOSYS || error == EPERM)
        return walk_openat2(directory, path, flags, mode, resolve);
    return fail_errno(error, "open ", path);
}

Result<Fd> walk_openat2(int directory, std::string const& path, int flags, mode_t mode, std::uint64_t resolve) {
    WalkRequest request;
    request.flags = flags;
    request.mode = mode;
    request.resolve = resolve;
    return Walk(request).run(directory, path);
}

Result<Fd> open_in_root(int root, std::string const& path, int flags) {
    return openat2(root, path, flags, 0, in_root);
}

Result<Fd> make_directories_in_root(int root, std::string const& path, mode_t mode) {
    WalkRequest request;
    request.flags = O_PATH | O_DIRECTORY;
    request.resolve = in_root;
    request.make_folders = S_IFDIR | mode;
    request.make_last = S_IFDIR | mode;
    return find_or_make(root, path, request);
}

Result<Fd> make_mount_target(int root, std::string const& path, bool is_directory) {
    WalkRequest request;
    request.flags = O_PATH;
    request.resolve = in_root;
    request.make_folders = S_IFDIR | 0755;
    request.make_last = is_directory ? S_IFDIR | 0755 : S_IFREG | 0644;
    auto target = TRY(find_or_make(root, path, request));
    auto const status = TRY(fstat(target.get()));
    if (S_ISDIR(status.st_mode) != is_directory)
        return fail_errno(is_directory ? ENOTDIR : EISDIR, "mount target ", path);
    return target;
}

} // namespace oci::kernel
