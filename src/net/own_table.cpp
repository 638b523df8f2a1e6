#include "net/own_table.hpp"

#include <sched.h>

#include <thread>

namespace cw::net {

bool take_own_table() {
    return unshare(CLONE_FILES) == 0;
}

bool may_take_own_table() {
    bool may = false;
    std::thread{[&may] { may = take_own_table(); }}.join();
    return may;
}

} // namespace cw::net
