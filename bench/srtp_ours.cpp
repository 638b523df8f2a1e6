// SRTP as our media takes it: rtp::SrtpSession of one direction, at both ends. `gcm`:
// AEAD_AES_128_GCM, otherwise AES_CM_128_HMAC_SHA1_80.
#include <cstdio>
#include <vector>

#include "rtp/srtp.hpp"
#include "srtp.hpp"

int main(int argc, char** argv) {
    using namespace cw::rtp;
    const auto suite =
        bench_srtp::is_gcm(argc, argv) ? SrtpSuite::AeadAes128Gcm : SrtpSuite::AesCm128Sha1_80;
    const auto octets = bench_srtp::key();
    SrtpParameters parameters;
    parameters.suite = suite;
    parameters.keys.push_back({.secret = SrtpSecret{cw::Bytes{octets}.first(
                                   facts_of(suite).key + facts_of(suite).salt)}});
    auto send = SrtpSession::make(SrtpSession::Way::Send, parameters);
    auto receive = SrtpSession::make(SrtpSession::Way::Receive, parameters);
    if (!send || !receive) {
        std::fputs("no session\n", stderr);
        return 1;
    }
    std::uint32_t number = 0;
    std::vector<std::uint8_t> rtp;
    return run_rounds(20'000, [&] {
        const auto clear = bench_srtp::packet(number++);
        rtp.assign(clear.begin(), clear.end());
        return send->protect(rtp) && rtp.size() > clear.size() && receive->unprotect(rtp) &&
               rtp.size() == clear.size() && rtp.back() == clear.back();
    });
}
