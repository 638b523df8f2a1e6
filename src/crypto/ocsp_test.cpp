#include "crypto/ocsp.hpp"

#include <gtest/gtest.h>
#include <openssl/ocsp.h>

#include "crypto/test_certificates.hpp"

namespace cw::crypto {
namespace {

using State = OcspVerdict::State;
using made::now;

struct Answer {
    int status = V_OCSP_CERTSTATUS_GOOD;
    Duration age = seconds(3600);   // of thisUpdate
    Duration more = seconds(86400); // until nextUpdate
    const EVP_MD* id_hash = EVP_sha1();
    unsigned long flags = 0;
};

// A response about `subject`, signed by `signer`, as a responder makes it.
std::string answer(const X509* subject, const Credential& ca, const Credential& signer,
                   const Answer& how) {
    const auto time = [](Instant at) {
        return ASN1_TIME_set(nullptr, static_cast<time_t>(at.ns / 1'000'000'000));
    };
    auto* basic = OCSP_BASICRESP_new();
    auto* id = OCSP_cert_to_id(how.id_hash, subject, ca.certificate.get());
    auto* from = time(now - how.age);
    auto* until = time(now - how.age + how.more);
    auto* gone = how.status == V_OCSP_CERTSTATUS_REVOKED ? time(now - seconds(86400)) : nullptr;
    OCSP_basic_add1_status(basic, id, how.status, OCSP_REVOKED_STATUS_KEYCOMPROMISE, gone, from,
                           until);
    OCSP_basic_sign(basic, signer.certificate.get(), signer.key.get(), EVP_sha256(), nullptr,
                    how.flags);
    auto* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_RESPONSE(response, &der);
    std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    for (auto* each : {from, until, gone}) {
        ASN1_TIME_free(each);
    }
    return out;
}

class Ocsp : public ::testing::Test {
  protected:
    [[nodiscard]] OcspVerdict judge(std::string_view response) const {
        return judge_ocsp(as_bytes(response), {.certificate = server_.certificate.get(),
                                               .issuer = ca_.certificate.get(),
                                               .others = {},
                                               .at = now});
    }
    [[nodiscard]] OcspVerdict judge_made(const Answer& how) const {
        return judge(answer(server_.certificate.get(), ca_, ca_, how));
    }
    Credential ca_ = made::ca();
    Credential server_ =
        issue(ca_, {.domains = {"example.com"}, .validity = valid_for(now, 30)}).value();
};

TEST_F(Ocsp, SaysWhatTheCaSaysWhicheverHashNamesTheCertificate) {
    for (const auto* hash : {EVP_sha1(), EVP_sha256()}) {
        const auto good = judge_made({.id_hash = hash});
        EXPECT_EQ(good.state, State::Good) << good.what;
        EXPECT_TRUE(good.what.starts_with("not revoked, as of 2026-09-21T")) << good.what;
        EXPECT_EQ(good.next - good.produced, seconds(86400));
    }
    const auto revoked = judge_made({.status = V_OCSP_CERTSTATUS_REVOKED});
    EXPECT_EQ(revoked.state, State::Revoked);
    EXPECT_TRUE(revoked.what.starts_with("revoked on 2026-09-2")) << revoked.what;
    EXPECT_TRUE(revoked.what.ends_with("(keyCompromise)")) << revoked.what;
    EXPECT_EQ(judge_made({.status = V_OCSP_CERTSTATUS_UNKNOWN}).state, State::Unknown);
}

TEST_F(Ocsp, OfAnotherTimeIsNoProof) {
    const auto old = judge_made({.age = seconds(3 * 86400)});
    EXPECT_EQ(old.state, State::Useless);
    EXPECT_TRUE(old.what.starts_with("the response was good until")) << old.what;
    const auto early = judge_made({.age = seconds(-3600)});
    EXPECT_EQ(early.state, State::Useless);
    EXPECT_EQ(early.what, "the response is of a time to come");
    EXPECT_EQ(judge_made({.age = seconds(-60)}).state, State::Good) << "clocks differ";
}

TEST_F(Ocsp, OfSomebodyElseIsNoProof) {
    const auto stranger = made::ca("Another CA");
    const auto forged = judge(answer(server_.certificate.get(), ca_, stranger, {}));
    EXPECT_EQ(forged.state, State::Useless);
    EXPECT_TRUE(forged.what.contains("not signed by the certificate's CA")) << forged.what;
    // A certificate of the same CA that is for something else may not answer.
    const auto server = judge(answer(server_.certificate.get(), ca_, server_, {}));
    EXPECT_EQ(server.state, State::Useless) << server.what;
    const auto other =
        issue(ca_, {.domains = {"b.example"}, .validity = valid_for(now, 30)}).value();
    const auto another = judge(answer(other.certificate.get(), ca_, ca_, {}));
    EXPECT_EQ(another.state, State::Useless);
    EXPECT_TRUE(another.what.contains("about another certificate")) << another.what;
    const auto unknown_ca = judge_ocsp(
        as_bytes(answer(server_.certificate.get(), ca_, ca_, {})),
        {.certificate = server_.certificate.get(), .issuer = nullptr, .others = {}, .at = now});
    EXPECT_EQ(unknown_ca.state, State::Useless);
}

TEST_F(Ocsp, NoPrefixAndNoChangedOctetIsGood) {
    // The certificate that a response may send along is signed by nobody but itself.
    const auto whole = answer(server_.certificate.get(), ca_, ca_, {.flags = OCSP_NOCERTS});
    ASSERT_EQ(judge(whole).state, State::Good);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_EQ(judge(whole.substr(0, size)).state, State::Useless) << size;
    }
    EXPECT_EQ(judge(whole + "x").state, State::Useless);
    EXPECT_EQ(judge(std::string(70000, 'x')).state, State::Useless);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        EXPECT_NE(judge(changed).state, State::Good) << at;
    }
}

TEST_F(Ocsp, RequestsNameOneCertificate) {
    const auto der = ocsp_request(server_.certificate.get(), ca_.certificate.get());
    ASSERT_TRUE(der);
    const auto* at = reinterpret_cast<const unsigned char*>(der->data());
    auto* request = d2i_OCSP_REQUEST(nullptr, &at, static_cast<long>(der->size()));
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(OCSP_request_onereq_count(request), 1);
    OCSP_REQUEST_free(request);
    EXPECT_EQ(ocsp_url(server_.certificate.get()), "");
}

} // namespace
} // namespace cw::crypto
