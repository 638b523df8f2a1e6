#include "sdp/known_lines.hpp"

#include "sdp/attribute_name.hpp"

namespace cw::sdp {

void KnownLines::remember(std::string_view text, std::span<const Attribute> attributes,
                          std::span<const Rtpmap> rtpmaps, std::span<const Fmtp> fmtps,
                          const Media& media) {
    auto& block = blocks_[next_++ % blocks_.size()];
    block.text = text;
    const auto own = [&](std::string_view part) {
        return moved(part, text.data(), block.text.data());
    };
    block.attributes.clear();
    block.ptime_ms.reset();
    block.direction.reset();
    for (const auto& a : attributes) {
        block.attributes.push_back({own(a.name), own(a.value)});
        const auto name = name_of(a.name);
        if (name == AttributeName::Ptime) {
            block.ptime_ms = media.ptime_ms;
        } else if (is_direction(name)) {
            block.direction = media.direction;
        }
    }
    block.rtpmaps.assign(rtpmaps.begin(), rtpmaps.end());
    for (auto& map : block.rtpmaps) {
        map.encoding = own(map.encoding);
    }
    block.fmtps.clear();
    for (const auto& f : fmtps) {
        block.fmtps.push_back({own(f.format), own(f.parameters)});
    }
}

} // namespace cw::sdp
