// Capture files of any kind, gzip and zstd included: every packet must lie within its bounds.
#include "capture/packet_source.hpp"
#include "fuzz.hpp"

void fuzz(std::span<const std::uint8_t> data) {
    using namespace cw::capture;
    auto source = PacketSource::open_memory(data);
    if (!source) {
        return;
    }
    std::uint32_t frame = 0;
    unsigned sum = 0;
    // A compressed file may hold very many packets: the start tells enough.
    while (const auto* packet = frame < 20'000 ? (*source)->next() : nullptr) {
        require(packet->frame == ++frame);
        require(packet->data.size() <= max_frame);
        require(packet->time.ns >= 0);
        for (const auto byte : packet->data) {
            sum += byte; // under AddressSanitizer: is it really there?
        }
    }
    for (const auto& text : (*source)->take_secrets()) {
        sum += static_cast<unsigned>(text.size());
    }
    require((*source)->problems().size() <= 33);
    require(sum != 0xffff'ffff || frame != 0); // keeps the sum alive
}
