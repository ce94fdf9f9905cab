// SPDX-License-Identifier: Apache-2.0
// Runs a program and tells what it took: "NANOSECONDS PEAK_RSS_KIB FAILURES".
// usage: measure [-n COUNT] [-j JOBS] PROGRAM [ARGUMENT]...
//   -n  so many times (1); "{}" in an argument becomes the number of the run
//   -j  so many at a time (1)
// Small, because the kernel counts the memory of the process that executes a program into that program's peak.
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static char* numbered(char* argument, int number) {
    char* const place = strstr(argument, "{}");
    if (!place)
        return argument;
    char* text = NULL;
    if (asprintf(&text, "%.*s%d%s", (int)(place - argument), argument, number, place + 2) < 0)
        exit(2);
    return text;
}

int main(int argc, char** argv) {
    int count = 1, jobs = 1, option;
    while ((option = getopt(argc, argv, "+n:j:")) != -1) {
        if (option == 'n')
            count = atoi(optarg);
        else if (option == 'j')
            jobs = atoi(optarg);
        else
            return 2;
    }
    argc -= optind;
    argv += optind;
    posix_spawn_file_actions_t streams;
    posix_spawn_file_actions_init(&streams);
    // Not /dev/null: a runtime may give its standard streams to the container's user.
    int const nothing = memfd_create("nothing", MFD_CLOEXEC);
    posix_spawn_file_actions_adddup2(&streams, nothing, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&streams, nothing, STDOUT_FILENO);
    char*** const lines = calloc(count, sizeof *lines);
    for (int i = 0; i < count; ++i) {
        lines[i] = calloc(argc + 1, sizeof **lines);
        for (int k = 0; k < argc; ++k)
            lines[i][k] = numbered(argv[k], i);
    }
    long peak = 0;
    int failures = 0, running = 0;
    long long const begin = now();
    for (int started = 0; started < count || running > 0;) {
        if (started < count && running < jobs) {
            pid_t child;
            if (posix_spawn(&child, lines[started][0], &streams, NULL, lines[started], environ) != 0)
                return 2;
            ++started;
            ++running;
            continue;
        }
        int status;
        struct rusage usage;
        if (wait4(-1, &status, 0, &usage) < 0)
            return 2;
        --running;
        failures += status != 0;
        if (usage.ru_maxrss > peak)
            peak = usage.ru_maxrss;
    }
    printf("%lld %ld %d\n", now() - begin, peak, failures);
    return 0;
}
