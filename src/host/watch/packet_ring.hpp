// What was captured, in pcapng files: one, or a ring of which the oldest goes when there are too
// many. Each file stands alone: it begins with the interfaces and with the secrets that were known.
// Files have mode 0600, since they hold secrets. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "net/socket.hpp"

namespace cw::host {

class PacketRing {
  public:
    struct Settings {
        std::string path;             // "calls.pcapng"; of a ring "calls-00001.pcapng" and so on
        std::uint64_t file_bytes = 0; // when the next file begins, least_file at least; 0: never
        std::size_t files = 10;       // kept of a ring
    };
    static constexpr std::uint64_t least_file = 8 << 20; // twice what the secrets may take
    struct Interface {
        std::uint16_t link_type = 0;
        std::string name;
    };

    static std::expected<PacketRing, std::string> open(Settings settings,
                                                       std::vector<Interface> interfaces);
    void add(std::uint32_t interface, Instant time, Bytes packet, std::size_t original_length);
    // Lines of a key log: before the packets that need them.
    void add_secrets(std::string_view lines);
    // The file that is open belongs to this user from now on, who makes the next one. False: errno.
    bool give_to(uid_t user, gid_t group) { return ::fchown(fd_.get(), user, group) == 0; }
    // What is gathered goes to the file. An empty text, or why nothing more is written.
    std::string flush();

  private:
    PacketRing(Settings settings, std::vector<Interface> interfaces)
        : settings_(std::move(settings)), interfaces_(std::move(interfaces)) {}
    std::string next_file();
    [[nodiscard]] std::string name_of(std::uint32_t number) const;

    Settings settings_;
    std::vector<Interface> interfaces_;
    net::Descriptor fd_;
    std::string problem_;
    std::string buffer_;
    std::string secrets_; // the latest
    std::uint64_t written_ = 0;
    std::uint32_t number_ = 0;
    std::deque<std::string> names_;
};

} // namespace cw::host
