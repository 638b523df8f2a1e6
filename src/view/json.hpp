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
#include "view/json_writer.hpp"
#include "view/report.hpp"

namespace cw::view {

class JsonReport {
  public:
    // `version` is the program's; it needs no escaping.
    JsonReport(Sink sink, std::string_view version);
    JsonReport(const JsonReport&) = delete;
    JsonReport& operator=(const JsonReport&) = delete;

    // A connection; what is not TLS is left out. All of them come before the first call.
    void tls(const flow::Connection& connection);
    void call(const flow::Call& call);
    // Nothing may follow.
    void finish(std::span<const InputReport> inputs, const ReportCounts& counts);

  private:
    enum class Part : std::uint8_t { Begin, Tls, Calls, Done };
    void enter(Part part);
    void flush_when_large();
    void write_connection(const flow::Connection& c);
    void write_messages(const flow::Call& call);
    void write_message(const flow::Call& call, std::uint32_t index);
    void write_media(const flow::Call& call, const flow::MediaStream& s);
    void write_legs(const flow::Call& call);
    void write_time(std::string_view name, Instant t);
    void write_endpoint(std::string_view name, const Endpoint& e);

    Sink sink_;
    std::string out_;
    JsonWriter json_{out_};
    TimeWriter times_;
    Part part_ = Part::Begin;
};

} // namespace cw::view
