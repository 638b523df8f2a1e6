// The calls of RFC 3665 §3, as their messages are printed there: from the INVITE and
// its 200 a dialog is made at both ends, and what the RFC then sends in it must be what we would.
#include <map>

#include "dialog/dialog.hpp"
#include "dialog/test_message.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/test_material.hpp"

namespace cw::dialog {
namespace {

using sip::HeaderId;
using sip::Method;
using test::Message;

std::size_t vias(const Message& m) {
    sip::ValueCursor values{*m, HeaderId::Via};
    std::size_t n = 0;
    while (values.next()) {
        ++n;
    }
    return n;
}

std::vector<std::string> routes(const sip::MessageView& m) {
    std::vector<std::string> out;
    sip::ValueCursor values{m, HeaderId::Route};
    while (const auto value = values.next()) {
        out.emplace_back(*value);
    }
    return out;
}

std::string tag(const sip::MessageView& m, HeaderId id) {
    const auto name = sip::parse_name_addr(m.value(id));
    return name ? std::string{name->tag} : std::string{};
}

// One call of one section, in the order in which its messages are printed.
struct Call {
    const Message* first_hop = nullptr; // the INVITE as its caller sent it
    const Message* last_hop = nullptr;  // and as its callee got it
    std::optional<Dialog> caller;
    std::optional<Dialog> callee;
};

struct Tally {
    int dialogs = 0;
    int requests = 0;
    int same = 0;
};

void compare(Dialog& dialog, const Message& printed, Tally& tally, const std::string& where) {
    const auto cseq = sip::parse_cseq(printed.value(HeaderId::CSeq));
    ASSERT_TRUE(cseq) << where;
    const Message ours{request_in(dialog, printed->method_text(), cseq->number).print()};
    ++tally.requests;
    // Note: the RFC leaves the transport parameter of the Contact out when it sends there.
    const auto target = [](const Message& m) {
        return m->request_uri().substr(0, m->request_uri().find(';'));
    };
    const bool same = target(ours) == target(printed) && routes(*ours) == routes(*printed) &&
                      tag(*ours, HeaderId::To) == tag(*printed, HeaderId::To) &&
                      ours.value(HeaderId::CallId) == printed.value(HeaderId::CallId);
    tally.same += same ? 1 : 0;
    EXPECT_TRUE(same) << where << '\n' << ours->head() << "\nbut the RFC has\n" << printed->head();
}

void walk(const std::vector<std::pair<std::string, Message>>& messages, Tally& tally) {
    std::map<std::string, Call> calls;
    for (const auto& [where, m] : messages) {
        auto& call = calls[std::string{m.value(HeaderId::CallId)}];
        const auto cseq = sip::parse_cseq(m.value(HeaderId::CSeq));
        if (!cseq || cseq->method == Method::Cancel) {
            continue;
        }
        const bool initial = tag(*m, HeaderId::To).empty();
        if (m->method() == Method::Invite && initial) {
            call.first_hop = vias(m) == 1 ? &m : call.first_hop;
            call.last_hop = &m;
        } else if (!m->is_request() && m->status() == 200 && cseq->method == Method::Invite &&
                   call.last_hop != nullptr) {
            if (!call.callee && vias(m) == vias(*call.last_hop)) {
                const auto d = uas_dialog(**call.last_hop, tag(*m, HeaderId::To),
                                          Dialog::State::Confirmed, false);
                call.callee = d ? std::optional{*d} : std::nullopt;
            }
            if (!call.caller && vias(m) == 1 && call.first_hop != nullptr) {
                const auto d = uac_dialog(**call.first_hop, *m, false);
                call.caller = d ? std::optional{*d} : std::nullopt;
                tally.dialogs += d ? 1 : 0;
            }
        } else if (m->is_request() && !initial && vias(m) == 1) {
            for (auto* dialog : {&call.caller, &call.callee}) {
                if (*dialog && tag(*m, HeaderId::From) == (*dialog)->local_tag &&
                    tag(*m, HeaderId::To) == (*dialog)->remote_tag) {
                    compare(**dialog, m, tally, where);
                } else if (*dialog && is_target_refresh(m->method()) && matches(**dialog, *m)) {
                    refresh_target(**dialog, *m); // a re-INVITE from a new address, §3.7
                }
            }
        }
    }
}

Tally walk_folder(const char* name) {
    std::map<std::string, std::vector<std::pair<std::string, Message>>> sections;
    for (const auto& path : cw::test::files_in(cw::test::material(name), ".sip")) {
        const auto file = path.filename().string();
        const auto bytes = cw::test::read_file(path);
        sip::HeaderIndex index;
        if (sip::index(bytes.text(), index)) {
            sections[file.substr(0, file.find('_'))].emplace_back(file, Message{bytes.text()});
        }
    }
    Tally tally;
    for (const auto& [section, messages] : sections) {
        if (section.starts_with("3.")) {
            walk(messages, tally);
        }
    }
    return tally;
}

TEST(Rfc3665, SendsInItsDialogsWhatWeWouldSend) {
    const auto tally = walk_folder("flows/rfc3665");
    if (tally.dialogs == 0) {
        GTEST_SKIP() << "the shared test material is not there";
    }
    EXPECT_GE(tally.dialogs, 6);
    EXPECT_GE(tally.requests, 10);
    EXPECT_EQ(tally.same, tally.requests);
}

} // namespace
} // namespace cw::dialog
