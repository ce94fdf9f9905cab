// SPDX-License-Identifier: Apache-2.0
// Runs PROGRAM below a seccomp filter that fails the system calls in FORBIDDEN with ERROR, as an outer sandbox may.
// Built with these names defined, one program for each filter: tests start it in the place of PROGRAM.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char** words) {
    static unsigned const forbidden[] = {FORBIDDEN};
    enum { number = sizeof forbidden / sizeof *forbidden };
    struct sock_filter program[2 * number + 2];
    unsigned short length = 0;
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < number; ++i) {
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i], 0, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ERROR);
    }
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog const filter = {length, program};
    // Without no_new_privs, which would change what containers may do: the caller is root.
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
        perror("filtered: seccomp");
        return 1;
    }
    (void)count;
    execv(PROGRAM, words);
    perror("filtered: " PROGRAM);
    return 1;
}
