#include "crypto/digest_fields.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "base/text.hpp"

namespace cw::crypto {
namespace {

struct Field {
    std::string_view name;
    std::string_view value;
};

constexpr bool ends_token(char c) {
    return c == ',' || c == '"' || is_blank(c) || c == '\r' || c == '\n';
}

// Takes name=value pairs with commas between them off a text.
class FieldCursor {
  public:
    explicit FieldCursor(std::string_view text) : rest_(text) {}

    // False at the end, and on a grammar error, which broken() tells apart.
    bool next(Field& field) {
        rest_ = trim(rest_);
        while (rest_.starts_with(',')) {
            rest_ = trim(rest_.substr(1));
        }
        if (rest_.empty()) {
            return false;
        }
        const auto equals = rest_.find('=');
        if (equals == std::string_view::npos) {
            return !(broken_ = true);
        }
        field.name = trim(rest_.substr(0, equals));
        rest_ = trim(rest_.substr(equals + 1));
        broken_ = field.name.empty() || std::ranges::any_of(field.name, ends_token) ||
                  !(rest_.starts_with('"') ? quoted(field) : token(field));
        return !broken_;
    }
    [[nodiscard]] bool broken() const { return broken_; }

  private:
    bool quoted(Field& field) {
        auto end = rest_.find('"', 1);
        if (rest_.substr(1, end).contains('\\')) {
            for (end = 1; end < rest_.size() && rest_[end] != '"';) {
                end += rest_[end] == '\\' ? 2 : 1;
            }
        }
        if (end >= rest_.size()) {
            return false;
        }
        field.value = rest_.substr(1, end - 1);
        rest_ = trim(rest_.substr(end + 1));
        return rest_.empty() || rest_.starts_with(',');
    }
    bool token(Field& field) {
        const auto end = rest_.find(',');
        field.value = trim(rest_.substr(0, end));
        rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end);
        return !field.value.empty() && std::ranges::none_of(field.value, ends_token);
    }

    std::string_view rest_;
    bool broken_ = false;
};

using Places = std::span<const std::pair<std::string_view, std::string_view*>>;

Result<void> read_fields(std::string_view value, Places places) {
    value = trim(value);
    const auto scheme = value.substr(0, value.find_first_of(" \t\r\n"));
    if (!iequals(scheme, "Digest")) {
        return fail(Code::Unsupported, 0, "another scheme than Digest");
    }
    FieldCursor cursor{value.substr(scheme.size())};
    for (Field field; cursor.next(field);) {
        for (const auto& [name, place] : places) {
            if (!iequals(name, field.name)) {
                continue;
            }
            // [RFC 7616 §3.4]: the receiver and the one who passed a message on would otherwise
            // choose different ones.
            if (place->data() != nullptr) {
                return fail(Code::Malformed, 0, "a digest field is there twice");
            }
            *place = field.value;
            break;
        }
    }
    return cursor.broken() ? Result<void>{fail(Code::Malformed, 0, "digest fields are malformed")}
                           : Result<void>{};
}

} // namespace

Result<DigestCredentials> parse_credentials(std::string_view value) {
    DigestCredentials c;
    const std::pair<std::string_view, std::string_view*> places[] = {
        {"username", &c.username}, {"realm", &c.realm},
        {"nonce", &c.nonce},       {"uri", &c.uri},
        {"response", &c.response}, {"algorithm", &c.algorithm},
        {"cnonce", &c.cnonce},     {"nc", &c.nc},
        {"qop", &c.qop},           {"opaque", &c.opaque},
        {"auts", &c.auts}};
    if (auto r = read_fields(value, places); !r) {
        return std::unexpected(r.error());
    }
    for (const auto view : {c.username, c.realm, c.nonce, c.uri, c.response}) {
        if (view.data() == nullptr) {
            return fail(Code::Malformed, 0, "credentials lack a field");
        }
    }
    return c;
}

Result<DigestChallenge> parse_challenge(std::string_view value) {
    DigestChallenge c;
    std::string_view stale;
    const std::pair<std::string_view, std::string_view*> places[] = {
        {"realm", &c.realm},         {"nonce", &c.nonce}, {"opaque", &c.opaque},
        {"algorithm", &c.algorithm}, {"qop", &c.qop},     {"stale", &stale}};
    if (auto r = read_fields(value, places); !r) {
        return std::unexpected(r.error());
    }
    if (c.realm.data() == nullptr || c.nonce.data() == nullptr) {
        return fail(Code::Malformed, 0, "a challenge lacks realm or nonce");
    }
    c.stale = iequals(stale, "true");
    return c;
}

} // namespace cw::crypto
