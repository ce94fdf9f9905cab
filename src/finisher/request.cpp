// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "wire.h"

namespace oci::finisher {

namespace {

std::string_view text_at(std::string_view request, Text text) {
    std::uint64_t const end = std::uint64_t{text.offset} + text.length;
    if (text.offset < sizeof(RequestHeader) || end >= request.size() || request[end] != '\0')
        refuse("a string is outside of it");
    std::string_view const found(request.data() + text.offset, text.length);
    if (std::memchr(found.data(), '\0', found.size()) != nullptr)
        refuse("a string has a NUL inside");
    return found;
}

} // namespace

std::uint64_t Arguments::number() {
    return words(1).front();
}

std::uint32_t Arguments::number32() {
    std::uint64_t const value = number();
    if (value > UINT32_MAX)
        refuse("a number is too large");
    return static_cast<std::uint32_t>(value);
}

std::string_view Arguments::text() {
    std::uint64_t const word = number();
    Text text{};
    static_assert(sizeof text == sizeof word);
    std::memcpy(&text, &word, sizeof text);
    return text_at(request_, text);
}

std::size_t Arguments::count(std::size_t words_each) {
    std::uint64_t const value = number();
    if (value > words_.size() / words_each)
        refuse("a list is too long");
    return value;
}

std::span<std::uint64_t const> Arguments::words(std::size_t count) {
    if (count > words_.size())
        refuse("arguments are missing");
    auto const found = words_.first(count);
    words_ = words_.subspan(count);
    return found;
}

std::string_view map_request(int descriptor) {
    // Sealed: nobody can change or cut it while it is read (a cut mapping would end in SIGBUS).
    constexpr int needed_seals = F_SEAL_WRITE | F_SEAL_SHRINK;
    int const seals = ::fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || (seals & needed_seals) != needed_seals)
        refuse("not sealed");
    struct stat status {};
    if (::fstat(descriptor, &status) != 0)
        fail(errno, "fstat");
    if (status.st_size <= 0 || status.st_size > static_cast<off_t>(maximum_request))
        refuse("its size");
    auto const size = static_cast<std::size_t>(status.st_size);
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (memory == MAP_FAILED)
        fail(errno, "mmap");
    return {static_cast<char const*>(memory), size};
}

Request::Request(std::string_view bytes)
    : bytes_(bytes) {
    if (bytes_.size() < sizeof header_)
        refuse("its size");
    std::memcpy(&header_, bytes_.data(), sizeof header_);
    if (header_.magic != request_magic || header_.size != bytes_.size())
        refuse("its header");
    check_order();
}

Task Request::next(std::size_t& position) const {
    Record record{};
    if (bytes_.size() - position < sizeof record)
        refuse("a record is missing");
    std::memcpy(&record, bytes_.data() + position, sizeof record);
    position += sizeof record;
    if (record.kind == 0 || record.kind > last_record_kind)
        refuse("a record's kind");
    if (record.words > (bytes_.size() - position) / sizeof(std::uint64_t))
        refuse("a record is too long");
    // Header, records and words are multiples of eight bytes in a block that is aligned: so are the words.
    auto const* const words = reinterpret_cast<std::uint64_t const*>(bytes_.data() + position);
    position += record.words * sizeof(std::uint64_t);
    return {static_cast<RecordKind>(record.kind), text_at(bytes_, record.description),
            Arguments(bytes_, {words, record.words})};
}

bool Request::find(RecordKind kind, Arguments& arguments) const {
    std::size_t position = begin();
    for (std::uint32_t index = 0; index < records(); ++index) {
        Task const task = next(position);
        if (task.kind == kind) {
            arguments = task.arguments;
            return true;
        }
    }
    return false;
}

void Request::check_order() const {
    if (header_.records == 0)
        refuse("no records");
    std::size_t position = begin();
    for (std::uint32_t index = 0; index < records(); ++index) {
        bool const last = index + 1 == records();
        auto const kind = next(position).kind;
        // A container without a process only waits to be deleted.
        bool const ends = kind == RecordKind::execute || (last && kind == RecordKind::wait_for_start);
        if (ends != last)
            refuse("`execute` is not its end");
    }
}

} // namespace oci::finisher
