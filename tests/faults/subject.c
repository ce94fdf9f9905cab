// SPDX-License-Identifier: Apache-2.0
// The program of the containers in tests/faults: tells what it was given, in lines that are the same in every run.
//   subject            as init: prints all, then waits to be killed
//   subject once       prints all and ends
//   subject hook NAME FILE   appends a line to the file
//   subject fork N     starts N processes that wait, and waits
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

extern char** environ;

static void show_file(char const* path) {
    char text[65536];
    int const file = open(path, O_RDONLY | O_CLOEXEC);
    printf("== %s\n", path);
    for (ssize_t size; file >= 0 && (size = read(file, text, sizeof text)) > 0;)
        fwrite(text, 1, (size_t)size, stdout);
    if (file < 0)
        printf("%s\n", strerror(errno));
    else
        close(file);
}

/// What differs from run to run (memory, counters, numbers of processes) is left out.
static void show_status(void) {
    static char const* const fields[] = {"Umask",       "Uid",         "Gid",          "Groups",     "SigBlk",
                                         "SigIgn",      "SigCgt",      "Cap",          "NoNewPrivs", "Seccomp",
                                         "Speculation", "CoreDumping", "Cpus_allowed:"};
    FILE* const status = fopen("/proc/self/status", "re");
    if (status == NULL) {
        printf("no status: %s\n", strerror(errno));
        return;
    }
    char line[4096];
    while (fgets(line, sizeof line, status) != NULL)
        for (size_t i = 0; i < sizeof fields / sizeof *fields; ++i)
            if (strncmp(line, fields[i], strlen(fields[i])) == 0)
                fputs(line, stdout);
    fclose(status);
}

static void show_folder(char const* path) {
    struct dirent** entries = NULL;
    int const count = scandir(path, &entries, NULL, alphasort);
    printf("== folder %s\n", path);
    for (int i = 0; i < count; ++i) {
        struct stat status;
        char name[512];
        char target[512] = "";
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (strcmp(entries[i]->d_name, "..") != 0 && lstat(name, &status) == 0) {
            if (S_ISLNK(status.st_mode) && readlink(name, target, sizeof target - 1) < 0)
                target[0] = '\0';
            printf("%s %o %u:%u %u:%u %s\n", entries[i]->d_name, status.st_mode, status.st_uid, status.st_gid,
                   major(status.st_rdev), minor(status.st_rdev), target);
        }
        free(entries[i]);
    }
    free(entries);
}

static void show_descriptors(void) {
    printf("descriptors");
    for (int fd = 0; fd < 1024; ++fd)
        if (fcntl(fd, F_GETFD) != -1)
            printf(" %d", fd);
    printf("\n");
}

static void show_signals(void) {
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            printf("signal %d is not at its default\n", number);
    }
}

static void show_interface(void) {
    int const any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};
    int const result = ioctl(any, SIOCGIFFLAGS, &request);
    printf("lo %d flags %x\n", result, result == 0 ? (unsigned)request.ifr_flags : 0);
    close(any);
}

/// What the filters and limits answer, not only that they are there.
static void try_what_is_forbidden(void) {
    errno = 0;
    long const filtered = syscall(SYS_getcpu, NULL, NULL, NULL);
    printf("getcpu %ld %s\n", filtered, strerror(errno));
    // The memory of the machine: no container may read it.
    mode_t const kind = S_IFCHR | 0600;
    errno = 0;
    int const made = mknod("/tmp/subject-mem", kind, makedev(1, 1));
    printf("mknod %d %s\n", made, strerror(errno));
    errno = 0;
    int const mem = made == 0 ? open("/tmp/subject-mem", O_RDONLY | O_CLOEXEC) : -1;
    printf("open %d %s\n", mem < 0 ? -1 : 0, strerror(errno));
    unlink("/tmp/subject-mem");
    static char const* const paths[] = {"/proc/sysrq-trigger",
                                        "/proc/sys/kernel/hostname",
                                        "/readonly",
                                        "/sys/fs/cgroup/cgroup.procs",
                                        "/proc/kcore",
                                        "/proc/keys",
                                        "/written"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
        errno = 0;
        int const file = open(paths[i], O_WRONLY | O_CLOEXEC | (i == 6 ? O_CREAT : 0), 0600);
        printf("write %s %d %s\n", paths[i], file < 0 ? -1 : 0, strerror(errno));
        if (file >= 0)
            close(file);
        char byte = 0;
        int const source = open(paths[i], O_RDONLY | O_CLOEXEC);
        ssize_t const size = i < 4 ? 0 : read(source, &byte, 1);
        printf("read %s %d %zd\n", paths[i], source < 0 ? -1 : 0, size);
        if (source >= 0)
            close(source);
    }
    unlink("/written");
}

static void show_keyring(void) {
    char text[256] = "";
    long const size = syscall(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, -3 /* session */, text, sizeof text - 1);
    printf("keyring %s\n", size < 0 ? strerror(errno) : text);
}

static void show_all(void) {
    show_status();
    static char const* const files[] = {"/proc/self/mountinfo",        "/proc/self/limits",
                                        "/proc/self/oom_score_adj",    "/proc/self/cgroup",
                                        "/proc/self/uid_map",          "/proc/self/gid_map",
                                        "/proc/self/setgroups",        "/proc/self/timens_offsets",
                                        "/proc/self/timerslack_ns",    "/proc/sys/kernel/hostname",
                                        "/proc/sys/kernel/domainname", "/proc/sys/kernel/msgmax",
                                        "/proc/self/coredump_filter",  "/proc/net/route"};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
        show_file(files[i]);
    show_folder("/");
    show_folder("/dev");
    show_descriptors();
    show_signals();
    show_interface();
    try_what_is_forbidden();
    show_keyring();
    char folder[4096];
    printf("cwd %s\n", getcwd(folder, sizeof folder));
    int death_signal = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    printf("dumpable %d keepcaps %d securebits %d pdeathsig %d\n", prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS),
           prctl(PR_GET_SECUREBITS), death_signal);
    printf("personality %x policy %d nice %d ioprio %ld\n", (unsigned)personality(0xffffffff), sched_getscheduler(0),
           getpriority(PRIO_PROCESS, 0), syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, 0));
    printf("session %d group %d\n", getsid(0) == getpid(), getpgrp() == getpid());
    for (char** variable = environ; *variable != NULL; ++variable)
        printf("environment %s\n", *variable);
    printf("end\n");
    fflush(stdout);
}

/// Fails where the container's state does not come.
static int hook(char const* name, char const* path) {
    static char state[65536];
    size_t const size = fread(state, 1, sizeof state - 1, stdin);
    state[size] = '\0';
    if (size == 0 || state[size - 1] != '}' || strstr(state, "\"status\"") == NULL)
        return 1;
    int const file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    return file < 0 || dprintf(file, "%s\n", name) < 0;
}

static void wait_for_ever(void) {
    for (;;)
        pause();
}

int main(int count, char** words) {
    if (count == 4 && strcmp(words[1], "hook") == 0)
        return hook(words[2], words[3]);
    if (count == 3 && strcmp(words[1], "fork") == 0) {
        for (long i = strtol(words[2], NULL, 10); i > 0; --i)
            if (fork() == 0)
                wait_for_ever();
        printf("end\n");
        fflush(stdout);
        wait_for_ever();
    }
    show_all();
    if (count == 2 && strcmp(words[1], "once") == 0)
        return 0;
    wait_for_ever();
}
