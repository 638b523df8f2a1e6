#include "crypto/aka.hpp"

#include <algorithm>

#include <openssl/crypto.h>

#include "base/base64.hpp"

namespace cw::crypto {
namespace {

using Sqn = std::array<std::uint8_t, 6>;

Sqn octets_of(std::uint64_t sqn) {
    Sqn out{};
    for (std::size_t i = out.size(); i-- > 0; sqn >>= 8) {
        out[i] = static_cast<std::uint8_t>(sqn);
    }
    return out;
}

std::uint64_t number_of(const Sqn& sqn) {
    std::uint64_t out = 0;
    for (const auto octet : sqn) {
        out = out << 8 | octet;
    }
    return out;
}

Sqn hidden(Sqn sqn, const Sqn& ak) {
    for (std::size_t i = 0; i < sqn.size(); ++i) {
        sqn[i] ^= ak[i];
    }
    return sqn;
}

template <class Octets>
void put(std::string& out, const Octets& octets) {
    out.append(octets.begin(), octets.end());
}

std::string base64_of(std::string_view octets) {
    return to_base64({reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()});
}

// SQN ⊕ AK*, and a MAC that says who wrote it, of SQN and an AMF of zeros [3GPP TS 33.102 §6.3.3].
std::string make_auts(const MilenageSecret& secret, const Block128& rand, std::uint64_t last) {
    const auto values = milenage(secret, {rand, octets_of(last), {}});
    std::string out;
    put(out, hidden(octets_of(last), values.ak_resync));
    put(out, values.mac_s);
    return base64_of(out);
}

} // namespace

AkaVector make_aka_vector(const MilenageSecret& secret, const Block128& rand, std::uint64_t sqn) {
    // The bit that says "authentication in an access that is not GSM's" [TS 33.102 annex H].
    const MilenageInput input{rand, octets_of(sqn), {0x80, 0x00}};
    const auto values = milenage(secret, input);
    // AUTN = SQN ⊕ AK, AMF, MAC [TS 33.102 §6.3.2]
    std::string octets;
    put(octets, rand);
    put(octets, hidden(input.sqn, values.ak));
    put(octets, input.amf);
    put(octets, values.mac_a);
    AkaVector out;
    out.nonce = base64_of(octets);
    put(out.res, values.res);
    out.ck = values.ck;
    out.ik = values.ik;
    return out;
}

AkaOpened open_aka_nonce(const MilenageSecret& secret, std::string_view nonce, std::uint64_t last) {
    // RAND, AUTN, and what else the server put there [RFC 3310 §3.2].
    std::array<std::uint8_t, 256> octets{};
    const auto size = decode_base64(nonce, octets);
    AkaOpened out;
    if (!size || *size < 32) {
        return out;
    }
    MilenageInput input;
    std::copy_n(octets.begin(), 16, input.rand.begin());
    const auto ak = milenage(secret, input).ak; // f5 needs RAND alone
    std::copy_n(octets.begin() + 16, 6, input.sqn.begin());
    input.sqn = hidden(input.sqn, ak);
    std::copy_n(octets.begin() + 22, 2, input.amf.begin());
    const auto values = milenage(secret, input);
    if (CRYPTO_memcmp(values.mac_a.data(), octets.data() + 24, values.mac_a.size()) != 0) {
        out.verdict = AkaOpened::Verdict::Stranger;
        return out;
    }
    out.sqn = number_of(input.sqn);
    if (out.sqn <= last) {
        out.verdict = AkaOpened::Verdict::Replayed;
        out.auts = make_auts(secret, input.rand, last);
        return out;
    }
    out.verdict = AkaOpened::Verdict::Good;
    put(out.res, values.res);
    out.ck = values.ck;
    out.ik = values.ik;
    return out;
}

} // namespace cw::crypto
