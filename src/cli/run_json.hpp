// What came of performances, for programs: the JSON of design (names are a contract: add, do not
// rename), and JUnit's XML as CI systems read it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "play/report.hpp"
#include "script/plan.hpp"
#include "view/json_writer.hpp"

namespace cw::cli {

class RunJson {
  public:
    explicit RunJson(std::string_view version);
    // `calls`: what the reader makes of the performance's packets, a JSON array.
    void flow(const std::string& file, const script::Plan& plan, const play::Report& report,
              std::string_view calls);
    // It could not be performed at all.
    void error(const std::string& file, std::string_view why);
    [[nodiscard]] std::string finish();

  private:
    void append_place(const script::Plan& plan, const script::Place& place);

    view::JsonWriter json_;
    std::uint64_t passed_ = 0;
    std::uint64_t failed_ = 0;
};

class Junit {
  public:
    // `findings`: what diagnosis says of its packets, a line each. They are told and decide
    // nothing: a flow may show a fault on purpose.
    void flow(const std::string& file, const script::Plan& plan, const play::Report& report,
              std::string_view findings);
    void error(const std::string& file, std::string_view why);
    [[nodiscard]] std::string finish() const;

  private:
    std::string cases_;
    std::size_t count_ = 0;
    std::size_t failures_ = 0;
    std::size_t errors_ = 0;
};

} // namespace cw::cli
