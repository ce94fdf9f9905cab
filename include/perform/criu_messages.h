// SPDX-License-Identifier: Apache-2.0
// What is said to criu and what it answers: messages of `criu swrk`, in the numbers of CRIU's rpc.proto
// (criu.org/RPC). Pure.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "steps/checkpoint.h"

namespace oci::perform {

/// A bind mount: what it is called in the image, and where it is: in the container (dump) or on the host (restore).
struct ExternalMount {
    std::string key;
    std::string value;
    bool operator==(ExternalMount const&) const = default;
};
/// What an open file of the image is replaced with.
struct InheritedDescriptor {
    std::string key; ///< "pipe:[1234]", or what it was given as external file
    int descriptor = -1;
    bool operator==(InheritedDescriptor const&) const = default;
};
struct NamespaceFile {
    std::string name; ///< "ipc"
    std::string path;
    bool operator==(NamespaceFile const&) const = default;
};

/// What only the machine can tell.
struct CriuFacts {
    int images = -1; ///< descriptors of ours, which criu opens through /proc
    int work = -1;
    pid_t process = 0;         ///< dump: the container's init
    std::string freeze_cgroup; ///< dump: folder; "" for none
    std::string root;          ///< restore: where the rootfs is mounted
    std::string cgroup;        ///< restore: below the cgroup2 mount
    std::vector<ExternalMount> mounts;
    std::vector<std::string> externals; ///< "net[4026531840]:extRootNetNS"
    std::vector<InheritedDescriptor> inherited;
    std::vector<NamespaceFile> joined;
};

std::string dump_request(steps::DumpContainer const& operation, CriuFacts const& facts);
std::string restore_request(steps::BeginRestore const& operation, CriuFacts const& facts);
/// To a notification: go on, or give up.
std::string notification_reply(bool success);

struct CriuAnswer {
    bool is_notification = false;
    bool success = false;
    std::string script;    ///< of a notification: "post-restore"
    pid_t process = 0;     ///< that a notification is about
    std::string complaint; ///< of a failure: criu's first error, as in its log; "" where it gives none
    bool operator==(CriuAnswer const&) const = default;
};
/// Nothing in it is trusted: what is malformed is an error.
Result<CriuAnswer> read_answer(std::string_view message);

} // namespace oci::perform
