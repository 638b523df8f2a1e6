#include "crypto/chain.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/err.h>

namespace cw::crypto {

namespace {

constexpr int least_strength = 112; // bits: RSA 2048 [RFC 9325 §4.5]
constexpr Duration soon = seconds(21 * 86400);
constexpr std::size_t longest_chain = 16;

using StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using ContextPtr = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;
// Owns the list, not what is in it.
using ListPtr =
    std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * list) { sk_X509_free(list); })>;

std::string day_of(Instant t) {
    return to_rfc3339(t).substr(0, 10);
}

bool same_name(const X509_NAME* a, const X509_NAME* b) {
    return X509_NAME_cmp(a, b) == 0;
}

class Judge {
  public:
    explicit Judge(const ChainQuestion& question) : question_(question) {}

    ChainVerdict run() {
        if (question_.presented.empty()) {
            add(ChainRule::Malformed, "the peer", "it showed no certificate");
            return std::move(verdict_);
        }
        leaf_ = question_.presented.front().get();
        verify();
        look_at_path();
        look_at_leaf();
        add_notes();
        std::ranges::stable_sort(verdict_.faults, {}, &ChainFault::rule);
        return std::move(verdict_);
    }

  private:
    void verify();
    void on_error(int error, X509* certificate);
    void on_no_issuer(X509* certificate);
    void on_untrusted_root(X509* certificate);
    void look_at_path();
    void look_at_strength(const CertificateFacts& facts, bool anchor);
    void look_at_leaf();
    void look_at_name(const CertificateFacts& facts);
    void add_notes();

    void add(ChainRule rule, std::string certificate, std::string what, std::string advice = {}) {
        for (const auto& fault : verdict_.faults) {
            if (fault.rule == rule && fault.certificate == certificate) {
                return;
            }
        }
        verdict_.faults.push_back(
            {rule, std::move(certificate), std::move(what), std::move(advice)});
    }
    [[nodiscard]] bool is_leaf(const X509* certificate) const {
        return X509_cmp(certificate, leaf_) == 0;
    }
    [[nodiscard]] const X509* trusted_namesake(const X509_NAME* name) const {
        for (const auto& ca : question_.trusted) {
            if (same_name(X509_get_subject_name(ca.get()), name)) {
                return ca.get();
            }
        }
        return nullptr;
    }
    // Is the issuer among those that were not looked at?
    [[nodiscard]] bool path_of_presented_goes_on(const X509* certificate) const {
        return std::ranges::any_of(question_.presented.subspan(longest_chain),
                                   [&](const auto& shown) {
                                       return same_name(X509_get_subject_name(shown.get()),
                                                        X509_get_issuer_name(certificate));
                                   });
    }
    [[nodiscard]] bool was_presented(const X509* certificate) const {
        return std::ranges::any_of(question_.presented, [&](const auto& shown) {
            return X509_cmp(shown.get(), certificate) == 0;
        });
    }

    const ChainQuestion& question_;
    ChainVerdict verdict_;
    X509* leaf_ = nullptr;
    bool reached_anchor_ = true;
    std::vector<CertificateFacts> path_;
};

// Everything OpenSSL finds is noted, and it is told to go on.
void Judge::verify() {
    const StorePtr store{X509_STORE_new()};
    const ContextPtr context{X509_STORE_CTX_new()};
    const ListPtr others{sk_X509_new_null()};
    if (store == nullptr || context == nullptr || others == nullptr) {
        add(ChainRule::Other, "the verifier", "no memory");
        return;
    }
    for (const auto& ca : question_.trusted) {
        X509_STORE_add_cert(store.get(), ca.get());
    }
    for (const auto& crl : question_.crls) {
        X509_STORE_add_crl(store.get(), crl.get());
    }
    if (question_.system_trust) {
        X509_STORE_set_default_paths(store.get());
    }
    for (const auto& shown :
         question_.presented.first(std::min(question_.presented.size(), longest_chain))) {
        sk_X509_push(others.get(), shown.get());
    }
    if (X509_STORE_CTX_init(context.get(), store.get(), leaf_, others.get()) != 1) {
        add(ChainRule::Other, "the verifier", take_openssl_error());
        return;
    }
    auto* parameters = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_time(parameters, question_.at.ns / 1'000'000'000);
    // Strength and purpose are judged here, in words of our own.
    X509_VERIFY_PARAM_set_auth_level(parameters, 0);
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_ANY);
    if (!question_.crls.empty()) {
        X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }
    X509_STORE_CTX_set_app_data(context.get(), this);
    X509_STORE_CTX_set_verify_cb(context.get(), [](int good, X509_STORE_CTX* at) {
        if (good == 0) {
            auto* self = static_cast<Judge*>(X509_STORE_CTX_get_app_data(at));
            self->on_error(X509_STORE_CTX_get_error(at), X509_STORE_CTX_get_current_cert(at));
        }
        return 1;
    });
    X509_verify_cert(context.get());
    auto* chain = X509_STORE_CTX_get0_chain(context.get());
    for (int i = 0; i < sk_X509_num(chain); ++i) {
        path_.push_back(describe(sk_X509_value(chain, i)));
        verdict_.path.push_back(path_.back().name);
    }
    ERR_clear_error();
}

