#include "server/route.hpp"

#include "base/text.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::server {
namespace {

void take_token(const Core& core, const Incoming& in, const sip::Uri& uri, Route& route) {
    const auto token = core.seal.open_flow(uri.user, in.call_id());
    if (!token) {
        return;
    }
    if (!route.sealed) {
        route.from_its_flow =
            token->wire && !token->earlier_start && same_flow(*token->wire, in.wire);
    }
    route.sealed = true;
    route.flow = *token;
}

void use(std::string_view request_uri, Route& route) {
    route.request_uri = request_uri;
    const auto uri = sip::parse_uri(request_uri);
    route.uri = uri ? std::optional{*uri} : std::nullopt;
}

// "If the Request-URI of the request contains a value this proxy previously placed into a
// Record-Route header field [...] the proxy MUST replace the Request-URI in the request with the
// last value from the Route header field" [RFC 3261 §16.4]
void undo_strict_router(const Core& core, const Incoming& in, Route& route) {
    if (!in.message.has(sip::HeaderId::Route)) {
        return;
    }
    const auto uri = route.uri;
    if (!uri || uri->user.empty() || !core.directory->is_listener(*uri) ||
        !core.seal.open_flow(uri->user, in.call_id())) {
        return;
    }
    take_token(core, in, *uri, route);
    std::string_view last;
    sip::ValueCursor values{in.message, sip::HeaderId::Route};
    while (const auto value = values.next()) {
        last = *value;
    }
    if (const auto address = sip::parse_name_addr(last)) {
        use(address->uri_text, route);
        route.hidden = address->uri_text;
        route.strict = true;
    }
}

// "If the Request-URI has a maddr parameter with a value the proxy is responsible for, [...] the
// proxy MUST strip the maddr and any non-default port or transport parameter and continue
// processing as if those values had not been present" [RFC 3261 §16.4]
void strip_own_maddr(const Core& core, Route& route) {
    const auto uri = route.uri;
    const auto maddr = uri ? sip::find_param(uri->params, "maddr") : std::nullopt;
    if (!maddr) {
        return;
    }
    auto named = *uri;
    named.host = *maddr;
    if (!core.directory->is_us(named)) {
        return;
    }
    std::string text{route.request_uri.data(), uri->host.data() + uri->host.size()};
    sip::ParamCursor params{uri->params};
    for (sip::Param param; params.next(param);) {
        if (!iequals(param.name, "maddr") && !iequals(param.name, "transport")) {
            text += ';';
            text.append(param.name.data(), param.has_value ? param.value.data() + param.value.size()
                                                           : param.name.data() + param.name.size());
        }
    }
    if (!uri->headers.empty()) {
        (text += '?') += uri->headers;
    }
    route.stripped = std::make_unique<const std::string>(std::move(text));
    use(*route.stripped, route);
}

} // namespace

bool same_flow(const transaction::Wire& token, const transaction::Wire& wire) {
    if (token.transport != wire.transport || token.shard != wire.shard ||
        token.connection != wire.connection) {
        return false;
    }
    return token.reliable() ? token.generation == wire.generation : token.remote == wire.remote;
}

Route read_route(const Core& core, const Incoming& in) {
    Route route;
    route.request_uri = in.message.request_uri();
    route.uri = in.values.request_uri;
    undo_strict_router(core, in, route);
    sip::ValueCursor values{in.message, sip::HeaderId::Route};
    while (const auto value = values.next()) {
        const auto address = sip::parse_name_addr(*value);
        if (!address) {
            break;
        }
        if (route.strict && address->uri_text.data() == route.request_uri.data()) {
            break; // the last one: the Request-URI already
        }
        if (!core.directory->is_us(address->uri)) {
            route.next = address->uri_text;
            break;
        }
        ++route.own;
        take_token(core, in, address->uri, route);
    }
    if (route.request_uri.find(";m") != std::string_view::npos ||
        route.request_uri.find(";M") != std::string_view::npos) {
        strip_own_maddr(core, route);
    }
    return route;
}

} // namespace cw::server
