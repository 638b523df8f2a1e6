#include "server/seal.hpp"

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "crypto/base64url.hpp"

namespace cw::server {
namespace {

constexpr std::string_view mark = "cw"; // begins each token

// What a token is made of, before its seal:
//   none      kind place
//   stream    kind place shard transport connection:4 generation:4 boot:4
//   datagram  kind place shard transport connection:4 port:2 address:16
enum class Kind : std::uint8_t { None, Stream, Datagram };
constexpr std::size_t seal_size = 8;

class Writer {
  public:
    template <class T>
    void put(const T& value) {
        std::memcpy(octets_.data() + size_, &value, sizeof value);
        size_ += sizeof value;
    }
    [[nodiscard]] std::string_view text() const {
        return {reinterpret_cast<const char*>(octets_.data()), size_};
    }

  private:
    std::array<std::uint8_t, 48> octets_{};
    std::size_t size_ = 0;
};

template <class T>
T take(std::string_view& from) {
    T value{};
    if (from.size() >= sizeof value) {
        std::memcpy(&value, from.data(), sizeof value);
        from.remove_prefix(sizeof value);
    } else {
        from = {};
    }
    return value;
}

std::size_t size_of(Kind kind) {
    switch (kind) {
    case Kind::None:
        return 2;
    case Kind::Stream:
        return 16;
    case Kind::Datagram:
        return 26;
    }
    return 0;
}

} // namespace

Seal::Seal(std::string_view secret, std::uint64_t boot)
    : flow_key_(crypto::derive_key(secret, "flow")), tag_key_(crypto::derive_key(secret, "tag")),
      boot_(static_cast<std::uint32_t>(boot ^ boot >> 32)) {}

void Seal::append_flow(std::string& out, const transaction::Wire* wire, std::uint8_t place,
                       std::string_view call_id) const {
    Writer writer;
    const auto kind = wire == nullptr    ? Kind::None
                      : wire->reliable() ? Kind::Stream
                                         : Kind::Datagram;
    writer.put(kind);
    writer.put(place);
    if (wire != nullptr) {
        writer.put(wire->shard);
        writer.put(wire->transport);
        writer.put(wire->connection);
        if (kind == Kind::Stream) {
            writer.put(wire->generation);
            writer.put(boot_);
        } else {
            writer.put(wire->remote.port);
            writer.put(wire->remote.address.octets);
        }
    }
    writer.put(crypto::SipHash{flow_key_}.add_part(writer.text()).add_part(call_id).finish());
    out += mark;
    crypto::append_base64url(out, as_bytes(writer.text()));
}

std::optional<FlowToken> Seal::open_flow(std::string_view token, std::string_view call_id) const {
    std::array<std::uint8_t, 48> octets{};
    if (!token.starts_with(mark)) {
        return std::nullopt;
    }
    const auto size = crypto::decode_base64url(token.substr(mark.size()), octets);
    if (!size || *size < seal_size + 2) {
        return std::nullopt;
    }
    std::string_view payload{reinterpret_cast<const char*>(octets.data()), *size - seal_size};
    std::uint64_t seal = 0;
    std::memcpy(&seal, octets.data() + payload.size(), seal_size);
    if (seal != crypto::SipHash{flow_key_}.add_part(payload).add_part(call_id).finish()) {
        return std::nullopt;
    }
    const auto whole = payload.size();
    const auto kind = take<Kind>(payload);
    if (whole != size_of(kind)) {
        return std::nullopt;
    }
    FlowToken flow;
    flow.place = take<std::uint8_t>(payload);
    if (kind == Kind::None) {
        return flow;
    }
    transaction::Wire wire;
    wire.shard = take<std::uint8_t>(payload);
    wire.transport = take<sip::Transport>(payload);
    wire.connection = take<std::uint32_t>(payload);
    if (kind == Kind::Stream) {
        wire.generation = take<std::uint32_t>(payload);
        flow.earlier_start = take<std::uint32_t>(payload) != boot_;
    } else {
        wire.remote.port = take<std::uint16_t>(payload);
        wire.remote.address.octets = take<std::array<std::uint8_t, 16>>(payload);
    }
    flow.wire = wire;
    return flow;
}

void Seal::append_tag(std::string& out, std::string_view call_id) const {
    fmt::format_to(std::back_inserter(out), "cw{:016x}",
                   crypto::SipHash{tag_key_}.add_part(call_id).finish());
}

bool Seal::is_tag(std::string_view tag, std::string_view call_id) const {
    std::string own;
    append_tag(own, call_id);
    return own == tag;
}

} // namespace cw::server
