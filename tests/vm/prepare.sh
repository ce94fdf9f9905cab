#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the virtual machine's kernel and initramfs out of the distribution's kernel package and of the host's BusyBox,
# in a cache folder outside the repository. What is there already is not made again.
# usage: sudo tests/vm/prepare.sh      prints the folder, which then has `vmlinux` and `initramfs.gz`
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${OCI_RUN_VM_CACHE:-/var/cache/oci-run-vm}

# In no particular order; what each needs comes before it by itself.
modules=(virtio_pci 9p 9pnet_virtio virtio_blk overlay fuse ext4 loop veth bridge dummy tun bfq crc32_generic rdma_rxe
    unix_diag inet_diag tcp_diag udp_diag netlink_diag af_packet_diag
    nf_tables nft_compat nf_conntrack_netlink xt_mark iptable_filter ip6table_filter)

# The package with the kernel of this distribution, or $OCI_RUN_VM_KERNEL, "linux-image-6.12.107+deb12-amd64".
kernel_packages() {
    local image=${OCI_RUN_VM_KERNEL:-}
    [[ -n $image ]] || image=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '/Depends:/ { print $2; exit }')
    [[ -n $image ]] || image=$(apt-cache depends linux-image-generic | awk '/Depends: linux-image/ { print $2; exit }')
    echo "$image"
    # Ubuntu has the modules apart.
    [[ $image != *-generic ]] || echo "${image/image/modules}" "${image/image/modules-extra}"
}

# bzImage -> vmlinux: QEMU starts it by PVH, without the slow decompression inside the machine.
# https://docs.kernel.org/arch/x86/boot.html: setup_sects at 0x1f1, payload_offset and payload_length at 0x248.
uncompress_kernel() { # BZIMAGE VMLINUX
    local setup_sectors offset length
    setup_sectors=$(od -An -tu1 -j $((0x1f1)) -N1 "$1")
    read -r offset length < <(od -An -tu4 -j $((0x248)) -N8 "$1")
    # The last four bytes of the payload are its uncompressed size.
    dd if="$1" of="$2.payload" iflag=skip_bytes,count_bytes bs=1M status=none \
        skip=$(((setup_sectors + 1) * 512 + offset)) count=$((length - 4))
    local tool
    for tool in xz zstd gzip; do
        "$tool" -dc <"$2.payload" >"$2" 2>/dev/null && break
    done
    rm "$2.payload"
    [[ -s $2 ]]
}

make_initramfs() { # FOLDER WITH lib/modules, KERNEL VERSION, INITRAMFS
    local tree=$1/initramfs module file
    mkdir -p "$tree"/{bin,lib,proc,sys,dev,lower,layers,root}
    cp /bin/busybox "$tree/bin/busybox"
    depmod --basedir "$1" "$2"
    # In the order of loading.
    for module in "${modules[@]}"; do
        modprobe --dirname "$1" --set-version "$2" --show-depends --quiet "$module" | awk '/^insmod/ { print $2 }'
    done | awk '!seen[$0]++' >"$1/files"
    while read -r file; do
        cp "$file" "$tree/lib/"
        case $file in
        *.xz) xz -d "$tree/lib/$(basename "$file")" ;;
        *.zst) zstd -d --rm --quiet "$tree/lib/$(basename "$file")" ;;
        esac
        basename "$file" | sed 's/\.xz$//; s/\.zst$//'
    done <"$1/files" >"$tree/lib/order"
    install -m 755 "$here/initramfs.sh" "$tree/init"
    (cd "$tree" && find . | cpio --quiet --create --format newc) | gzip -1 >"$3"
}

packages=$(kernel_packages)
key=$(echo "$packages" "${modules[@]}" | cat - "$here/initramfs.sh" "${BASH_SOURCE[0]}" | sha256sum | cut -c 1-16)
target=$cache/$key
if [[ ! -d $target ]]; then
    mkdir -p "$cache"
    work=$(mktemp --directory "$cache/making.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # The packages are fetched once for each kernel, however often the scripts change.
    for package in $packages; do
        compgen -G "$cache/${package}_*.deb" >/dev/null || (cd "$cache" && apt-get download "$package" >&2)
        dpkg -x "$cache/${package}"_*.deb "$work"
    done
    mkdir "$work/out"
    uncompress_kernel "$work"/boot/vmlinuz-* "$work/out/vmlinux"
    [[ -e $work/lib/modules ]] || { mkdir -p "$work/lib" && mv "$work/usr/lib/modules" "$work/lib/"; }
    make_initramfs "$work" "$(basename "$work"/lib/modules/*)" "$work/out/initramfs.gz"
    # Another run may have been faster: then its folder is as good.
    mv -T "$work/out" "$target" 2>/dev/null || [[ -d $target ]]
fi
echo "$target"
