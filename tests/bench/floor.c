// SPDX-License-Identifier: Apache-2.0
// What the kernel's part of running a bundle costs: the system calls that bundles.py's bundles need, and nothing else
// (no JSON, no state, no hand-over). No runtime can be faster; it is not a runtime. usage: floor a|b|c FOLDER CGROUP
// [FILTER]
//   FOLDER   of bundles.py      CGROUP  to make below it      FILTER  a compiled seccomp filter (struct sock_filter[])
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        if ((call) < 0) {                                                                                              \
            fprintf(stderr, "floor: %d: %s: %s\n", __LINE__, #call, strerror(errno));                                  \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static char const* folder;
static int with_user_namespace, like_an_engine;
static struct sock_fprog filter;

static void mount_new(char const* type, char const* target, unsigned long flags, char const* data) {
    CHECK(mount(type, target, type, flags, data));
}

static void bind_mount(char const* source, char const* target, unsigned long flags) {
    CHECK(mount(source, target, NULL, MS_BIND | MS_REC, NULL));
    if (flags)
        CHECK(mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | flags, NULL));
}

static void make_devices(void) {
    static struct {
        char const* name;
        unsigned major, minor;
    } const devices[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                         {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; ++i) {
        char target[64], source[64];
        snprintf(target, sizeof target, "dev/%s", devices[i].name);
        snprintf(source, sizeof source, "/dev/%s", devices[i].name);
        if (with_user_namespace) {
            CHECK(mknodat(AT_FDCWD, target, S_IFREG | 0666, 0));
            bind_mount(source, target, 0);
        } else {
            CHECK(mknodat(AT_FDCWD, target, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)));
        }
    }
    CHECK(symlink("/proc/self/fd", "dev/fd"));
    CHECK(symlink("/proc/self/fd/0", "dev/stdin"));
    CHECK(symlink("/proc/self/fd/1", "dev/stdout"));
    CHECK(symlink("/proc/self/fd/2", "dev/stderr"));
    CHECK(symlink("pts/ptmx", "dev/ptmx"));
}

static void mask(void) {
    static char const* const masked[] = {"asound",     "acpi",        "kcore",       "keys", "latency_stats",
                                         "timer_list", "timer_stats", "sched_debug", "scsi"};
    static char const* const read_only[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};
    char path[64];
    for (size_t i = 0; i < sizeof masked / sizeof *masked; ++i) {
        snprintf(path, sizeof path, "/proc/%s", masked[i]);
        struct stat is;
        if (stat(path, &is) < 0)
            continue;
        if (S_ISDIR(is.st_mode))
            mount_new("tmpfs", path, MS_RDONLY, "nr_blocks=1,nr_inodes=1");
        else
            bind_mount("/dev/null", path, 0);
    }
    if (access("/sys/firmware", F_OK) == 0)
        mount_new("tmpfs", "/sys/firmware", MS_RDONLY, "nr_blocks=1,nr_inodes=1");
    if (access("/sys/devices/virtual/powercap", F_OK) == 0)
        mount_new("tmpfs", "/sys/devices/virtual/powercap", MS_RDONLY, "nr_blocks=1,nr_inodes=1");
    for (size_t i = 0; i < sizeof read_only / sizeof *read_only; ++i) {
        snprintf(path, sizeof path, "/proc/%s", read_only[i]);
        if (access(path, F_OK) == 0)
            bind_mount(path, path, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
    }
}

static void make_file_system(void) {
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
    CHECK(mount("rootfs", "rootfs", NULL, MS_BIND | MS_REC, NULL));
    CHECK(chdir("rootfs"));
    mount_new("proc", "proc", 0, NULL);
    mount_new("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
    CHECK(mkdir("dev/pts", 0755));
    CHECK(mkdir("dev/shm", 0755));
    CHECK(mkdir("dev/mqueue", 0755));
    mount_new("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
    mount_new("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k");
    mount_new("mqueue", "dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_new("sysfs", "sys", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL);
    mount_new("cgroup2", "sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME | MS_RDONLY, NULL);
    if (like_an_engine) {
        bind_mount("../../resolv.conf", "etc/resolv.conf", 0);
        bind_mount("../../hostname", "etc/hostname", 0);
        bind_mount("../../hosts", "etc/hosts", 0);
    }
    make_devices();
    if (!like_an_engine)
        CHECK(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    CHECK(syscall(SYS_pivot_root, ".", "."));
    CHECK(umount2(".", MNT_DETACH));
    CHECK(chdir("/"));
    mask();
}

static void bring_up_loopback(void) {
    struct ifreq request = {.ifr_name = "lo"};
    request.ifr_flags = IFF_UP;
    int const socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(socket_fd);
    CHECK(ioctl(socket_fd, SIOCSIFFLAGS, &request));
    close(socket_fd);
}

static void limit_process(void) {
    // The bits of bundles.py's CAPABILITIES.
    uint64_t const kept = like_an_engine ? 0xa80425fb : 1 << CAP_KILL;
    for (int capability = 0; capability <= CAP_LAST_CAP; ++capability)
        if (!(kept >> capability & 1))
            prctl(PR_CAPBSET_DROP, capability);
    CHECK(syscall(SYS_setgroups, 0, NULL));
    CHECK(setresgid(0, 0, 0));
    CHECK(setresuid(0, 0, 0));
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct const data[2] = {{(uint32_t)kept, (uint32_t)kept, 0}};
    if (filter.len && !like_an_engine)
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (filter.len) // before the capabilities are gone, for want of no_new_privs
        CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
    CHECK(syscall(SYS_capset, &header, data));
    if (!like_an_engine)
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/// A program for the device rules of the bundles, in the same form as a runtime's.
static void limit_devices(int cgroup) {
#define ALLOW_IF(major, minor)                                                                                         \
    {BPF_JMP | BPF_JNE | BPF_K, 4, 0, 3, major}, {BPF_JMP | BPF_JNE | BPF_K, 5, 0, 2, minor},                          \
        {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1}, {                                                                   \
        BPF_JMP | BPF_EXIT, 0, 0, 0, 0                                                                                 \
    }
    struct bpf_insn const program[] = {{BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0},
                                       {BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0},
                                       {BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0},
                                       ALLOW_IF(1, 3),
                                       ALLOW_IF(1, 5),
                                       ALLOW_IF(1, 7),
                                       ALLOW_IF(1, 8),
                                       ALLOW_IF(1, 9),
                                       ALLOW_IF(5, 0),
                                       ALLOW_IF(5, 2),
                                       {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
                                       {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                           .insn_cnt = sizeof program / sizeof *program,
                           .insns = (uintptr_t)program,
                           .license = (uintptr_t) "Apache-2.0"};
    int const loaded = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
    CHECK(loaded);
    union bpf_attr attach = {.target_fd = (uint32_t)cgroup,
                             .attach_bpf_fd = (uint32_t)loaded,
                             .attach_type = BPF_CGROUP_DEVICE,
                             .attach_flags = BPF_F_ALLOW_MULTI};
    CHECK(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach));
    close(loaded);
}

static void write_map(pid_t child, char const* name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", child, name);
    int const file = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(file);
    CHECK(write(file, "0 100000 65536\n", 15));
    close(file);
}

int main(int argc, char** argv) {
    if (argc < 4)
        return 2;
    folder = argv[2];
    like_an_engine = argv[1][0] != 'a';
    with_user_namespace = argv[1][0] == 'c';
    if (argc > 4) {
        static struct sock_filter code[BPF_MAXINSNS];
        int const file = open(argv[4], O_RDONLY | O_CLOEXEC);
        CHECK(file);
        ssize_t const size = read(file, code, sizeof code);
        close(file);
        filter = (struct sock_fprog){(unsigned short)(size / (ssize_t)sizeof *code), code};
    }
    CHECK(chdir(folder));
    CHECK(chdir(argv[1]));
    CHECK(mkdir(argv[3], 0755));
    int const cgroup = open(argv[3], O_PATH | O_DIRECTORY | O_CLOEXEC);
    CHECK(cgroup);
    int const cgroup_to_attach = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    limit_devices(cgroup_to_attach);
    int mapped[2];
    CHECK(pipe2(mapped, O_CLOEXEC));
    struct clone_args arguments = {.flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS |
                                            CLONE_INTO_CGROUP | (with_user_namespace ? CLONE_NEWUSER : 0),
                                   .exit_signal = SIGCHLD,
                                   .cgroup = (uint64_t)cgroup};
    pid_t const child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    CHECK(child);
    if (child == 0) {
        if (with_user_namespace) {
            char go;
            CHECK(read(mapped[0], &go, 1));
            CHECK(setresgid(0, 0, 0));
            CHECK(setresuid(0, 0, 0));
        }
        CHECK(unshare(CLONE_NEWCGROUP));
        bring_up_loopback();
        CHECK(sethostname("bench", 5));
        make_file_system();
        limit_process();
        CHECK(execl("/payload", "/payload", NULL));
    }
    if (with_user_namespace) {
        write_map(child, "uid_map");
        write_map(child, "gid_map");
        CHECK(write(mapped[1], "", 1));
    }
    int status;
    CHECK(waitpid(child, &status, 0));
    CHECK(rmdir(argv[3]));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
