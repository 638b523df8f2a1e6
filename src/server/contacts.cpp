#include "server/contacts.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "server/binding.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::server {
namespace {

// "Malformed values SHOULD be treated as equivalent to 3600" [RFC 3261 §20.10]; one too large for
// 32 bits is the largest [§20.19].
std::uint32_t read_expires(std::string_view text) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
        return 3600;
    }
    return parse_number<std::uint32_t>(text).value_or(0xffff'ffff);
}

// "0.7" in thousandths; what is no qvalue counts as 1 [RFC 3261 §25.1 qvalue].
std::uint16_t read_q(std::string_view text) {
    if (text.empty() || (text[0] != '0' && text[0] != '1') || text.size() > 5 ||
        (text.size() > 1 && text[1] != '.')) {
        return 1000;
    }
    unsigned q = text[0] == '1' ? 1000 : 0;
    unsigned weight = 100;
    for (const auto c : text.substr(std::min<std::size_t>(2, text.size()))) {
        if (!is_digit(c)) {
            return 1000;
        }
        q += static_cast<unsigned>(c - '0') * weight;
        weight /= 10;
    }
    return static_cast<std::uint16_t>(std::min(q, 1000U));
}

bool keep_param(ContactAsked& contact, const sip::Param& param) {
    if (iequals(param.name, "q")) {
        contact.q = read_q(param.value);
        return false;
    }
    if (iequals(param.name, "+sip.instance")) {
        contact.instance = param.value;
    } else if (iequals(param.name, "reg-id")) {
        contact.reg_id = parse_number<std::uint32_t>(param.value).value_or(0);
    }
    // What a registrar writes itself is not taken from a client [RFC 5627 §4.2].
    return !iequals(param.name, "expires") && !iequals(param.name, "pub-gruu") &&
           !iequals(param.name, "temp-gruu");
}

// False: too long, or of a scheme that nobody here can reach.
bool read_contact(const sip::NameAddr& address, std::uint32_t expires_s, const Settings& settings,
                  ContactAsked& contact, RegistrationAsked& asked) {
    contact.uri = address.uri_text;
    const auto own = sip::find_param(address.params, "expires");
    contact.expires_s = own ? read_expires(*own) : expires_s;
    sip::ParamCursor params{address.params};
    for (sip::Param param; params.next(param);) {
        if (!keep_param(contact, param)) {
            continue;
        }
        contact.params += ';';
        const auto* end = param.has_value
                              ? param.value.data() + param.value.size() + (param.is_quoted ? 1 : 0)
                              : param.name.data() + param.name.size();
        contact.params.append(param.name.data(), end);
    }
    if (contact.uri.size() > longest_contact || contact.params.size() > longest_contact) {
        asked.status = 400;
        asked.why = "Contact Too Long";
        return false;
    }
    if (contact.expires_s != 0 && contact.expires_s < settings.minimum_expires_s) {
        // "the registrar MAY reject the registration only if the expiration interval is greater
        // than zero AND smaller than one hour AND less than a registrar-configured minimum" [RFC
        // 3261 §10.3 item 7]
        asked.status = 423;
        return false;
    }
    contact.expires_s = std::min(contact.expires_s, settings.maximum_expires_s);
    return true;
}

} // namespace

RegistrationAsked read_contacts(const Incoming& in, const Settings& settings) {
    RegistrationAsked asked;
    const auto* expires = in.message.find(sip::HeaderId::Expires);
    const auto expires_s =
        expires != nullptr ? read_expires(expires->value) : settings.default_expires_s;
    sip::ValueCursor values{in.message, sip::HeaderId::Contact};
    while (const auto value = values.next()) {
        const auto address = sip::parse_name_addr(*value);
        if (!address || asked.star || asked.contacts.size() >= settings.contacts_per_user) {
            asked.status = address && !asked.star ? 403 : 400;
            asked.why = asked.status == 403 ? "Too Many Contacts" : "Bad Contact";
            return asked;
        }
        if (address->star) {
            // "If the request contains more than one Contact field or an expiration time other than
            // zero, the request is invalid" [RFC 3261 §10.3 item 6]
            asked.star = true;
            if (!asked.contacts.empty() || expires == nullptr || expires_s != 0) {
                asked.status = 400;
                asked.why = "Bad Use Of *";
                return asked;
            }
            continue;
        }
        ContactAsked contact;
        if (!read_contact(*address, expires_s, settings, contact, asked)) {
            return asked;
        }
        asked.contacts.push_back(std::move(contact));
    }
    return asked;
}

} // namespace cw::server
