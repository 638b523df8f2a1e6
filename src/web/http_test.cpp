#include "web/http.hpp"

#include <gtest/gtest.h>

namespace cw::web {
namespace {

TEST(Http, ARequestIsTakenApart) {
    const std::string text =
        "POST /login?x=1 HTTP/1.1\r\nHost: a:8080\r\nCOOKIE: b=2; callwright-1=abc\r\n"
        "Content-Length: 5\r\n\r\ntokenrest";
    const auto read = read_request(text);
    ASSERT_TRUE(read.request);
    EXPECT_EQ(read.request->method, "POST");
    EXPECT_EQ(read.request->path, "/login");
    EXPECT_EQ(read.request->header("host"), "a:8080");
    EXPECT_EQ(read.request->header("nothing"), "");
    EXPECT_EQ(read.request->cookie("callwright-1"), "abc");
    EXPECT_EQ(read.request->cookie("callwright"), "");
    EXPECT_EQ(read.request->body, "token");
    EXPECT_EQ(read.size, text.size() - 4);
    for (std::size_t size = 0; size < read.size; ++size) {
        const auto part = read_request(std::string_view{text}.substr(0, size));
        EXPECT_FALSE(part.request);
        EXPECT_EQ(part.fault, RequestFault::NeedMore) << size;
    }
}

TEST(Http, WhatIsNoRequestIsRefused) {
    for (const std::string_view head :
         {"GET / HTTP/1.0", "GET  / HTTP/1.1", "GET /", "G ET / HTTP/1.1", "GET http://a/ HTTP/1.1",
          "GET / HTTP/1.1\r\nno colon", "GET / HTTP/1.1\r\nA b: c", "GET / HTTP/1.1\r\n: c",
          "GET / HTTP/1.1\r\nA: b\nC: d", "GET / HTTP/1.1\r\n A: b",
          "POST / HTTP/1.1\r\nContent-Length: -1", "POST / HTTP/1.1\r\nContent-Length: 1x",
          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked"}) {
        const auto read = read_request(std::string{head} + "\r\n\r\n");
        EXPECT_FALSE(read.request) << head;
        EXPECT_EQ(read.fault, RequestFault::Malformed) << head;
    }
    EXPECT_EQ(read_request("POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n").fault,
              RequestFault::TooLong);
    EXPECT_EQ(read_request("GET /" + std::string(9000, 'a')).fault, RequestFault::TooLong);
}

TEST(Http, AnAnswerKeepsThePageToItself) {
    std::string out;
    append_answer(out, {"200 OK", "text/plain", "hello", "A: b\r\n"});
    EXPECT_TRUE(out.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_TRUE(out.ends_with("\r\nA: b\r\n\r\nhello"));
    for (const auto* line : {"Content-Length: 5\r\n", "X-Content-Type-Options: nosniff\r\n",
                             "Cache-Control: no-store\r\n", "X-Frame-Options: DENY\r\n"}) {
        EXPECT_NE(out.find(line), std::string::npos) << line;
    }
}

TEST(Http, SecretsAreEqualOrNot) {
    EXPECT_TRUE(equal_secrets("abc", "abc"));
    EXPECT_FALSE(equal_secrets("abc", "abd"));
    EXPECT_FALSE(equal_secrets("abc", "abcabc"));
    EXPECT_FALSE(equal_secrets("abcabc", "abc"));
    EXPECT_FALSE(equal_secrets("", ""));
    EXPECT_FALSE(equal_secrets("abc", ""));
}

} // namespace
} // namespace cw::web
