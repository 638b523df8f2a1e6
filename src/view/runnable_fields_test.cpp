#include "view/runnable_fields.hpp"

#include <gtest/gtest.h>

namespace cw::view {
namespace {

FieldLines lines_of(std::string_view text, sip::Method method, const RunnableNames& names = {}) {
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    return field_lines(*message, method, names);
}

TEST(RunnableFields, WhatEachRunMakesAnewIsAVariable) {
    RunnableNames names;
    names.add("a84b4c76e66710@192.0.2.1", "call1.id");
    names.add("9fxced76sl", "call1.from_tag");
    names.add("sip:bob@192.0.2.4:5061;transport=tls", "bob.contact");
    names.add("7", "call1.to_tag"); // found everywhere: not taken
    EXPECT_EQ(names.rewrite("a84b4c76e66710@192.0.2.1;from-tag=9fxced76sl;to-tag=7"),
              "{call1.id};from-tag={call1.from_tag};to-tag=7");
    EXPECT_EQ(names.rewrite("<sip:bob@192.0.2.4:5061;transport=tls>;isfocus"),
              "<{bob.contact}>;isfocus");
    EXPECT_EQ(names.rewrite("<sip:carol@192.0.2.9:5061>"), std::nullopt);
    EXPECT_EQ(names.rewrite("<sip:carol@example.com>"), "<sip:carol@example.com>");
}

TEST(RunnableFields, WhatALineCannotHoldIsNamed) {
    const RunnableNames names;
    for (const std::string_view text : {"a{b}", "100*", "a\r\n b", "caf\xc3\xa9", "x, no ck=1"}) {
        EXPECT_EQ(names.rewrite(text), std::nullopt) << text;
    }
    const auto lines = lines_of("INVITE sip:b@example.com SIP/2.0\r\n"
                                "Require: 100rel\r\nSubject: {x}\r\nCSeq: 1 INVITE\r\n\r\n",
                                sip::Method::Invite);
    EXPECT_EQ(lines.lines, std::vector<std::string>{"Require: 100rel"});
    EXPECT_EQ(lines.lost, std::vector<std::string>{"Subject"});
}

TEST(RunnableFields, WhatIsWrittenWithoutBeingSaidIsLeftOut) {
    const auto lines = lines_of("NOTIFY sip:b@example.com SIP/2.0\r\nEvent: refer;id=7\r\n"
                                "Subscription-State: active;expires=60\r\n\r\n"
                                "SIP/2.0 100 Trying\r\n",
                                sip::Method::Notify);
    EXPECT_TRUE(lines.lines.empty());
    EXPECT_EQ(lines_of("REGISTER sip:example.com SIP/2.0\r\nExpires: 0\r\nContact: *\r\n\r\n",
                       sip::Method::Register)
                  .lines,
              (std::vector<std::string>{"Expires: 0", "Contact: *"}));
}

TEST(RunnableFields, AHopSaysWhatItChanges) {
    EXPECT_EQ(changed_lines({"Privacy: id", "Require: a"}, {"Require: a", "Subject: x"}),
              (std::vector<std::string>{"Subject: x", "no Privacy"}));
    EXPECT_TRUE(changed_lines({"Require: a"}, {"Require: a"}).empty());
}

TEST(RunnableFields, ASipfragIsAStatus) {
    EXPECT_EQ(reported_status("SIP/2.0 503 Service {x} Unavailable\r\n"),
              "503 Service x Unavailable");
    EXPECT_EQ(reported_status("SIP/2.0 5033 x"), "");
    EXPECT_EQ(reported_status("INVITE"), "");
    EXPECT_EQ(reported_status(""), "");
}

} // namespace
} // namespace cw::view
