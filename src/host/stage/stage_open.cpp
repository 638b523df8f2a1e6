#include "host/stage/stage.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

namespace cw::host {

using script::Control;
using script::PartyId;
using sip::Transport;

std::string Stage::variant_name(PartyId party, const play::Handshake& handshake) {
    return fmt::format("{} {} {} {}", party, handshake.mutual,
                       handshake.peer_fault ? static_cast<int>(*handshake.peer_fault) : -1,
                       handshake.key ? static_cast<int>(*handshake.key) : -1);
}

Stage::Done Stage::open() {
    if (auto done = mark_listeners(plan_, options_.listen); !done) {
        return done;
    }
    if (auto done = mark_real_systems(plan_, options_.at); !done) {
        return done;
    }
    auto cast = play::make_cast(plan_, given_);
    if (!cast) {
        return std::unexpected{
            fmt::format("line {}: {}", cast.error().place.line, cast.error().what)};
    }
    cast_ = std::move(*cast);
    if (auto done = find_real_systems(plan_, cast_); !done) {
        return done;
    }
    auto places = Places::make(cast_, options_.listen);
    if (!places) {
        return std::unexpected{places.error()};
    }
    places_ = std::move(*places);
    if (auto done = open_outputs(); !done) {
        return done;
    }
    const auto key_log = [this](std::string_view line) {
        if (trace_file_ != nullptr) {
            trace_file_->add_secret(line);
        }
        if (keys_.open()) {
            const auto text = std::string{line} + "\n";
            static_cast<void>(!::write(keys_.get(), text.data(), text.size()));
        }
    };
    Wardrobe::KeyLog log;
    if (trace_file_ != nullptr || keys_.open()) {
        log = dtls_key_log_ = key_log;
    }
    auto wardrobe = Wardrobe::make(cast_, names_in_handshakes(plan_), given_.folder, options_.trust,
                                   net::Loop::now(), std::move(log));
    if (!wardrobe) {
        return std::unexpected{wardrobe.error()};
    }
    wardrobe_ = std::move(*wardrobe);
    auto bodies = wardrobe_->bodies();
    if (!bodies) {
        return std::unexpected{bodies.error()};
    }
    cast_.bodies = std::move(*bodies);
    loop_ = std::unique_ptr<net::Loop>{new net::Loop(*this, net::Limits{})}; // its private base
    if (trace_file_ != nullptr) {
        tap_ = std::make_unique<StageTap>(*trace_file_);
        loop_->set_tap(tap_.get());
    }
    auto identity = net::DtlsIdentity::make(net::Loop::now());
    if (!identity) {
        return std::unexpected{identity.error()};
    }
    dtls_identity_ = std::move(*identity);
    for (auto& member : cast_.members) {
        member.fingerprint = dtls_identity_->fingerprint();
    }
    embedded_ = std::make_unique<Embedded>(log_, [this](PartyId server, const Reached& reached) {
        loop_->post([this, server, reached] { on_embedded_reached(server, reached); });
    });
    if (auto done = embedded_->start(plan_, cast_, *wardrobe_, places_); !done) {
        return done;
    }
    for (PartyId party = 0; party < cast_.members.size(); ++party) {
        absent_.push_back(plan_.parties[party].created);
        if (cast_.members[party].control == Control::Played) {
            if (auto done = open_party(party); !done) {
                return done;
            }
        }
    }
    return {};
}

Stage::Done Stage::open_outputs() {
    if (!options_.pcap_out.empty()) {
        auto file = TraceFile::create(options_.pcap_out);
        if (!file) {
            return std::unexpected{file.error()};
        }
        trace_file_ = std::move(*file);
    }
    if (!options_.keys_out.empty()) {
        keys_.reset(
            ::open(options_.keys_out.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        if (!keys_.open()) {
            return std::unexpected{options_.keys_out + ": cannot be written"};
        }
    }
    return {};
}

Stage::Done Stage::open_party(PartyId party) {
    auto& member = cast_.members[party];
    for (std::size_t i = 0; i < member.listens.size(); ++i) {
        if (member.listens[i]) {
            if (auto done = listen(party, static_cast<Transport>(i), {}, member.ipv6); !done) {
                return done;
            }
            if (member.both_families) {
                if (auto done = listen(party, static_cast<Transport>(i), {}, true); !done) {
                    return done;
                }
            }
        }
    }
    for (const auto& step : plan_.steps) { // what it shows only to some
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        if (arrow == nullptr || arrow->to != party ||
            !std::holds_alternative<script::Channel>(arrow->content)) {
            continue;
        }
        play::Handshake asked;
        const auto* bad = script::find<script::BadCertificate>(arrow->facts);
        const auto* key = script::find<script::Key>(arrow->facts);
        asked.mutual = script::says(arrow->facts, script::Word::Mutual) ||
                       (bad != nullptr && bad->of.value_or(arrow->from) == arrow->from);
        if (bad != nullptr && bad->of.value_or(arrow->from) != arrow->from) {
            asked.peer_fault = bad->fault;
        }
        if (key != nullptr) {
            asked.key = key->kind;
        }
        if ((asked.mutual || asked.peer_fault || asked.key) &&
            !variants_.contains(variant_name(party, asked))) {
            if (auto done = listen(party, Transport::Tls, asked, member.ipv6); !done) {
                return done;
            }
        }
    }
    return open_media(party);
}

Stage::Done Stage::listen(PartyId party, Transport transport, const play::Handshake& handshake,
                          bool ipv6) {
    auto& member = cast_.members[party];
    // One with a certificate of its own is another listener than the one that was asked for.
    auto place = places_.of(member, transport, ipv6);
    if (handshake.mutual || handshake.peer_fault || handshake.key) {
        place.port = 0;
    }
    auto fd = bind_place(member.id, place, transport, true);
    if (!fd) {
        return std::unexpected{fd.error()};
    }
    const auto at = net::local_endpoint(fd->get());
    if (transport == Transport::Udp) {
        const bool second = ipv6 && !member.ipv6;
        loop_->receive(std::move(*fd), second ? first_second_socket + party : party);
        if (second) {
            member.udp6 = first_second_socket + party;
        }
        (second ? member.at6 : member.at)[static_cast<std::size_t>(transport)] = at;
        return {};
    }
    std::shared_ptr<const net::TlsContext> tls;
    if (sip::is_secure(transport)) {
        auto made = wardrobe_->server(party, handshake);
        if (!made) {
            return std::unexpected{fmt::format("{}: {}", member.id, made.error())};
        }
        tls = *made;
    }
    loop_->listen(std::move(*fd), static_cast<std::uint32_t>(listeners_.size()), tls);
    listeners_.push_back({party, transport, at});
    if (handshake.mutual || handshake.peer_fault || handshake.key) {
        variants_[variant_name(party, handshake)] = at;
    } else {
        (ipv6 && !member.ipv6 ? member.at6 : member.at)[static_cast<std::size_t>(transport)] = at;
    }
    return {};
}

Stage::Done Stage::open_media(PartyId party) {
    auto& member = cast_.members[party];
    for (auto& [call, place] : member.media) {
        const Endpoint any{places_.media_of(member, place.ipv6), 0};
        for (const std::uint32_t number : {place.socket, place.socket + 1}) {
            auto fd = net::bind_datagram(any, true);
            if (!fd) {
                return std::unexpected{fmt::format("{}: {}", member.id, fd.error())};
            }
            const auto at = net::local_endpoint(fd->get());
            (number == place.socket ? place.rtp : place.rtcp) = at;
            media_at_[number] = at;
            loop_->receive(std::move(*fd), first_media_socket + number);
        }
    }
    return {};
}

} // namespace cw::host
