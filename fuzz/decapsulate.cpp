// Frames of the link type that the first byte chooses, of one capture: fragments and tunnels meet.
// The input is cut into frames by lengths of two bytes.
#include <algorithm>
#include <array>

#include "capture/decapsulate.hpp"
#include "fuzz.hpp"

namespace {

using namespace cw::capture;

class Checker final : public DatagramSink {
  public:
    void on_datagram(const Datagram& datagram) override {
        require(datagram.payload.size() <= 400'000);
        require(datagram.truncated == (datagram.missing != 0));
        for (const auto byte : datagram.payload) {
            sum_ += byte;
        }
    }
    [[nodiscard]] unsigned sum() const { return sum_; }

  private:
    unsigned sum_ = 0;
};

} // namespace

void fuzz(std::span<const std::uint8_t> data) {
    constexpr std::array<std::uint32_t, 16> links{1,   0,   9,   12,  50,  51,  101, 104,
                                                  108, 113, 228, 229, 239, 252, 276, 147};
    if (data.empty()) {
        return;
    }
    Packet packet;
    packet.link_type = links.at(data[0] % links.size());
    data = data.subspan(1);
    Decapsulator decapsulator;
    Checker checker;
    while (data.size() >= 4) {
        const auto claimed = static_cast<std::size_t>(data[0] << 8 | data[1]);
        const auto length = std::min(claimed, data.size() - 4);
        packet.time.ns += static_cast<std::int64_t>(data[2]) * 1'000'000'000;
        packet.data = data.subspan(4, length);
        packet.original_length = static_cast<std::uint32_t>(length + data[3]);
        ++packet.frame;
        decapsulator.unwrap(packet, checker);
        data = data.subspan(4 + length);
    }
    decapsulator.finish(checker);
    require(decapsulator.ignored().entries().size() <= 65);
    require(checker.sum() != 0xffff'ffff || packet.frame != 0); // keeps the sum alive
}
