#include "play/smime.hpp"

#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "play/messages.hpp"
#include "play/smime_desk.hpp"
#include "sip/content_type.hpp"
#include "sip/name_addr.hpp"
#include "smime/opening.hpp"
#include "smime/sealing.hpp"
#include "smime/tunnel.hpp"

namespace cw::play {

namespace {

using script::Word;

SmimeDesk& desk_of(State& state) {
    if (state.desk == nullptr) {
        state.desk = std::make_unique<SmimeDesk>(state.cast, state.now);
    }
    return *state.desk;
}

std::string person_in(std::string_view name_addr) {
    const auto address = sip::parse_name_addr(name_addr);
    return address ? std::string{address->uri.user} + "@" + std::string{address->uri.host}
                   : std::string{};
}

// The arrow that began what this one sends on.
const Arrow& origin_of(const State& state, const Arrow& arrow) {
    const auto* first = &arrow;
    while (first->forwards) {
        first = &state.arrow(*first->forwards);
    }
    return *first;
}

bool is_secured(const script::Facts& facts) {
    return script::find<script::Signed>(facts) != nullptr ||
           script::find<script::Encrypted>(facts) != nullptr;
}

void use(const smime::Sealed& sealed, dialog::Draft& draft) {
    draft.set_body(sealed.type, sealed.body);
    const auto put = [&](std::string_view name, const std::string& value) {
        if (value.empty()) {
            draft.remove(name);
        } else {
            draft.set(name, value);
        }
    };
    put("Content-Disposition", sealed.disposition);
    put("Content-Transfer-Encoding", sealed.encoding);
}

class Sealer {
  public:
    Sealer(State& state, const Arrow& arrow, dialog::Draft& draft)
        : desk_(desk_of(state)), arrow_(arrow), draft_(draft), now_(state.now) {}

    std::expected<void, std::string> run() {
        auto entity = this->entity();
        smime::Sealed sealed;
        if (script::find<script::Encrypted>(arrow_.facts) != nullptr) {
            if (auto done = encrypt(entity, sealed); !done) {
                return done;
            }
            entity = sealed.as_entity();
        }
        if (const auto* said = script::find<script::Signed>(arrow_.facts)) {
            const auto* bad = script::find<script::BadCertificate>(arrow_.facts);
            const auto signer =
                desk_.credential(said->by.value_or(arrow_.from),
                                 bad != nullptr ? std::optional{bad->fault} : std::nullopt);
            if (!signer) {
                return std::unexpected{signer.error()};
            }
            auto made = smime::sign_beside(entity, **signer, now_);
            if (!made) {
                return std::unexpected{std::string{made.error().what}};
            }
            sealed = std::move(*made);
        }
        if (script::says(arrow_.facts, Word::Tampered)) {
            tamper(sealed, entity);
        }
        use(sealed, draft_);
        return {};
    }

  private:
    [[nodiscard]] std::string entity() const {
        if (script::says(arrow_.facts, Word::Tunnelled)) {
            const auto text = draft_.print();
            sip::HeaderIndex index;
            if (const auto message = sip::index(std::string_view{text}, index)) {
                return smime::to_entity(
                    "message/sip",
                    smime::tunnelled_copy(*message, draft_.value("Content-Type"), draft_.body()));
            }
        }
        return smime::to_entity(draft_.value("Content-Type"), draft_.body());
    }

    std::expected<void, std::string> encrypt(const std::string& entity, smime::Sealed& sealed) {
        std::vector<const X509*> recipients;
        for (const auto& fact : arrow_.facts) {
            const auto* said = std::get_if<script::Encrypted>(&fact.value);
            if (said == nullptr) {
                continue;
            }
            const auto whom = person_in(draft_.value(draft_.is_request() ? "To" : "From"));
            const auto party = said->recipient ? said->recipient : desk_.party_of(whom);
            if (!party) {
                return std::unexpected{"nothing can be encrypted for " + whom +
                                       ": who is that in this flow?"};
            }
            const auto recipient = desk_.credential(*party);
            if (!recipient) {
                return std::unexpected{recipient.error()};
            }
            recipients.push_back((*recipient)->certificate.get());
        }
        auto made = smime::encrypt(entity, recipients, crypto::ContentCipher::Aes128Gcm);
        if (!made) {
            return std::unexpected{std::string{made.error().what}};
        }
        sealed = std::move(*made);
        return {};
    }

    // The last octet of what is protected becomes another.
    static void tamper(smime::Sealed& sealed, const std::string& entity) {
        const auto at = sealed.body.find(entity);
        auto& octet =
            at == std::string::npos ? sealed.body.back() : sealed.body[at + entity.size() - 1];
        octet = static_cast<char>(octet ^ 1);
    }

