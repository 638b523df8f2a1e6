#include "host/trace_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "capture/pcapng_writer.hpp"

namespace cw::host {
namespace {

constexpr std::uint16_t raw_ip = 101; // LINKTYPE_RAW

} // namespace

std::string trace_head() {
    std::string out;
    capture::put_section(out);
    capture::put_interface(out, raw_ip);
    return out;
}

std::expected<std::unique_ptr<TraceFile>, std::string> TraceFile::create(const std::string& path) {
    net::Descriptor fd{
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)};
    // What was there before may have been readable by others.
    if (!fd.open() || fchmod(fd.get(), 0600) != 0) {
        return std::unexpected{path + ": " + std::strerror(errno)};
    }
    std::unique_ptr<TraceFile> file{new TraceFile(std::move(fd))};
    file->append(trace_head());
    if (!file->good()) {
        return std::unexpected{path + ": cannot be written"};
    }
    return file;
}

void TraceFile::append(std::string_view blocks) {
    const std::lock_guard lock{mutex_};
    while (good_ && !blocks.empty()) {
        const auto wrote = ::write(fd_.get(), blocks.data(), blocks.size());
        if (wrote > 0) {
            blocks.remove_prefix(static_cast<std::size_t>(wrote));
        } else if (errno != EINTR) {
            good_ = false; // a block may be cut; readers stop there
        }
    }
}

bool TraceFile::good() {
    const std::lock_guard lock{mutex_};
    return good_;
}

void TraceFile::add_secret(std::string_view line) {
    std::string out;
    capture::put_secrets(out, std::string{line} + '\n');
    append(out);
}

void put_tcp(std::string& out, Instant time, const TcpPacket& packet) {
    const auto bytes = make_tcp_packet(packet);
    capture::put_packet(out, 0, time, as_bytes(bytes), bytes.size());
}

void put_udp(std::string& out, Instant time, const Endpoint& from, const Endpoint& to,
             Bytes payload) {
    const auto bytes = make_udp_packet(from, to, payload);
    capture::put_packet(out, 0, time, as_bytes(bytes), bytes.size());
}

} // namespace cw::host