void Judge::on_error(int error, X509* certificate) {
    if (certificate == nullptr) {
        certificate = leaf_;
    }
    const auto facts = describe(certificate);
    const auto& name = facts.name;
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        on_no_issuer(certificate);
        return;
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: // follows from the one above
        return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        on_untrusted_root(certificate);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        add(ChainRule::Expired, name,
            fmt::format("expired {} ago, on {}", in_words(question_.at - facts.not_after),
                        day_of(facts.not_after)),
            facts.is_ca ? "the CA has to be renewed, and what it issued with it"
                        : "have a new certificate issued and installed");
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        add(ChainRule::NotYetValid, name,
            fmt::format("is valid only in {}, from {}", in_words(facts.not_before - question_.at),
                        day_of(facts.not_before)),
            "look at the clocks: of the one who checks, and of the CA");
        return;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        add(ChainRule::BadSignature, name,
            "its signature does not fit the key of its issuer " + facts.issuer,
            "it was changed, or a CA of the same name but with another key signed it");
        return;
    case X509_V_ERR_CERT_REVOKED:
        add(ChainRule::Revoked, name, "was revoked by " + facts.issuer,
            "have a new certificate issued, with a new key");
        return;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
        if (facts.self_issued) { // nobody but itself could revoke it
            return;
        }
        add(ChainRule::NoCrl, name,
            "no revocation list of its issuer " + facts.issuer + " is there",
            "give the list of every CA in the chain");
        return;
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return; // made after the date that is asked about, it knows no less of it
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        if (facts.self_issued) {
            return;
        }
        add(ChainRule::NoCrl, name,
            fmt::format("the revocation list of its issuer cannot be used: {}",
                        X509_verify_cert_error_string(error)),
            "fetch a new list from the CA");
        return;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_INVALID_NON_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        add(ChainRule::NotACa, name,
            error == X509_V_ERR_PATH_LENGTH_EXCEEDED
                ? "stands deeper in the chain than a CA above it allows"
                : "issued a certificate, but is no CA or may not sign certificates",
            "have the certificate issued by a CA that may");
        return;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
        add(ChainRule::Constraint, name, "has a name that a CA above it may not issue for");
        return;
    default:
        add(ChainRule::Other, name, X509_verify_cert_error_string(error));
    }
}

// Whether the one that is missing is an intermediate or a root, nobody can see from below.
void Judge::on_no_issuer(X509* certificate) {
    reached_anchor_ = false;
    const auto facts = describe(certificate);
    if (trusted_namesake(X509_get_issuer_name(certificate)) != nullptr) {
        add(ChainRule::UnknownCa, facts.name,
            "a CA named " + facts.issuer +
                " is trusted, but with another key: it did not issue this",
            "the CA was made anew: trust the new one, or have the certificate issued again");
        return;
    }
    if (question_.presented.size() > longest_chain && path_of_presented_goes_on(certificate)) {
        add(ChainRule::Other, facts.name,
            fmt::format("the chain is longer than {} certificates: it was not followed further",
                        longest_chain),
            "no honest chain has more than a few: do not trust it");
        return;
    }
    add(ChainRule::MissingIssuer, facts.name,
        fmt::format("its issuer {} was not sent along and is not trusted here", facts.issuer),
        question_.trusted.empty() && !question_.system_trust
            ? "name the CA that it should end at"
            : "if that is an intermediate CA, its certificate is missing from what the peer sends: "
              "append it to the certificate's file there; if it is a root, trust it here");
}

void Judge::on_untrusted_root(X509* certificate) {
    reached_anchor_ = false;
    const auto facts = describe(certificate);
    if (trusted_namesake(X509_get_subject_name(certificate)) != nullptr) {
        add(ChainRule::UnknownCa, facts.name, "a CA of this name is trusted, but with another key",
            "the CA was made anew: trust the new one, or have the certificate issued again");
    } else if (is_leaf(certificate)) {
        add(ChainRule::SelfSigned, facts.name, "it signed itself: nobody vouches for it",
            "have it issued by a CA, or trust this very certificate");
    } else {
        add(ChainRule::UnknownCa, facts.name,
            "the chain ends at this CA, which is not trusted here",
            "trust it, if it is yours; else the peer uses a certificate from elsewhere");
    }
}

void Judge::look_at_path() {
    for (std::size_t i = 0; i < path_.size(); ++i) {
        const bool anchor = reached_anchor_ && i + 1 == path_.size();
        look_at_strength(path_[i], anchor);
        if (i == 0 || anchor || path_[i].purposes.empty()) {
            continue;
        }
        // [RFC 5280 §4.2.1.12] speaks of the certificate itself; that a CA's purposes bind what it
        // issues is what every verifier makes of it.
        const auto has = [&](std::string_view purpose) {
            return std::ranges::find(path_[i].purposes, purpose) != path_[i].purposes.end();
        };
        if (!has("serverAuth") && !has("clientAuth") && !has("sipDomain") &&
            !has("anyExtendedKeyUsage") && !has("emailProtection")) {
            add(ChainRule::WrongPurpose, path_[i].name,
                "this CA issues for other purposes than TLS, SIP and S/MIME");
        }
    }
}

