// Cuts one direction of a connection into TLS records [RFC 8446 §5.1]. A record that lies whole in
// a chunk is not copied. After lost bytes it finds the next record again: at once when the hole
// lies within a record, otherwise by looking for headers that the caller then confirms.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "capture/tls/record_cipher.hpp"

namespace cw::capture::tls {

// The hello of SSL 2.0 has no record header; it is handed out as a record of this type.
inline constexpr std::uint8_t sslv2_hello = 0x80;

class RecordStream {
  public:
    // The next bytes. They must stay where they are until next() has returned nothing.
    void feed(Bytes chunk);
    // The next record; its views are valid until the next call. While scanning() it is only a
    // candidate, and the caller must say accept() or reject() before it calls again.
    std::optional<Record> next();

    [[nodiscard]] bool scanning() const { return scanning_; }
    void accept();
    void reject();
    // True once after bytes that are no record were met where one had to begin.
    bool take_lost() {
        const bool lost = lost_;
        lost_ = false;
        return lost;
    }

    struct Hole {
        bool exact = false;      // the next record's place is known
        bool hit_record = false; // a record whose header we have is lost
        std::uint8_t type = 0;   // of that record
        std::uint64_t bytes = 0; // of records that went with the hole: what we held, and more
    };
    // `missing` bytes were lost; 0: an unknown number. Call when next() has returned nothing.
    Hole gap(std::uint64_t missing);

    // The version that headers must have when scanning; 0: any.
    void expect_version(std::uint16_t version) { version_ = version; }
    [[nodiscard]] bool empty() const { return !started_; } // no byte so far
    [[nodiscard]] std::size_t held() const { return held_.size() - at_; }
    // The bytes before the candidate, as many as are still there (at most 16).
    [[nodiscard]] Bytes before_candidate() const;

  private:
    std::optional<Record> cut();  // a record whole in chunk_
    std::optional<Record> glue(); // a record that began in an earlier chunk
    std::optional<Record> scan();
    [[nodiscard]] std::size_t size_at(const std::uint8_t* at) const;
    Record take(const std::uint8_t* at, std::size_t size);
    [[nodiscard]] bool plausible(const std::uint8_t* header) const;
    void top_up(std::size_t size);
    void lose_sync();

    Bytes chunk_;
    std::vector<std::uint8_t> held_; // of earlier chunks, from at_
    std::size_t at_ = 0;
    std::size_t candidate_ = 0; // its size
    std::uint64_t skip_ = 0;    // the rest of a record that was hit by a hole
    std::uint16_t version_ = 0;
    bool started_ = false;
    bool first_ = true; // nothing was handed out yet
    bool scanning_ = false;
    bool lost_ = false;
};

} // namespace cw::capture::tls
