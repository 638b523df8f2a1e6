// The same work by bare calls of libsrtp2.
#include <cstdio>
#include <vector>

#include <srtp2/srtp.h>

#include "srtp.hpp"

int main(int argc, char** argv) {
    auto octets = bench_srtp::key();
    srtp_policy_t policy{};
    if (bench_srtp::is_gcm(argc, argv)) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
    } else {
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
    }
    policy.key = octets.data();
    policy.window_size = 128;
    srtp_t send = nullptr;
    srtp_t receive = nullptr;
    policy.ssrc.type = ssrc_any_outbound;
    if (srtp_init() != srtp_err_status_ok || srtp_create(&send, &policy) != srtp_err_status_ok) {
        std::fputs("no session\n", stderr);
        return 1;
    }
    policy.ssrc.type = ssrc_any_inbound;
    if (srtp_create(&receive, &policy) != srtp_err_status_ok) {
        return 1;
    }
    std::uint32_t number = 0;
    std::vector<std::uint8_t> rtp(bench_srtp::header + bench_srtp::payload + SRTP_MAX_TRAILER_LEN);
    const auto status = run_rounds(20'000, [&] {
        const auto clear = bench_srtp::packet(number++);
        std::memcpy(rtp.data(), clear.data(), clear.size());
        auto length = static_cast<int>(clear.size());
        return srtp_protect(send, rtp.data(), &length) == srtp_err_status_ok &&
               length > static_cast<int>(clear.size()) &&
               srtp_unprotect(receive, rtp.data(), &length) == srtp_err_status_ok &&
               length == static_cast<int>(clear.size()) && rtp[clear.size() - 1] == clear.back();
    });
    srtp_dealloc(send);
    srtp_dealloc(receive);
    return status;
}