// [RFC 9325 §4.5] 2048 bits of RSA, 224 of ECDSA, and SHA-256 at the least. What a trust anchor
// says of itself is not a matter of its signature.
void Judge::look_at_strength(const CertificateFacts& facts, bool anchor) {
    if (question_.accept_weak) {
        return;
    }
    if (facts.key_strength < least_strength) {
        add(ChainRule::Weak, facts.name, fmt::format("its key is weak: {}", facts.key),
            "have it issued again with ECDSA P-256 or RSA 2048");
    } else if (facts.weak_signature && !anchor) {
        add(ChainRule::Weak, facts.name,
            fmt::format("its signature is weak: {} can be forged", facts.signature),
            "have it issued again, signed with SHA-256");
    }
}

void Judge::look_at_leaf() {
    const auto facts = describe(leaf_);
    // [RFC 5280 §4.2.1.3] digitalSignature: the handshake is signed with this key.
    if (!facts.key_usages.empty() &&
        std::ranges::find(facts.key_usages, "digitalSignature") == facts.key_usages.end()) {
        add(ChainRule::WrongKeyUsage, facts.name,
            "its key usage lacks digitalSignature: it cannot sign a handshake or a message",
            "have it issued again with digitalSignature");
    }
    const auto purposes = read_purposes(leaf_);
    const auto verdict =
        purposes ? judge_purposes(*purposes, question_.role, question_.identity.purposes)
                 : Verdict{Verdict::Finding::Unreadable, purposes.error().what};
    if (!verdict.accepted()) {
        add(verdict.finding == Verdict::Finding::Unreadable ? ChainRule::Malformed
                                                            : ChainRule::WrongPurpose,
            facts.name, verdict.why, "have it issued again for this purpose");
    }
    look_at_name(facts);
}

void Judge::look_at_name(const CertificateFacts& facts) {
    if (!facts.identity_problem.empty()) {
        add(ChainRule::Malformed, facts.name, facts.identity_problem,
            "do not trust it: a name that reads in two ways is a trick");
        return;
    }
    if (question_.expected.empty()) {
        return;
    }
    const auto verdict =
        judge_name(facts.identity, question_.expected, question_.identity.wildcards);
    if (verdict.accepted()) {
        verdict_.name = verdict.why;
        return;
    }
    add(verdict.finding == Verdict::Finding::NoNames ? ChainRule::NoNames : ChainRule::OtherNames,
        facts.name, verdict.why,
        "have a certificate issued with the name that peers connect to, or connect to a name that "
        "it has");
}

void Judge::add_notes() {
    for (const auto& facts : path_) {
        if (question_.at <= facts.not_after && facts.not_after - question_.at < soon) {
            verdict_.notes.push_back(fmt::format("{} expires soon: in {}, on {}", facts.name,
                                                 in_words(facts.not_after - question_.at),
                                                 day_of(facts.not_after)));
        }
    }
    for (std::size_t i = 1; i < question_.presented.size() && i < longest_chain; ++i) {
        const auto* below = question_.presented[i - 1].get();
        const auto* above = question_.presented[i].get();
        // [RFC 5246 §7.4.2] "Each following certificate MUST directly certify the one preceding
        // it."
        if (!same_name(X509_get_issuer_name(below), X509_get_subject_name(above))) {
            verdict_.notes.push_back(
                fmt::format("certificate {} of those sent did not issue the one before it: peers "
                            "with TLS 1.2 may refuse the order",
                            i + 1));
            break;
        }
    }
    if (question_.presented.size() > 1 && reached_anchor_ && !path_.empty() &&
        path_.back().self_issued) {
        const auto& last = question_.presented.back();
        if (describe(last.get()).fingerprint == path_.back().fingerprint &&
            was_presented(last.get())) {
            verdict_.notes.push_back("the root CA was sent along, which nobody needs");
        }
    }
}

} // namespace

const char* to_string(ChainRule rule) {
    constexpr std::array names{
        "malformed",      "bad signature", "revoked",         "self-signed",   "unknown CA",
        "missing issuer", "not a CA",      "name constraint", "expired",       "not yet valid",
        "no CRL",         "weak",          "wrong key usage", "wrong purpose", "no names",
        "other names",    "other"};
    static_assert(names.size() == static_cast<std::size_t>(ChainRule::Other) + 1);
    return names[static_cast<std::size_t>(rule)];
}

std::string describe(const ChainFault& fault) {
    return fault.certificate + ": " + fault.what;
}

bool ChainVerdict::trusted() const {
    return std::ranges::none_of(faults, [](const ChainFault& fault) {
        return fault.rule < ChainRule::WrongKeyUsage || fault.rule == ChainRule::Other;
    });
}

std::string ChainVerdict::summary() const {
    if (!good()) {
        return describe(faults.front());
    }
    return name.empty() ? "good" : "good: " + name;
}

ChainVerdict verify_chain(const ChainQuestion& question) {
    return Judge{question}.run();
}

} // namespace cw::crypto
