#include "capture/pcap_library.hpp"

#include <dlfcn.h>

namespace cw::capture {
namespace {

constexpr const char* file = "libpcap.so.0.8"; // as Debian names libpcap 1.x

std::expected<PcapLibrary, std::string> load() {
    void* handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        return std::unexpected{std::string{"libpcap is needed to capture, and cannot be loaded: "} +
                               dlerror() + " (apt-get install libpcap0.8)"};
    }
    PcapLibrary library{};
    const char* missing = nullptr;
    const auto find = [&](auto& function, const char* name) {
        function =
            reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
        missing = function == nullptr ? name : missing;
    };
    find(library.activate, "pcap_activate");
    find(library.close, "pcap_close");
    find(library.compile, "pcap_compile");
    find(library.create, "pcap_create");
    find(library.datalink, "pcap_datalink");
    find(library.freecode, "pcap_freecode");
    find(library.get_selectable_fd, "pcap_get_selectable_fd");
    find(library.get_tstamp_precision, "pcap_get_tstamp_precision");
    find(library.geterr, "pcap_geterr");
    find(library.next_ex, "pcap_next_ex");
    find(library.open_dead, "pcap_open_dead");
    find(library.set_buffer_size, "pcap_set_buffer_size");
    find(library.set_promisc, "pcap_set_promisc");
    find(library.set_snaplen, "pcap_set_snaplen");
    find(library.set_timeout, "pcap_set_timeout");
    find(library.set_tstamp_precision, "pcap_set_tstamp_precision");
    find(library.setfilter, "pcap_setfilter");
    find(library.setnonblock, "pcap_setnonblock");
    find(library.stats, "pcap_stats");
    find(library.statustostr, "pcap_statustostr");
    if (missing != nullptr) {
        return std::unexpected{std::string{file} + " is too old to capture with: it has no " +
                               missing};
    }
    return library;
}

} // namespace

std::expected<const PcapLibrary*, std::string> PcapLibrary::get() {
    static const std::expected<PcapLibrary, std::string> library = load();
    if (!library) {
        return std::unexpected{library.error()};
    }
    return &*library;
}

} // namespace cw::capture
