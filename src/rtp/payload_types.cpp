#include "rtp/payload_types.hpp"

#include <array>

namespace cw::rtp {
namespace {

constexpr std::array<PayloadType, 35> make_table() {
    std::array<PayloadType, 35> t{};
    t[0] = {"PCMU", 8000};
    t[3] = {"GSM", 8000};
    t[4] = {"G723", 8000};
    t[5] = {"DVI4", 8000};
    t[6] = {"DVI4", 16000};
    t[7] = {"LPC", 8000};
    t[8] = {"PCMA", 8000};
    // [RFC 3551 §4.5.2] G.722 samples at 16 kHz, but its RTP clock is 8 kHz, "erroneously
    // assigned".
    t[9] = {"G722", 8000};
    t[10] = {"L16", 44100, 2};
    t[11] = {"L16", 44100};
    t[12] = {"QCELP", 8000};
    t[13] = {"CN", 8000};
    t[14] = {"MPA", 90000};
    t[15] = {"G728", 8000};
    t[16] = {"DVI4", 11025};
    t[17] = {"DVI4", 22050};
    t[18] = {"G729", 8000};
    t[25] = {"CelB", 90000, 0};
    t[26] = {"JPEG", 90000, 0};
    t[28] = {"nv", 90000, 0};
    t[31] = {"H261", 90000, 0};
    t[32] = {"MPV", 90000, 0};
    t[33] = {"MP2T", 90000, 0};
    t[34] = {"H263", 90000, 0};
    return t;
}
constexpr auto table = make_table();

} // namespace

const PayloadType* static_payload_type(std::uint8_t number) {
    return number < table.size() && table[number].clock != 0 ? &table[number] : nullptr;
}

} // namespace cw::rtp
