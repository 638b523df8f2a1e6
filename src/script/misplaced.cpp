#include "script/misplaced.hpp"

namespace cw::script {

void check_facts(const Arrow& arrow, Complaints& complaints) {
    const auto* request = std::get_if<Request>(&arrow.content);
    const auto* call_said = find<InCall>(arrow.facts);
    const bool is_signed = find<Signed>(arrow.facts) != nullptr;
    const bool secured = is_signed || find<Encrypted>(arrow.facts) != nullptr;
    for (const auto& fact : arrow.facts) {
        const auto* word = std::get_if<Word>(&fact.value);
        const auto* call = std::get_if<InCall>(&fact.value);
        const bool credentials =
            word != nullptr && (*word == Word::Digest || *word == Word::WrongPassword);
        const bool literal =
            std::holds_alternative<Said>(fact.value) ||
            (word != nullptr && (*word == Word::AnyTime || *word == Word::KeepsRoute));
        if (literal) {
            complaints.error(fact.place, "this is said about a literal party only",
                             "(literal) on its actor line");
        }
        const bool outside = word != nullptr && *word == Word::NoCall;
        if (outside && (request == nullptr || request->method == sip::Method::Invite ||
                        (call_said != nullptr && call_said->call > 0))) {
            complaints.error(fact.place, "this cannot be outside of all calls",
                             "“no call” on a request other than INVITE, and no call beside it");
        } else if (!secured && word != nullptr &&
                   (*word == Word::Tampered || *word == Word::Tunnelled)) {
            complaints.error(fact.place, "the body is neither signed nor encrypted",
                             "“signed” or “encrypted” beside it");
        } else if (!is_signed && std::holds_alternative<BadCertificate>(fact.value) &&
                   !std::holds_alternative<Channel>(arrow.content)) {
            complaints.error(fact.place, "nothing is signed with that certificate",
                             "“signed” beside it");
        } else if (request != nullptr && std::holds_alternative<Answers>(fact.value)) {
            complaints.error(fact.place, "only a response says which request it answers",
                             "the name of a request on a response");
        } else if (std::holds_alternative<Sipfrag>(fact.value) &&
                   (request == nullptr || request->method != sip::Method::Notify)) {
            complaints.error(fact.place, "only a NOTIFY reports a status", "this on a NOTIFY");
        } else if (request == nullptr && credentials) {
            complaints.error(fact.place, "only a request carries credentials", "this on a request");
        } else if (call != nullptr && call->replaces > 0 &&
                   (request == nullptr || (request->method != sip::Method::Invite &&
                                           request->method != sip::Method::Refer))) {
            // [RFC 3891 §6.1]: Replaces is defined for INVITE; a Refer-To may carry it.
            complaints.error(fact.place, "only an INVITE or a REFER replaces a call",
                             "this on an INVITE or a REFER");
        }
    }
}

} // namespace cw::script
