#include "dialog/replaces.hpp"

#include "dialog/test_message.hpp"

namespace cw::dialog {
namespace {

using test::Message;

constexpr const char* good = "Replaces: call7;to-tag=ours;from-tag=theirs\n";

Dialog dialog(Dialog::State state, Dialog::Role role) {
    Dialog d;
    d.call_id = "call7";
    d.local_tag = "ours";
    d.remote_tag = "theirs";
    d.state = state;
    d.role = role;
    return d;
}

// A row a sentence of RFC 3891 §3.
TEST(Replaces, JudgesBySentencesOfTheRfc) {
    using State = Dialog::State;
    using Role = Dialog::Role;
    struct Case {
        const char* fields;
        State state;
        Role role;
        bool by_invite;
        bool over;
        std::uint16_t status;
        bool early;
    };
    const Case cases[] = {
        {good, State::Confirmed, Role::Uas, true, false, 0, false},
        {good, State::Confirmed, Role::Uac, true, false, 0, false},
        {good, State::Early, Role::Uac, true, false, 0, true},
        {good, State::Early, Role::Uas, true, false, 481, false},
        {good, State::Confirmed, Role::Uac, false, false, 481, false},
        {good, State::Confirmed, Role::Uac, true, true, 603, false},
        {good, State::Terminated, Role::Uac, true, false, 603, false},
        {"Replaces: call7;to-tag=ours;from-tag=theirs;early-only\n", State::Confirmed, Role::Uac,
         true, false, 486, false},
        {"Replaces: call7;to-tag=ours;from-tag=theirs;early-only\n", State::Early, Role::Uac, true,
         false, 0, true},
        {"Replaces: call7;to-tag=theirs;from-tag=ours\n", State::Confirmed, Role::Uac, true, false,
         481, false},
        {"Replaces: other;to-tag=ours;from-tag=theirs\n", State::Confirmed, Role::Uac, true, false,
         481, false},
        {"Replaces: call7;to-tag=ours\n", State::Confirmed, Role::Uac, true, false, 400, false},
        {"Replaces: call7;to-tag=ours;from-tag=theirs\nReplaces: x;to-tag=1;from-tag=2\n",
         State::Confirmed, Role::Uac, true, false, 400, false},
        {"Replaces: call7;to-tag=ours;from-tag=theirs\nJoin: x;to-tag=1;from-tag=2\n",
         State::Confirmed, Role::Uac, true, false, 400, false},
        {"", State::Confirmed, Role::Uac, true, false, 0, false},
    };
    for (const auto& c : cases) {
        const Message invite{test::invite_text(c.fields)};
        const auto d = dialog(c.state, c.role);
        const ReplacesCandidate candidate{&d, c.by_invite, c.over, 42};
        const auto got = judge_replaces(*invite, {&candidate, 1});
        EXPECT_EQ(got.status, c.status) << c.fields;
        EXPECT_EQ(got.early, c.early) << c.fields;
        EXPECT_EQ(got.ref, c.status == 0 && *c.fields != '\0' ? 42U : 0U) << c.fields;
    }
}

TEST(Replaces, ThatMeansTwoDialogsMeansNone) {
    const Message invite{test::invite_text(good)};
    const auto d = dialog(Dialog::State::Confirmed, Dialog::Role::Uac);
    const ReplacesCandidate both[] = {{&d, true, false, 1}, {&d, true, false, 2}};
    EXPECT_EQ(judge_replaces(*invite, both).status, 481);
}

TEST(Replaces, StandsInInviteAlone) {
    const Message refer{"REFER sip:b SIP/2.0\n" + std::string{good} + "\n"};
    EXPECT_EQ(judge_replaces(*refer, {}).status, 400);
}

TEST(Replaces, ZeroStandsForATagThatNobodyGave) {
    auto d = dialog(Dialog::State::Confirmed, Dialog::Role::Uac);
    d.remote_tag.clear();
    const Message invite{test::invite_text("Replaces: call7;to-tag=ours;from-tag=0\n")};
    const ReplacesCandidate candidate{&d, true, false, 1};
    EXPECT_EQ(judge_replaces(*invite, {&candidate, 1}).status, 0);
}

TEST(Replaces, IsWrittenAsItsReceiverSeesTheDialog) {
    const auto ours = dialog(Dialog::State::Confirmed, Dialog::Role::Uac);
    auto peers = ours; // the same dialog, seen from its other end
    std::swap(peers.local_tag, peers.remote_tag);
    const auto value = replaces_value(ours);
    EXPECT_EQ(value, "call7;to-tag=theirs;from-tag=ours");
    const Message invite{test::invite_text("Replaces: " + value + "\n")};
    const ReplacesCandidate candidate{&peers, true, false, 9};
    EXPECT_EQ(judge_replaces(*invite, {&candidate, 1}).ref, 9U);
    EXPECT_TRUE(replaces_value(ours, true).ends_with(";early-only"));
}

} // namespace
} // namespace cw::dialog
