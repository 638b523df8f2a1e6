#include "crypto/ocsp.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "base/text.hpp"

namespace cw::crypto {

namespace {

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, Free<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, Free<OCSP_BASICRESP_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, Free<OCSP_CERTID_free>>;
using RequestPtr = std::unique_ptr<OCSP_REQUEST, Free<OCSP_REQUEST_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using ListPtr =
    std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * list) { sk_X509_free(list); })>;

constexpr Duration leeway = seconds(300); // clocks differ

OcspVerdict useless(std::string what) {
    ERR_clear_error();
    return {
        .state = OcspVerdict::State::Useless, .what = std::move(what), .produced = {}, .next = {}};
}

// [RFC 6960 §4.2.2.2] By the CA itself, or by whom it has given a certificate for that purpose:
// OCSP_basic_verify knows both, and the CA is all that is trusted here.
bool is_signed_by_ca(OCSP_BASICRESP* basic, const OcspQuestion& question) {
    const StorePtr store{X509_STORE_new()};
    const ListPtr others{sk_X509_new_null()};
    if (store == nullptr || others == nullptr) {
        return false;
    }
    auto* issuer = const_cast<X509*>(question.issuer);
    X509_STORE_add_cert(store.get(), issuer);
    auto* parameters = X509_STORE_get0_param(store.get());
    X509_VERIFY_PARAM_set_time(parameters, question.at.ns / 1'000'000'000);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN); // it may be no root
    sk_X509_push(others.get(), issuer);
    for (const auto& other : question.others) {
        if (sk_X509_num(others.get()) < 16) {
            sk_X509_push(others.get(), other.get());
        }
    }
    const bool good = OCSP_basic_verify(basic, others.get(), store.get(), 0) == 1;
    ERR_clear_error();
    return good;
}

Instant of_generalized(const ASN1_GENERALIZEDTIME* time) {
    return time == nullptr ? Instant{} : to_instant(time);
}

// The entry for the certificate, whichever hash its id was made with.
int entry_of(OCSP_BASICRESP* basic, const OcspQuestion& question) {
    for (int i = 0; i < OCSP_resp_count(basic) && i < 64; ++i) {
        const auto* id = OCSP_SINGLERESP_get0_id(OCSP_resp_get0(basic, i));
        ASN1_OBJECT* hash = nullptr;
        OCSP_id_get0_info(nullptr, &hash, nullptr, nullptr, const_cast<OCSP_CERTID*>(id));
        const auto* digest = EVP_get_digestbyobj(hash);
        if (digest == nullptr) {
            continue;
        }
        const IdPtr wanted{OCSP_cert_to_id(digest, question.certificate, question.issuer)};
        if (wanted != nullptr && OCSP_id_cmp(wanted.get(), id) == 0) {
            return i;
        }
    }
    return -1;
}

} // namespace

const char* to_string(OcspVerdict::State state) {
    switch (state) {
    case OcspVerdict::State::Good:
        return "good";
    case OcspVerdict::State::Revoked:
        return "revoked";
    case OcspVerdict::State::Unknown:
        return "unknown";
    case OcspVerdict::State::Useless:
        return "useless";
    }
    return "useless";
}

OcspVerdict judge_ocsp(Bytes response, const OcspQuestion& question) {
    if (question.certificate == nullptr || question.issuer == nullptr) {
        return useless(
            "the CA's own certificate is not known, so that nobody can tell who signed the "
            "response");
    }
    if (response.size() > largest_ocsp) {
        return useless("the response is larger than 64 kB");
    }
    const auto* at = response.data();
    const ResponsePtr parsed{d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(response.size()))};
    if (parsed == nullptr || at != response.data() + response.size()) {
        return useless("the response is malformed");
    }
    if (const int status = OCSP_response_status(parsed.get());
        status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        return useless(fmt::format("the responder says {}", OCSP_response_status_str(status)));
    }
    const BasicPtr basic{OCSP_response_get1_basic(parsed.get())};
    if (basic == nullptr) {
        return useless("the response is of a kind that is not known");
    }
    const int number = entry_of(basic.get(), question);
    if (number < 0) {
        return useless("the response is about another certificate");
    }
    if (!is_signed_by_ca(basic.get(), question)) {
        return useless("the response is not signed by the certificate's CA, nor for it");
    }
    int reason = -1;
    ASN1_GENERALIZEDTIME* revoked = nullptr;
    ASN1_GENERALIZEDTIME* produced = nullptr;
    ASN1_GENERALIZEDTIME* next = nullptr;
    const int status = OCSP_single_get0_status(OCSP_resp_get0(basic.get(), number), &reason,
                                               &revoked, &produced, &next);
    OcspVerdict verdict{.state = OcspVerdict::State::Useless,
                        .what = {},
                        .produced = of_generalized(produced),
                        .next = of_generalized(next)};
    // [RFC 6960 §3.2] thisUpdate and nextUpdate bound the time that it is good for.
    if (!verdict.produced.known() || verdict.produced > question.at + leeway) {
        verdict.what = "the response is of a time to come";
        return verdict;
    }
    if (verdict.next.known() && verdict.next + leeway < question.at) {
        verdict.what = "the response was good until " + to_rfc3339(verdict.next);
        return verdict;
    }
    const auto as_of = ", as of " + to_rfc3339(verdict.produced);
    switch (status) {
    case V_OCSP_CERTSTATUS_GOOD:
        verdict.state = OcspVerdict::State::Good;
        verdict.what = "not revoked" + as_of;
        break;
    case V_OCSP_CERTSTATUS_REVOKED:
        verdict.state = OcspVerdict::State::Revoked;
        verdict.what =
            fmt::format("revoked on {}{}", to_rfc3339(of_generalized(revoked)).substr(0, 10),
                        reason >= 0 ? fmt::format(" ({})", OCSP_crl_reason_str(reason)) : "");
        break;
    default:
        verdict.state = OcspVerdict::State::Unknown;
        verdict.what = "its responder does not know it" + as_of;
        break;
    }
    return verdict;
}

std::string ocsp_url(const X509* certificate) {
    const std::unique_ptr<STACK_OF(OPENSSL_STRING), Free<X509_email_free>> urls{
        X509_get1_ocsp(const_cast<X509*>(certificate))};
    for (int i = 0; urls != nullptr && i < sk_OPENSSL_STRING_num(urls.get()); ++i) {
        const std::string_view url{sk_OPENSSL_STRING_value(urls.get(), i)};
        if (istarts_with(url, "http://") && url.size() < 1024) {
            return std::string{url};
        }
    }
    return {};
}

Result<std::string> ocsp_request(const X509* certificate, const X509* issuer) {
    const RequestPtr request{OCSP_REQUEST_new()};
    // SHA-1 names the issuer here and protects nothing; it is what responders know [RFC 6960 §4.3].
    IdPtr id{OCSP_cert_to_id(EVP_sha1(), certificate, issuer)};
    if (request == nullptr || id == nullptr ||
        OCSP_request_add0_id(request.get(), id.get()) == nullptr) {
        ERR_clear_error();
        return fail(Code::Unsupported, 0, "an OCSP request cannot be made for this certificate");
    }
    (void)id.release(); // the request's now
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_REQUEST(request.get(), &der);
    if (size <= 0) {
        return fail(Code::Unsupported, 0, "an OCSP request cannot be made for this certificate");
    }
    std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return out;
}

} // namespace cw::crypto