    SmimeDesk& desk_;
    const Arrow& arrow_;
    dialog::Draft& draft_;
    Instant now_;
};

} // namespace

std::expected<void, std::string> seal_body(State& state, const Arrow& arrow, dialog::Draft& draft) {
    if (arrow.forwards) { // passed on as it came, octet for octet
        return {};
    }
    if (is_secured(arrow.facts)) {
        return Sealer{state, arrow, draft}.run();
    }
    constexpr std::uint16_t undecipherable = 493;
    if (draft.status() == undecipherable && draft.body().empty()) {
        const auto own = desk_of(state).credential(arrow.from);
        if (!own) {
            return std::unexpected{own.error()};
        }
        const std::array<const X509*, 1> one{(*own)->certificate.get()};
        const auto sealed = smime::certificates_only(one);
        if (!sealed) {
            return std::unexpected{std::string{sealed.error().what}};
        }
        use(*sealed, draft);
    }
    return {};
}

// At the end of its way a body is opened; everything above sees what is inside.
void State::open_body(StepId step, const sip::MessageView& message) {
    const auto& a = arrow(step);
    auto& exchange = exchanges[step];
    exchange.body = {};
    if (!smime::may_be_secured(message.value(sip::HeaderId::ContentType))) {
        return;
    }
    if (is_passed_on(step)) { // who passes it on reads nothing
        exchange.body.secured = smime::is_secured_type(message.value(sip::HeaderId::ContentType));
        return;
    }
    auto& papers = desk_of(*this);
    const auto keys = papers.keyring_of(a.to);
    if (!keys) {
        return;
    }
    const auto* drawn = script::find<script::Signed>(origin_of(*this, a).facts);
    const auto sender = drawn != nullptr && drawn->by
                            ? papers.person(*drawn->by)
                            : person_in(message.value(message.is_request() ? sip::HeaderId::From
                                                                           : sip::HeaderId::To));
    const auto opened = smime::open_body(message, {.keys = *keys, .at = now, .sender = sender});
    papers.learn(origin_of(*this, a).from, opened.certificates);
    auto& seen = exchange.body;
    seen.secured = !opened.layers.empty() || !opened.problem.empty();
    seen.encrypted = opened.encrypted();
    seen.readable = opened.problem.empty();
    seen.fault = opened.fault();
    for (const auto& layer : opened.layers) {
        for (const auto& signature : layer.signatures) {
            seen.is_signed = true;
            seen.good = signature.state == smime::Signature::State::Good;
            seen.changed = signature.state == smime::Signature::State::Changed;
            seen.signer = signature.who;
        }
    }
    for (const auto& part : opened.parts) {
        if ((!part.is_signed && !part.encrypted) || !smime::is_tunnelled(message, part.type)) {
            continue;
        }
        seen.tunnelled = true;
        for (const auto& one : smime::compare_tunnelled(message, part.content, part.encrypted)) {
            if (seen.differs.empty()) {
                seen.differs = one.header;
                seen.inner = one.inner;
                seen.outer = one.outer.empty() ? "(not there)" : one.outer;
            }
        }
    }
    const auto* inner = opened.part("application/sdp");
    inner = inner != nullptr ? inner : opened.part("text/plain");
    inner = inner == nullptr && opened.parts.size() == 1 && !seen.tunnelled ? &opened.parts.front()
                                                                            : inner;
    if (inner != nullptr && seen.secured) {
        exchange.received = dialog::Draft::copy_of(message).set_body("", inner->content).print();
    }
}

// What was drawn of signatures and encryption, for who stands at the end.
std::optional<Difference> State::check_body(StepId step) {
    const auto& a = arrow(step);
    const auto& seen = exchanges[step].body;
    const auto& facts = origin_of(*this, a).facts;
    if (is_passed_on(step)) {
        return std::nullopt;
    }
    const auto* drawn = script::find<script::Signed>(facts);
    const bool tampered = script::says(facts, Word::Tampered);
    const bool wrong = tampered || script::find<script::BadCertificate>(facts) != nullptr;
    const auto shown = [&] { return seen.fault.empty() ? "it is good" : seen.fault; };
    if (drawn != nullptr) {
        const auto wanted = drawn->by ? "signed by " + plan.parties[*drawn->by].id : "signed";
        if (!seen.is_signed) {
            return Difference{"the signature", wanted,
                              seen.fault.empty() ? "it is not signed" : seen.fault};
        }
        if (wrong ? seen.good : !seen.good) {
            return Difference{"the signature", wrong ? "one that is not good" : wanted, shown()};
        }
        if (tampered && !seen.changed) {
            return Difference{"the signature", "one over something else", shown()};
        }
    }
    if (script::find<script::Encrypted>(facts) != nullptr) {
        if (!seen.encrypted) {
            return Difference{"the body", "encrypted", "in the clear"};
        }
        bool for_us = false;
        for (const auto& fact : facts) {
            const auto* said = std::get_if<script::Encrypted>(&fact.value);
            for_us = for_us || (said != nullptr && said->recipient.value_or(a.to) == a.to);
        }
        for_us = for_us && !tampered;
        if (for_us != seen.readable) {
            return Difference{"the body",
                              for_us ? "readable for " + plan.parties[a.to].id
                                     : "not readable for " + plan.parties[a.to].id,
                              seen.readable ? "readable" : seen.fault};
        }
    }
    if (script::says(facts, Word::Tunnelled) && seen.readable && !seen.tunnelled) {
        return Difference{"the body", "the message itself within", "another"};
    }
    if (!seen.differs.empty()) { // [RFC 3261 §23.4.1.1]
        return Difference{seen.differs + ", other than in the message within", seen.inner,
                          seen.outer};
    }
    if (drawn == nullptr && seen.is_signed && !seen.good) {
        return Difference{"the signature", "a good one, as nothing else is drawn", shown()};
    }
    return std::nullopt;
}

// Whether what was drawn of the text and the session description can be compared at all.
bool State::is_readable(StepId step) const {
    const auto& seen = exchanges[step].body;
    return !seen.secured || (seen.readable && !seen.changed);
}

// "reads "Hello" signed by alice"
std::optional<Difference> State::check_signer(StepId step, PartyId signer) {
    const auto& seen = exchanges[step].body;
    const auto wanted = desk_of(*this).person(signer);
    if (seen.is_signed && seen.good && iequals(seen.signer, wanted)) {
        return std::nullopt;
    }
    return Difference{"the signature", "signed by " + wanted,
                      !seen.is_signed      ? "it is not signed"
                      : seen.fault.empty() ? "signed by " + seen.signer
                                           : seen.fault};
}

} // namespace cw::play
