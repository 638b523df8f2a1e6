// The reader's JSON: one object, written as its parts get ready, so that memory does not grow with
// the number of calls. Names are the contract of docs/formats/read-json.md: add, do not rename.
//
//   JsonReport report{sink, "0.1.0"};
//   report.tls(connection)…  report.call(call)…  report.finish(inputs, counts);
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "flow/call.hpp"
#include "view/figures.hpp"
#include "view/json_message.hpp"
#include "view/json_writer.hpp"
#include "view/report.hpp"

namespace cw::view {

class JsonReport {
  public:
    // `version` is the program's; it needs no escaping.
    JsonReport(Sink sink, std::string_view version);
    // The calls alone, as an array, to stand within another report: call(), then finish_calls().
    explicit JsonReport(Sink sink);
    // A piece of a report: calls alone, kept for calls() of that report. What is too large to be
    // kept goes to `overflow`, part by part as it gets ready.
    struct Piece {
        Sink overflow;
    };
    explicit JsonReport(Piece piece);
    JsonReport(const JsonReport&) = delete;
    JsonReport& operator=(const JsonReport&) = delete;

    // A connection; what is not TLS is left out. All of them come before the first call.
    void tls(const flow::Connection& connection);
    void call(const flow::Call& call);
    // Of a piece: what it keeps. Valid until the next call to it.
    [[nodiscard]] std::string_view kept() const { return json_.text(); }
    // Begins the next piece, in the same memory.
    void restart() { json_.restart_behind_value(); }
    // The text of a piece; `go_on`: more of the piece that came before.
    void calls(std::string_view piece, bool go_on = false);
    // An RTP stream that belongs to no call; `texts` holds its texts. After the last call.
    void stray(const flow::MediaStream& s, const flow::TextPool& texts);
    void finish_calls();
    // Nothing may follow.
    // `findings`: of what belongs to no call.
    void finish(std::span<const InputReport> inputs, const ReportCounts& counts,
                std::span<const flow::Finding> findings = {});

  private:
    enum class Part : std::uint8_t { Begin, Tls, Calls, Strays, Done };
    void enter(Part part);
    void flush_when_large();
    void flush();
    void write_connection(const flow::Connection& c);
    void write_messages(const flow::Call& call);
    void write_media(const flow::MediaStream& s, const flow::TextPool& texts);
    void write_opening(const flow::MediaStream& s, const flow::TextPool& texts);
    template <std::size_t N>
    void write_frame(const char (&name)[N], std::uint32_t frame) {
        json_.key(name);
        if (frame > 0) {
            json_.value(frame);
        } else {
            json_.null(); // no packet has this number
        }
    }
    void write_head(const flow::Call& call);
    void write_legs(const flow::Call& call);
    void write_security(const flow::Security& s);
    template <std::size_t N>
    void write_time(const char (&name)[N], Instant t) {
        json_.key(name);
        if (t.known()) {
            json_.quoted(TimeWriter::most, [&](char* at) { return times_.write_rfc3339(at, t); });
        } else {
            json_.null();
        }
    }
    template <std::size_t N>
    void write_endpoint(const char (&name)[N], const Endpoint& e) {
        json_.key(name);
        json_.quoted(most_endpoint, [&](char* at) { return view::write_endpoint(at, e); });
    }

    Sink sink_;
    JsonWriter json_;
    MessageJson message_;
    TimeWriter times_;
    Part part_ = Part::Begin;
    bool has_calls_ = false; // of pieces
    std::size_t flush_at_ = std::size_t{128} << 10;
};

} // namespace cw::view
