#include "crypto/milenage.hpp"

#include <algorithm>
#include <memory>

#include "crypto/openssl.hpp"

namespace cw::crypto {
namespace {

// E[x]: AES-128 with K, one block at a time.
class Kernel {
  public:
    explicit Kernel(const Block128& k) : context_(EVP_CIPHER_CTX_new()) {
        EVP_EncryptInit_ex(context_.get(), EVP_aes_128_ecb(), nullptr, k.data(), nullptr);
        EVP_CIPHER_CTX_set_padding(context_.get(), 0);
    }
    Block128 operator()(const Block128& in) {
        Block128 out{};
        int size = 0;
        EVP_EncryptUpdate(context_.get(), out.data(), &size, in.data(),
                          static_cast<int>(in.size()));
        return out;
    }

  private:
    std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>> context_;
};

Block128 operator^(Block128 a, const Block128& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] ^= b[i];
    }
    return a;
}

// Cyclically towards the most significant bit; all of r1 to r5 are whole octets.
Block128 rotated(const Block128& in, std::size_t octets) {
    Block128 out{};
    std::ranges::rotate_copy(in, in.begin() + static_cast<std::ptrdiff_t>(octets), out.begin());
    return out;
}

Block128 constant(std::uint8_t last) { // c1 to c5
    Block128 out{};
    out.back() = last;
    return out;
}

template <std::size_t size>
std::array<std::uint8_t, size> part(const Block128& from, std::size_t at) {
    std::array<std::uint8_t, size> out{};
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at), size, out.begin());
    return out;
}

} // namespace

Block128 derive_opc(const Block128& k, const Block128& op) {
    Kernel encrypt(k);
    return encrypt(op) ^ op;
}

MilenageOutput milenage(const MilenageSecret& secret, const MilenageInput& input) {
    Kernel encrypt(secret.k);
    const auto& opc = secret.opc;
    const auto temp = encrypt(input.rand ^ opc);
    Block128 in1{}; // SQN, AMF, and both again
    for (std::size_t i = 0; i < in1.size(); ++i) {
        const auto at = i % 8;
        in1[i] = at < 6 ? input.sqn[at] : input.amf[at - 6];
    }
    // [TS 35.206 §4.1] r1 to r5 are 64, 0, 32, 64 and 96 bits, c1 to c5 are 0, 1, 2, 4 and 8.
    const auto out1 = encrypt(temp ^ rotated(in1 ^ opc, 8)) ^ opc;
    const auto out = [&](std::size_t octets, std::uint8_t c) {
        return encrypt(rotated(temp ^ opc, octets) ^ constant(c)) ^ opc;
    };
    const auto out2 = out(0, 1);
    MilenageOutput result;
    result.mac_a = part<8>(out1, 0);
    result.mac_s = part<8>(out1, 8);
    result.res = part<8>(out2, 8);
    result.ak = part<6>(out2, 0);
    result.ck = out(4, 2);
    result.ik = out(8, 4);
    result.ak_resync = part<6>(out(12, 8), 0);
    return result;
}

} // namespace cw::crypto
