#include "server/binding.hpp"

#include <cstring>

namespace cw::server {
namespace {

constexpr char version = 2; // 1 had no since_ns

template <class T>
void put(std::string& out, const T& value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_text(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint16_t>(text.size()));
    out += text;
}

class Taker {
  public:
    explicit Taker(std::string_view from) : from_(from) {}
    template <class T>
    void take(T& value) {
        if (from_.size() < sizeof value) {
            ok_ = false;
            return;
        }
        std::memcpy(&value, from_.data(), sizeof value);
        from_.remove_prefix(sizeof value);
    }
    void take_text(std::string_view& text) {
        std::uint16_t size = 0;
        take(size);
        ok_ = ok_ && size <= from_.size();
        if (ok_) {
            text = from_.substr(0, size);
            from_.remove_prefix(size);
        }
    }
    [[nodiscard]] bool whole() const { return ok_ && from_.empty(); }

  private:
    std::string_view from_;
    bool ok_ = true;
};

} // namespace

void encode(const Binding& b, std::string& out) {
    out.clear();
    put(out, version);
    put(out, b.cseq);
    put(out, b.reg_id);
    put(out, b.q);
    put(out, static_cast<std::uint8_t>((b.over_wire ? 1 : 0) | (b.direct ? 2 : 0)));
    put(out, b.boot);
    put(out, b.updated_ns);
    put(out, b.since_ns);
    put(out, b.wire.transport);
    put(out, b.wire.shard);
    put(out, b.wire.connection);
    put(out, b.wire.generation);
    put(out, b.wire.local.address.octets);
    put(out, b.wire.local.port);
    put(out, b.wire.remote.address.octets);
    put(out, b.wire.remote.port);
    for (const auto text : {b.uri, b.params, b.call_id, b.instance, b.path}) {
        put_text(out, text);
    }
}

std::optional<Binding> decode(std::string_view data) {
    Taker taker{data};
    Binding b;
    char v = 0;
    std::uint8_t flags = 0;
    taker.take(v);
    taker.take(b.cseq);
    taker.take(b.reg_id);
    taker.take(b.q);
    taker.take(flags);
    taker.take(b.boot);
    taker.take(b.updated_ns);
    b.since_ns = b.updated_ns;
    if (v == version) {
        taker.take(b.since_ns);
    }
    taker.take(b.wire.transport);
    taker.take(b.wire.shard);
    taker.take(b.wire.connection);
    taker.take(b.wire.generation);
    taker.take(b.wire.local.address.octets);
    taker.take(b.wire.local.port);
    taker.take(b.wire.remote.address.octets);
    taker.take(b.wire.remote.port);
    for (auto* text : {&b.uri, &b.params, &b.call_id, &b.instance, &b.path}) {
        taker.take_text(*text);
    }
    b.over_wire = (flags & 1) != 0;
    b.direct = (flags & 2) != 0;
    if (v < 1 || v > version || !taker.whole() || b.wire.transport > sip::Transport::Hep) {
        return std::nullopt;
    }
    return b;
}

} // namespace cw::server
