#include "flow/diagnose/diagnose.hpp"

#include "flow/diagnose/families.hpp"

namespace cw::flow::diagnose {

void judge(Call& call, const Window& window) {
    const Case prepared{call, window};
    Findings found;
    check_capture(prepared, found);
    check_setup(prepared, found);
    check_dialog(prepared, found);
    check_refusal(prepared, found);
    check_session(prepared, found);
    check_registration(prepared, found);
    check_transport(prepared, found);
    check_media(prepared, found);
    call.findings = found.take();
}

std::vector<Finding> judge_connection(const Connection& connection, const Window& window) {
    Findings found;
    check_connection(connection, window, found);
    return found.take();
}

} // namespace cw::flow::diagnose
