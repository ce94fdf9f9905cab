#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that the build and the tests need; what is there already costs nothing.
# usage: tests/packages.sh build|container|tests|fuzz|validation|vm|figures|bench|engines...
set -euo pipefail

build=(g++ cmake ninja-build pkg-config git nlohmann-json3-dev libseccomp-dev libcap-dev libexpected-dev musl-tools)
# What the demonstration and the container tests put into a container.
container=(busybox-static util-linux)
tests=(libgtest-dev clang clang-format clang-tidy cppcheck shellcheck binutils jq python3 python3-pytest python3-jsonschema
    libvalijson-dev man-db zsh fish uidmap util-linux procps iproute2)
# libFuzzer and the sanitizers of clang.
fuzz=(clang libclang-rt-dev jq)
# The conformance suite and the specification are Go modules.
validation=(golang-go)
# The virtual machine, and what its systemd needs: its root is this machine's.
vm=(qemu-system-x86 busybox-static kmod cpio xz-utils zstd iproute2 systemd dbus dbus-user-session libpam-systemd
    uidmap containernetworking-plugins slirp4netns jq runc procps apparmor secilc criu)
# What counts system calls, and the profile of seccomp that engines use.
figures=(strace golang-github-containers-common)
# The runtimes to compare with.
bench=(runc crun "${figures[@]}")
# Those that run containers, and the runtimes to compare with.
engines=(podman conmon catatonit buildah containerd docker.io runc crun fuse-overlayfs slirp4netns)

declare -A wanted
for list in "$@"; do
    case $list in
    build) for package in "${build[@]}"; do wanted[$package]=1; done ;;
    container) for package in "${container[@]}"; do wanted[$package]=1; done ;;
    tests) for package in "${tests[@]}"; do wanted[$package]=1; done ;;
    fuzz) for package in "${fuzz[@]}"; do wanted[$package]=1; done ;;
    validation) for package in "${validation[@]}"; do wanted[$package]=1; done ;;
    vm) for package in "${vm[@]}"; do wanted[$package]=1; done ;;
    figures) for package in "${figures[@]}"; do wanted[$package]=1; done ;;
    bench) for package in "${bench[@]}"; do wanted[$package]=1; done ;;
    engines) for package in "${engines[@]}"; do wanted[$package]=1; done ;;
    *)
        echo "packages.sh: no list named '$list' (build, container, tests, fuzz, validation, vm, figures, bench, engines)" >&2
        exit 1
        ;;
    esac
done

missing=()
for package in "${!wanted[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $EUID -ne 0 ]]; then
    echo "packages.sh: not installed: ${missing[*]}; run 'sudo $0 $*'" >&2
    exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install --yes --quiet --no-install-recommends "${missing[@]}")
# The lists may be old or not there at all: fetch them only when the first try fails.
"${install[@]}" >/dev/null 2>&1 || {
    apt-get update --quiet >/dev/null
    "${install[@]}" >/dev/null
}
