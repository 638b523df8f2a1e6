// What a server has done, as a pcapng file that `callwright read` and Wireshark open decrypted
// (draft-ietf-opsawg-pcapng): raw IP packets, made up around the bytes of each connection, and TLS
// secrets in Decryption Secrets Blocks before the packets that need them. The file holds secrets,
// so it has mode 0600.
// Any thread. Blocks of one append() stay together, and are with the kernel when it returns: a
// process that is killed has written all but its last turn.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "host/raw_packet.hpp"
#include "host/trace_sink.hpp"
#include "net/socket.hpp"

namespace cw::host {

class TraceFile final : public TraceSink {
  public:
    // Replaces what is there.
    static std::expected<std::unique_ptr<TraceFile>, std::string> create(const std::string& path);

    void append(std::string_view blocks) override;
    void add_secret(std::string_view line) override;
    // False once the disk was full: what follows is not written.
    [[nodiscard]] bool good();

  private:
    explicit TraceFile(net::Descriptor fd) : fd_(std::move(fd)) {}

    std::mutex mutex_;
    net::Descriptor fd_;
    bool good_ = true;
};

// What a trace begins with: a section, and the interface of its packets.
std::string trace_head();

// ---- blocks, appended to `out`

void put_tcp(std::string& out, Instant time, const TcpPacket& packet);
void put_udp(std::string& out, Instant time, const Endpoint& from, const Endpoint& to,
             Bytes payload);

} // namespace cw::host
