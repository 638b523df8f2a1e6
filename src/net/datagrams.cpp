#include <array>
#include <cerrno>

#include "net/loop_state.hpp"

namespace cw::net {
namespace {

constexpr int most_old_errors = 4;

// A socket that is told of what did not arrive says so at the next call too, whatever that is
// about.
bool is_of_another(int error) {
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

} // namespace

void Loop::Datagrams::add(int fd, const Endpoint& to, std::string_view bytes) {
    if (bytes_.size() + bytes.size() > most_bytes) {
        flush();
    }
    waiting_.push_back({fd, to, bytes_.size(), bytes.size()});
    bytes_ += bytes;
}

void Loop::Datagrams::flush() {
    for (std::size_t done = 0; done < waiting_.size();) {
        done += send_some(done);
    }
    waiting_.clear();
    bytes_.clear();
}

// One system call for those of one socket that stand together. How many are done with.
std::size_t Loop::Datagrams::send_some(std::size_t first) {
    std::array<sockaddr_storage, a_send> addresses;
    std::array<iovec, a_send> pieces;
    std::array<mmsghdr, a_send> headers;
    unsigned count = 0;
    for (auto i = first; i < waiting_.size() && count < a_send; ++i, ++count) {
        const auto& one = waiting_[i];
        if (one.fd != waiting_[first].fd) {
            break;
        }
        pieces[count] = {bytes_.data() + one.begin, one.size};
        headers[count] = {};
        headers[count].msg_hdr.msg_name = &addresses[count];
        headers[count].msg_hdr.msg_namelen = to_sockaddr(one.to, addresses[count]);
        headers[count].msg_hdr.msg_iov = &pieces[count];
        headers[count].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(waiting_[first].fd, headers.data(), count, 0);
    for (int i = 0; i < most_old_errors && sent < 0 && is_of_another(errno); ++i) {
        sent = sendmmsg(waiting_[first].fd, headers.data(), count, 0);
    }
    if (sent > 0) {
        return static_cast<std::size_t>(sent);
    }
    // Note: a datagram that cannot be sent now is lost, as any may be; whoever needs an answer
    // sends it again. With a full socket those behind it would fare no better.
    return errno == EAGAIN ? count : 1;
}

} // namespace cw::net
