// SPDX-License-Identifier: Apache-2.0
// What BusyBox cannot tell from inside a container. Built statically by the test run.
//   probe syscall NUMBER [ARGUMENT]...   makes the call, again when SIGUSR1 interrupts it; prints its result and errno
//   probe wait-signal                    prints "ready", waits for any signal, prints its number
//   probe keyring                        prints the serial number of the session keyring
//   probe keyring-label                  prints its security label
//   probe descriptors                    prints the numbers of all open descriptors
//   probe notify TEXT                    sends a message to the socket that NOTIFY_SOCKET names
//   probe push-key                       puts a key into the input of its terminal; prints why it may not
//   probe signals                        prints which signals are blocked or ignored when a program starts
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void nothing(int signal) {
    (void)signal;
}

static int do_syscall(int count, char** words) {
    long arguments[6] = {0};
    for (int i = 1; i < count && i <= 6; ++i)
        arguments[i - 1] = strtol(words[i], NULL, 0);
    struct sigaction const again = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &again, NULL);
    errno = 0;
    long const result = syscall(strtol(words[0], NULL, 0), arguments[0], arguments[1], arguments[2], arguments[3],
                                arguments[4], arguments[5]);
    printf("%ld %d\n", result, errno);
    return 0;
}

static int wait_signal(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    puts("ready");
    fflush(stdout);
    int signal = 0;
    while (sigwait(&all, &signal) == 0 && signal == SIGCHLD)
        ;
    printf("%d\n", signal);
    return 0;
}

static int descriptors(void) {
    for (int fd = 0; fd < 4096; ++fd)
        if (fcntl(fd, F_GETFD) != -1)
            printf("%d ", fd);
    puts("");
    return 0;
}

static int signals(void) {
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int signal = 1; signal < NSIG; ++signal) {
        struct sigaction action;
        if (sigismember(&blocked, signal) == 1)
            printf("blocked %d\n", signal);
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            printf("ignored %d\n", signal);
    }
    return 0;
}

static int notify(char const* text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char const* const name = getenv("NOTIFY_SOCKET");
    strncpy(address.sun_path, name == NULL ? "" : name, sizeof address.sun_path - 1);
    int const sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    ssize_t const sent = sendto(sender, text, strlen(text), 0, (struct sockaddr*)&address, sizeof address);
    if (sent < 0)
        perror("probe notify");
    return sent < 0;
}

int main(int count, char** words) {
    char const* command = count > 1 ? words[1] : "";
    if (strcmp(command, "syscall") == 0 && count > 2)
        return do_syscall(count - 2, words + 2);
    if (strcmp(command, "wait-signal") == 0)
        return wait_signal();
    if (strcmp(command, "descriptors") == 0)
        return descriptors();
    if (strcmp(command, "signals") == 0)
        return signals();
    if (strcmp(command, "notify") == 0 && count > 2)
        return notify(words[2]);
    if (strcmp(command, "push-key") == 0)
        return printf("errno %d\n", ioctl(STDIN_FILENO, TIOCSTI, "x") == 0 ? 0 : errno) < 0;
    if (strcmp(command, "keyring") == 0)
        return printf("%ld\n", syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* session */, 0)) < 0;
    if (strcmp(command, "keyring-label") == 0) {
        char label[256] = "";
        long const length = syscall(SYS_keyctl, 17 /* KEYCTL_GET_SECURITY */, -3, label, sizeof(label) - 1);
        return length < 0 || puts(label) < 0;
    }
    fprintf(stderr, "probe: what is '%s'?\n", command);
    return 1;
}
