#include "capture/hep_stream.hpp"

#include <algorithm>

namespace cw::capture {

namespace {

constexpr std::string_view magic = "HEP3";
constexpr std::size_t header_size = 6;

} // namespace

bool looks_like_hep3(Bytes first_bytes) {
    return first_bytes.size() >= header_size && as_text(first_bytes).starts_with(magic) &&
           load_be16(first_bytes.data() + magic.size()) >= header_size;
}

void HepStream::on_bytes(Bytes bytes, const Datagram& by, Sink& sink) {
    if (held_.empty()) {
        held_ = as_text(bytes.subspan(process(bytes, by, sink)));
        return;
    }
    held_ += as_text(bytes);
    held_.erase(0, process(as_bytes(held_), by, sink));
}

// Takes all complete packets, and returns how many bytes are done with.
std::size_t HepStream::process(Bytes data, const Datagram& by, Sink& sink) {
    std::size_t at = 0;
    while (at < data.size()) {
        const auto rest = data.subspan(at);
        const auto text = as_text(rest);
        if (rest.size() >= header_size ? looks_like_hep3(rest)
                                       : text.substr(0, 4) == magic.substr(0, text.size())) {
            const std::size_t size = rest.size() < header_size ? 0 : load_be16(rest.data() + 4);
            if (size == 0 || size > rest.size()) {
                break;
            }
            sink.on_hep(rest.first(size), by);
            at += size;
            continue;
        }
        // Junk up to the next packet, of which a part may stand at the end.
        auto next = std::min(text.find(magic, 1), text.size());
        if (next == text.size()) {
            for (auto tail = std::min<std::size_t>(3, text.size() - 1); tail > 0; --tail) {
                if (text.ends_with(magic.substr(0, tail))) {
                    next = text.size() - tail;
                    break;
                }
            }
        }
        sink.on_junk(next);
        at += next;
    }
    return at;
}

void HepStream::on_gap(Sink& sink) {
    if (!held_.empty()) {
        sink.on_junk(held_.size());
        held_ = {};
    }
}

} // namespace cw::capture
