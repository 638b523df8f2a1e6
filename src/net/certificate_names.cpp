#include "net/certificate_names.hpp"

#include <algorithm>
#include <memory>

#include <openssl/x509v3.h>

#include "base/text.hpp"

namespace cw::net {
namespace {

constexpr int most_entries = 1000;

std::string_view text_of(const ASN1_STRING* string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// "scheme:example.com", with or without "//", a port or what follows it. One with a user is a
// person's, not a host's.
std::string_view host_of(std::string_view uri) {
    const auto colon = uri.find(':');
    if (colon == std::string_view::npos || uri.find('@') != std::string_view::npos) {
        return {};
    }
    auto host = uri.substr(colon + 1);
    if (host.starts_with("//")) {
        host.remove_prefix(2);
    }
    return host.substr(0, host.find_first_of(":/;?#"));
}

} // namespace

std::string lower_case(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), ascii_lower);
    return out;
}

std::vector<std::string> certificate_names(const X509* certificate) {
    std::vector<std::string> names;
    const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all{
        static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
        GENERAL_NAMES_free};
    const int count = std::min(sk_GENERAL_NAME_num(all.get()), most_entries);
    for (int i = 0; i < count; ++i) {
        int type = 0;
        const auto* value = static_cast<const ASN1_STRING*>(
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &type));
        std::string_view name;
        if (type == GEN_DNS) {
            name = text_of(value);
        } else if (type == GEN_URI) {
            name = host_of(text_of(value));
        }
        if (!name.empty()) {
            names.push_back(lower_case(name));
        }
    }
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

} // namespace cw::net
