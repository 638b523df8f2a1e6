#include "play/writer.hpp"

#include "base/text.hpp"
#include "dialog/draft.hpp"
#include "play/messages.hpp"
#include "play/smime.hpp"
#include "play/writing.hpp"
#include "sip/list.hpp"

namespace cw::play {

using sip::HeaderId;
using sip::Method;

namespace {

// What a response of this status has to say besides [RFC 3261 §8.2.1, §8.2.2.3, §10.3, RFC 3903
// §6, RFC 4028 §6, RFC 6665 §4.2.1.3].
void add_status_fields(Draft& draft, const sip::MessageView& request, std::uint16_t status,
                       std::string_view tag) {
    if (request.method() == Method::Publish && is_success(status)) {
        draft.add("SIP-ETag", tag);
        draft.add("Expires", request.has(HeaderId::Expires) ? request.value(HeaderId::Expires)
                                                            : std::string_view{"3600"});
    }
    switch (status) {
    case 405:
        draft.add("Allow", allowed_methods);
        break;
    case 420: {
        std::string options;
        for (const auto id : {HeaderId::Require, HeaderId::ProxyRequire}) {
            for (auto values = sip::ValueCursor{request, id}; const auto value = values.next();) {
                options += (options.empty() ? "" : ", ") + std::string{*value};
            }
        }
        if (!options.empty()) {
            draft.add("Unsupported", options);
        }
        break;
    }
    case 422:
        draft.add("Min-SE", "90");
        break;
    case 423:
        draft.add("Min-Expires", "3600");
        break;
    case 489:
        draft.add("Allow-Events", "presence, dialog, refer");
        break;
    default:
        break;
    }
}

} // namespace

Written Writer::response(const script::Response& response) {
    auto draft = a_.forwards ? std::expected<Draft, std::string>{passed_back(*a_.forwards)}
                             : answer(response);
    if (!draft) {
        return std::unexpected{draft.error()};
    }
    if (!response.phrase.empty()) {
        dialog::Changes changes;
        changes.reason = response.phrase;
        draft->apply(changes);
    }
    if (auto done = add_body(*draft, response.method, response.status, nullptr); !done) {
        return std::unexpected{done.error()};
    }
    apply_facts(*draft);
    if (auto done = seal_body(s_, a_, *draft); !done) {
        return std::unexpected{done.error()};
    }
    auto& side = s_.side(a_.from, key_);
    if (response.status > 100 && response.status < 200 && !a_.forwards &&
        draft->value("Require").contains("100rel") && !draft->has("RSeq")) {
        side.rseq = side.rseq == 0 ? s_.names.rseq() : side.rseq + 1; // [RFC 3262 §3]
        draft->set("RSeq", std::to_string(side.rseq));
    }
    return draft->print();
}

std::expected<Draft, std::string> Writer::answer(const script::Response& response) {
    const auto& exchange = s_.exchanges[s_.first_of(response.answers)];
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{exchange.received}, index);
    if (!message) {
        return std::unexpected{"there is nothing to answer: the request was not received"};
    }
    auto& side = s_.side(a_.from, key_);
    if (side.local_tag.empty()) {
        side.local_tag = s_.names.tag();
    }
    const auto via = sip::ValueCursor{*message, HeaderId::Via}.next().value_or("");
    auto draft = dialog::response_to(*message, response.status, side.local_tag,
                                     dialog::received_via(via, exchange.received_on));
    const auto method = message->method();
    sips_ = istarts_with(message->request_uri(), "sips:");
    const bool success = response.status >= 200 && response.status < 300;
    if (response.status > 100 && response.status < 300 && makes_dialog(method)) {
        add_contact(draft);
    }
    if (method == Method::Register && success) {
        for (const auto& header : message->headers()) {
            if (header.id == HeaderId::Contact && header.value != "*") {
                draft.add("Contact",
                          std::string{header.value} +
                              (header.value.contains("expires=") ? "" : ";expires=3600"));
            }
        }
    }
    if (method == Method::Subscribe && success) {
        draft.add("Expires", message->has(HeaderId::Expires) ? message->value(HeaderId::Expires)
                                                             : std::string_view{"3600"});
    }
    add_status_fields(draft, *message, response.status, s_.names.tag());
    if (response.status == 401 || response.status == 407) {
        add_challenge_of(draft, a_.from, response.status);
    }
    if (method == Method::Invite && response.status > 100 && response.status < 300) {
        const bool confirmed =
            side.dialog && side.dialog->state == dialog::Dialog::State::Confirmed;
        if (!confirmed) {
            if (auto made = dialog::uas_dialog(*message, side.local_tag,
                                               success ? dialog::Dialog::State::Confirmed
                                                       : dialog::Dialog::State::Early,
                                               sip::is_secure(wire_.transport))) {
                if (side.dialog) { // requests of ours in the early dialog have counted already
                    made->local_cseq = side.dialog->local_cseq;
                    made->remote_cseq = side.dialog->remote_cseq;
                }
                side.dialog = std::move(*made);
            }
        } else if (success) {
            dialog::refresh_target(*side.dialog, *message);
        }
    } else if ((method == Method::Subscribe || method == Method::Refer) && success &&
               !side.dialog) {
        if (auto made =
                dialog::uas_dialog(*message, side.local_tag, dialog::Dialog::State::Confirmed,
                                   sip::is_secure(wire_.transport))) {
            side.dialog = std::move(*made);
        }
    }
    return draft;
}

} // namespace cw::play
