#include "capture/live_interface.hpp"

#include "capture/pcap_library.hpp"

namespace cw::capture {
namespace {

std::string words_of_status(const PcapLibrary& library, int status, pcap* handle) {
    if (status == PCAP_ERROR_PERM_DENIED) {
        return "capturing is not permitted: run as root, or give the program the capability "
               "(setcap cap_net_raw+ep)";
    }
    if (status == PCAP_ERROR_NO_SUCH_DEVICE) {
        return "there is no such interface (ip link lists them; any is all)";
    }
    const std::string detail = library.geterr(handle);
    return detail.empty() ? library.statustostr(status) : detail;
}

// What libpcap calls a link is what files call it, but for this one.
std::uint16_t link_type_of(int data_link) {
    constexpr std::uint16_t raw_ip = 101;
    return data_link == DLT_RAW ? raw_ip : static_cast<std::uint16_t>(data_link);
}

} // namespace

void LiveInterface::Close::operator()(pcap* handle) const {
    library->close(handle);
}

std::string LiveInterface::fault_of_filter(const std::string& filter) {
    constexpr int any_link = DLT_EN10MB;
    const auto library = PcapLibrary::get();
    if (filter.empty() || !library) { // open() says it where there is no library
        return {};
    }
    std::unique_ptr<pcap, Close> handle{(*library)->open_dead(any_link, 65'535), Close{*library}};
    bpf_program program{};
    if (handle == nullptr) {
        return {};
    }
    if ((*library)->compile(handle.get(), &program, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
        return (*library)->geterr(handle.get());
    }
    (*library)->freecode(&program);
    return {};
}

std::expected<std::unique_ptr<LiveInterface>, std::string>
LiveInterface::open(const std::string& name, const Options& options, std::uint16_t input) {
    const auto found = PcapLibrary::get();
    if (!found) {
        return std::unexpected{name + ": " + found.error()};
    }
    const PcapLibrary& library = **found;
    char error[PCAP_ERRBUF_SIZE] = "";
    std::unique_ptr<LiveInterface> made{new LiveInterface};
    made->handle_ =
        std::unique_ptr<pcap, Close>{library.create(name.c_str(), error), Close{&library}};
    auto* handle = made->handle_.get();
    if (handle == nullptr) {
        return std::unexpected{name + ": " + error};
    }
    library.set_snaplen(handle, options.snap_length);
    library.set_promisc(handle, options.promiscuous ? 1 : 0);
    library.set_buffer_size(handle, options.buffer);
    library.set_timeout(handle, 50); // ms until a few packets are handed over
    library.set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO);
    if (const int status = library.activate(handle); status < 0) {
        return std::unexpected{name + ": " + words_of_status(library, status, handle)};
    }
    if (!options.filter.empty()) {
        bpf_program program{};
        if (library.compile(handle, &program, options.filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) !=
            0) {
            return std::unexpected{"filter \"" + options.filter + "\": " + library.geterr(handle)};
        }
        const int set = library.setfilter(handle, &program);
        library.freecode(&program);
        if (set != 0) {
            return std::unexpected{name + ": " + library.geterr(handle)};
        }
    }
    if (library.setnonblock(handle, 1, error) != 0) {
        return std::unexpected{name + ": " + error};
    }
    made->name_ = name;
    made->descriptor_ = library.get_selectable_fd(handle);
    made->link_type_ = link_type_of(library.datalink(handle));
    made->input_ = input;
    made->nanoseconds_ = library.get_tstamp_precision(handle) == PCAP_TSTAMP_PRECISION_NANO;
    return made;
}

std::expected<int, std::string> LiveInterface::take(int most,
                                                    const std::function<void(const Packet&)>& to) {
    const PcapLibrary& library = *handle_.get_deleter().library;
    int taken = 0;
    while (taken < most) {
        pcap_pkthdr* header = nullptr;
        const u_char* bytes = nullptr;
        const int status = library.next_ex(handle_.get(), &header, &bytes);
        if (status == 0) {
            break;
        }
        if (status < 0) {
            return std::unexpected{name_ + ": " + library.geterr(handle_.get())};
        }
        Packet packet;
        const auto fraction = static_cast<std::int64_t>(header->ts.tv_usec); // as asked for
        packet.time =
            Instant{seconds(header->ts.tv_sec).ns + (nanoseconds_ ? fraction : fraction * 1000)};
        packet.frame = ++frames_;
        packet.input = input_;
        packet.link_type = link_type_;
        packet.original_length = header->len;
        packet.data = Bytes{bytes, header->caplen};
        to(packet);
        ++taken;
    }
    return taken;
}

LiveInterface::Counts LiveInterface::counts() const {
    pcap_stat stat{};
    if (handle_.get_deleter().library->stats(handle_.get(), &stat) != 0) {
        return {};
    }
    return {stat.ps_drop, stat.ps_ifdrop};
}

} // namespace cw::capture
