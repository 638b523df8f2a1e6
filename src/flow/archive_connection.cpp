// pack() and unpack() of connections and media streams. One list of fields serves both ways.
#include "flow/archive.hpp"

#include <cstring>
#include <type_traits>

namespace cw::flow {
namespace {

class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) { out_.clear(); }

    template <class T>
        requires std::is_trivially_copyable_v<T>
    void operator()(const T& value) {
        out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void operator()(const std::string& text) {
        (*this)(text.size());
        out_.append(text);
    }
    template <class T>
    void operator()(const std::vector<T>& values) {
        (*this)(values.size());
        for (const auto& value : values) {
            transfer(*this, value);
        }
    }

  private:
    std::string& out_;
};

// Reads what Writer wrote in this process; a blob that could not be read back whole is refused.
class BlobReader {
  public:
    explicit BlobReader(std::string_view blob) : left_(blob) {}

    template <class T>
        requires std::is_trivially_copyable_v<T>
    void operator()(T& value) {
        if (need(sizeof value)) {
            std::memcpy(&value, left_.data(), sizeof value);
            left_.remove_prefix(sizeof value);
        }
    }
    void operator()(std::string& text) {
        std::size_t n = 0;
        (*this)(n);
        if (need(n)) {
            text.assign(left_.substr(0, n));
            left_.remove_prefix(n);
        }
    }
    template <class T>
    void operator()(std::vector<T>& values) {
        std::size_t n = 0;
        (*this)(n);
        if (need(n)) { // each value takes a byte at least
            values.resize(n);
            for (auto& value : values) {
                transfer(*this, value);
            }
        }
    }
    [[nodiscard]] bool ok() const { return ok_; }

  private:
    bool need(std::size_t n) {
        ok_ = ok_ && left_.size() >= n;
        return ok_;
    }

    std::string_view left_;
    bool ok_ = true;
};

template <class Io, class T>
    requires std::is_trivially_copyable_v<T>
void transfer(Io& io, T& value) {
    io(value);
}
template <class Io>
void transfer(Io& io, std::string& text) {
    io(text);
}
template <class Io>
void transfer(Io& io, const std::string& text) {
    io(text);
}

template <class Io, class C>
    requires std::is_same_v<std::remove_const_t<C>, Certificate>
void transfer(Io& io, C& c) {
    io(c.subject);
    io(c.issuer);
    io(c.names);
    io(c.not_before);
    io(c.not_after);
    io(c.key), io(c.key_bits), io(c.signature);
}

template <class Io, class S>
    requires std::is_same_v<std::remove_const_t<S>, HandshakeStep>
void transfer(Io& io, S& s) {
    io(s.time), io(s.from_client), io(s.name), io(s.detail);
}

template <class Io, class C>
    requires std::is_same_v<std::remove_const_t<C>, Connection>
void transfer(Io& io, C& c) {
    io(c.id), io(c.client), io(c.server), io(c.transport);
    io(c.start_seen), io(c.accepted), io(c.to_client), io(c.heard_after_ping);
    io(c.unanswered_ping), io(c.decrypted), io(c.resumed), io(c.hello_retry), io(c.mutual);
    io(c.handshake_done), io(c.close_notify_client), io(c.close_notify_server), io(c.fin),
        io(c.rst);
    io(c.frame), io(c.opened), io(c.hello), io(c.established), io(c.closed);
    io(c.records), io(c.bytes), io(c.missing_bytes), io(c.lost), io(c.sip_messages);
    io(c.stray), io(c.unnamed);
    io(c.version), io(c.offered), io(c.cipher), io(c.group), io(c.sni), io(c.alpn);
    io(c.reason), io(c.key_hint);
    io(c.server_chain), io(c.client_chain), io(c.alerts);
    io(c.handshake), io(c.verdict), io(c.verdict_good);
}

template <class Io, class S>
    requires std::is_same_v<std::remove_const_t<S>, MediaStream>
void transfer(Io& io, S& s) {
    io(s.first), io(s.last), io(s.source), io(s.destination), io(s.ssrc), io(s.payload_type);
    io(s.announced), io(s.codec), io(s.srtp), io(s.suite), io(s.srtp_problem), io(s.opening);
    io(s.packets), io(s.expected), io(s.duplicates), io(s.out_of_order), io(s.missing), io(s.lost);
    io(s.jitter_ms), io(s.mean_jitter_ms), io(s.max_gap_ms), io(s.mos);
    io(s.rtcp_reports), io(s.rtcp_loss), io(s.dtmf);
    io(s.stray_events), io(s.stray_type);
}

} // namespace

void pack(const Connection& connection, std::string& out) {
    Writer writer{out};
    transfer(writer, connection);
}

bool unpack(std::string_view blob, Connection& out) {
    BlobReader reader{blob};
    transfer(reader, out);
    return reader.ok();
}

void pack(const MediaStream& stream, std::string_view texts, std::string& out) {
    Writer writer{out};
    transfer(writer, stream);
    writer(std::string{texts});
}

MediaStream unpack_stream(std::string_view blob, TextPool& pool) {
    BlobReader reader{blob};
    MediaStream stream;
    std::string texts;
    transfer(reader, stream);
    reader(texts);
    const auto base = pool.append(texts);
    for (auto* text : {&stream.codec, &stream.srtp, &stream.suite, &stream.srtp_problem}) {
        TextPool::rebase(*text, base);
    }
    return stream;
}

} // namespace cw::flow
