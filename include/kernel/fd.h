// SPDX-License-Identifier: Apache-2.0
// Fd: a file descriptor that closes itself.
#pragma once

#include <utility>

namespace oci::kernel {

/// Owns one descriptor, or none (-1). Everything that makes one sets O_CLOEXEC.
class [[nodiscard]] Fd {
public:
    Fd() = default;
    explicit Fd(int descriptor)
        : descriptor_(descriptor) {}
    Fd(Fd&& other) noexcept
        : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            close();
            descriptor_ = std::exchange(other.descriptor_, -1);
        }
        return *this;
    }
    Fd(Fd const&) = delete;
    Fd& operator=(Fd const&) = delete;
    ~Fd() { close(); }

    int get() const { return descriptor_; }
    explicit operator bool() const { return descriptor_ >= 0; }
    void close();

private:
    int descriptor_ = -1;
};

} // namespace oci::kernel
