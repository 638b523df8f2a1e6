// Findings as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format), which the code hosts
// and CI systems read. A finding is a result; its place is the capture, and in it the call and the
// message as logical locations, because a capture has no lines.
//
//   SarifReport report{sink, "0.1.0"};
//   report.input("call.pcapng")…  report.call(call)…  report.finish(findings of no call);
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/call.hpp"
#include "view/json_writer.hpp"
#include "view/report.hpp"

namespace cw::view {

class SarifReport {
  public:
    // `version` is the program's; it needs no escaping.
    SarifReport(Sink sink, std::string_view version);
    SarifReport(const SarifReport&) = delete;
    SarifReport& operator=(const SarifReport&) = delete;

    // The files in the order of their numbers, before the first call.
    void input(std::string_view file) { inputs_.emplace_back(file); }
    void call(const flow::Call& call);
    // Nothing may follow. `findings`: of what belongs to no call.
    void finish(std::span<const flow::Finding> findings);

  private:
    void result(const flow::Finding& finding, const flow::Call* call);
    void location(const flow::Call& call, std::uint32_t message);
    void artifact(std::uint16_t input);

    Sink sink_;
    JsonWriter json_;
    std::vector<std::string> inputs_;
};

} // namespace cw::view
