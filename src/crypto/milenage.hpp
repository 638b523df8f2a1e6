// Milenage: the functions f1 to f5* of 3GPP TS 35.206, by which a SIM and its home network prove
// themselves to each other and agree on keys. Pure; the values that it gives are secrets of their
// caller.
#pragma once

#include <array>
#include <cstdint>

namespace cw::crypto {

using Block128 = std::array<std::uint8_t, 16>;

struct MilenageSecret {
    Block128 k{};
    Block128 opc{}; // the operator's constant, made for this K
};

// OPc of the operator's constant OP [TS 35.206 §5.1].
Block128 derive_opc(const Block128& k, const Block128& op);

struct MilenageInput {
    Block128 rand{};
    std::array<std::uint8_t, 6> sqn{};
    std::array<std::uint8_t, 2> amf{};
};

struct MilenageOutput {
    std::array<std::uint8_t, 8> mac_a{};     // f1
    std::array<std::uint8_t, 8> mac_s{};     // f1*
    std::array<std::uint8_t, 8> res{};       // f2
    Block128 ck{};                           // f3
    Block128 ik{};                           // f4
    std::array<std::uint8_t, 6> ak{};        // f5
    std::array<std::uint8_t, 6> ak_resync{}; // f5*
};
MilenageOutput milenage(const MilenageSecret& secret, const MilenageInput& input);

} // namespace cw::crypto
