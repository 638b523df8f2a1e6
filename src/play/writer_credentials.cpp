#include "play/writer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "crypto/aka.hpp"
#include "crypto/digest_client.hpp"
#include "dialog/draft.hpp"
#include "sip/name_addr.hpp"

namespace cw::play {

namespace {

std::string hex(const crypto::Block128& octets) {
    std::string out;
    for (const auto octet : octets) {
        out += fmt::format("{:02x}", octet);
    }
    return out;
}

} // namespace

std::expected<void, std::string> Writer::add_credentials(Draft& draft) {
    const bool wrong = script::says(a_.facts, script::Word::WrongPassword);
    const bool aka = script::says(a_.facts, script::Word::Aka);
    if (!wrong && !aka && !script::says(a_.facts, script::Word::Digest)) {
        return {};
    }
    auto& challenges = s_.players[a_.from].challenges;
    if (challenges.empty()) {
        if (!s_.ours(a_.to)) {
            return {}; // its challenge will be answered when it comes
        }
        // From an earlier registration, so to speak.
        sip::HeaderIndex index;
        Draft response = Draft::response(401, "");
        add_challenge_of(response, a_.to, 401);
        const auto text = response.print();
        if (const auto message = sip::index(std::string_view{text}, index)) {
            s_.note_challenge(a_.from, step_, *message);
        }
    }
    const auto& self = s_.cast.members[a_.from];
    for (auto& challenge : challenges) {
        if (challenge.key != key_) {
            continue;
        }
        std::vector<std::string_view> values{challenge.values.begin(), challenge.values.end()};
        auto password = wrong ? self.password + "x" : self.password;
        auto chosen = crypto::choose_challenge(values);
        if (aka) {
            auto opened = open_card(values);
            if (!opened) {
                return std::unexpected{opened.error()};
            }
            chosen = opened->challenge;
            password = wrong ? opened->password + "x" : opened->password;
        }
        if (!chosen) {
            return std::unexpected{"the challenge asks for an algorithm that we do not have"};
        }
        draft.add(challenge.proxy ? "Proxy-Authorization" : "Authorization",
                  s_.credentials(self, password, *chosen, draft, ++challenge.count));
    }
    return {};
}

// The card opens the network's nonce: RES is the password [RFC 3310 §3.3].
std::expected<Writer::Opened, std::string>
Writer::open_card(std::span<const std::string_view> values) {
    auto& player = s_.players[a_.from];
    for (const auto value : values) {
        const auto challenge = crypto::parse_challenge(value);
        const auto algorithm =
            challenge ? crypto::parse_aka_algorithm(challenge->algorithm) : std::nullopt;
        if (!algorithm) {
            continue;
        }
        const auto opened = crypto::open_aka_nonce(State::card_of(s_.cast.members[a_.from]),
                                                   challenge->nonce, player.sqn);
        if (opened.verdict != crypto::AkaOpened::Verdict::Good) {
            return std::unexpected{"AUTN does not prove that the network knows the card"};
        }
        player.sqn = opened.sqn;
        return Opened{*challenge,
                      crypto::aka_password(*algorithm, opened.res, opened.ik, opened.ck)};
    }
    const auto& asks = s_.cast.members[a_.to];
    return std::unexpected{
        asks.control == script::Control::Embedded
            ? fmt::format("the challenge is not one of AKA, which no server of ours asks for: say "
                          "(played) of {0}, or --at {0}=tls:HOST:PORT",
                          asks.id)
            : "the challenge is not one of AKA"};
}

// `server` asks.
void Writer::add_challenge_of(Draft& draft, PartyId server, std::uint16_t status) {
    auto& player = s_.players[server];
    const auto* const name = status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate";
    const auto realm =
        status == 401 ? s_.cast.members[server].domain : s_.cast.members[server].name;
    if (script::says(a_.facts, script::Word::Aka)) {
        // Whose card it has to be stands in To.
        const auto to = sip::parse_name_addr(draft.value("To"));
        const auto user = to ? to->uri.user : std::string_view{};
        const auto card = std::ranges::find(s_.cast.members, user, &Member::user);
        if (card != s_.cast.members.end()) {
            crypto::Block128 rand{};
            for (auto& octet : rand) {
                octet = static_cast<std::uint8_t>(s_.names.next() >> 24);
            }
            player.sqn += 32; // the low five bits are an index [TS 33.102 C.1]
            const auto vector = crypto::make_aka_vector(State::card_of(*card), rand, player.sqn);
            player.nonce = vector.nonce;
            player.aka_password = crypto::aka_password({}, vector.res, vector.ik, vector.ck);
            // [TS 24.229 §5.4.1.2.1]: with the keys for the P-CSCF.
            draft.set(name,
                      fmt::format(R"(Digest realm="{}", nonce="{}", algorithm={}, qop="auth", )"
                                  R"(ik="{}", ck="{}")",
                                  realm, player.nonce, crypto::aka_algorithm, hex(vector.ik),
                                  hex(vector.ck)));
            return;
        }
    }
    player.nonce = s_.names.tag() + s_.names.tag();
    player.aka_password.clear();
    const auto* said = script::find<script::Algorithm>(a_.facts);
    const auto hash = said != nullptr ? said->hash : script::Hash::Sha256;
    const auto algorithm = hash == script::Hash::Md5      ? crypto::DigestAlgorithm::Md5
                           : hash == script::Hash::Sha256 ? crypto::DigestAlgorithm::Sha256
                                                          : crypto::DigestAlgorithm::Sha512_256;
    draft.set(name, fmt::format(R"(Digest realm="{}", nonce="{}", algorithm={}, qop="auth")", realm,
                                player.nonce, crypto::to_string(algorithm)));
}

} // namespace cw::play
