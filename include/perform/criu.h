// SPDX-License-Identifier: Apache-2.0
// A running `criu swrk`: one request over a socket, notifications on the way, an answer at the end. It is killed when
// we die.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/fd.h"
#include "kernel/process.h"
#include "perform/criu_messages.h"

namespace oci::perform {

struct CriuStart {
    std::string log;            ///< path of the file that it writes, for errors
    bool streams = false;       ///< it gets our standard streams, else /dev/null
    bool session = true;        ///< of its own; a shell job stays in the caller's, whose terminal it uses
    std::vector<int> kept = {}; ///< descriptors that it inherits, besides
    int cgroup = -1;            ///< that it is born in
};

class Criu {
public:
    /// Finds criu in PATH.
    static Result<Criu> start(CriuStart const& start);

    Result<void> request(std::string_view message) const;
    /// The next notification, with the descriptors that come along, or (is_notification is false) the final answer.
    /// Failure is an error, which has the last one of criu's log. A signal that asks us to end is one, too.
    Result<CriuAnswer> next(kernel::Deadline deadline, std::vector<kernel::Fd>* descriptors = nullptr) const;
    /// After a notification: go on.
    Result<void> go_on() const;
    /// After the final answer: waits for its end, with whatever exit status.
    Result<void> finish();
    /// Whatever it was doing is undone by criu itself if it can, then it is killed.
    void abandon();

private:
    Criu(kernel::Fd socket, kernel::Fd process, std::string log)
        : socket_(std::move(socket))
        , process_(std::move(process))
        , log_(std::move(log)) {}
    Error explain(std::string_view what, std::string_view complaint = {}) const;

    kernel::Fd socket_;
    kernel::Fd process_;
    std::string log_;
};

/// The last error in lines of a log of criu that says more than that it failed, without time and place in the source;
/// "" if there is none.
std::string error_text(std::string_view text);

} // namespace oci::perform
