// libpcap's functions, loaded when somebody captures. Linked, it and the eight libraries that it
// needs would be a third of what each start of the program costs, and most starts read files.
#pragma once

#include <expected>
#include <string>

#include <pcap/pcap.h>

namespace cw::capture {

struct PcapLibrary {
    decltype(&::pcap_activate) activate;
    decltype(&::pcap_close) close;
    decltype(&::pcap_compile) compile;
    decltype(&::pcap_create) create;
    decltype(&::pcap_datalink) datalink;
    decltype(&::pcap_freecode) freecode;
    decltype(&::pcap_get_selectable_fd) get_selectable_fd;
    decltype(&::pcap_get_tstamp_precision) get_tstamp_precision;
    decltype(&::pcap_geterr) geterr;
    decltype(&::pcap_next_ex) next_ex;
    decltype(&::pcap_open_dead) open_dead;
    decltype(&::pcap_set_buffer_size) set_buffer_size;
    decltype(&::pcap_set_promisc) set_promisc;
    decltype(&::pcap_set_snaplen) set_snaplen;
    decltype(&::pcap_set_timeout) set_timeout;
    decltype(&::pcap_set_tstamp_precision) set_tstamp_precision;
    decltype(&::pcap_setfilter) setfilter;
    decltype(&::pcap_setnonblock) setnonblock;
    decltype(&::pcap_stats) stats;
    decltype(&::pcap_statustostr) statustostr;

    // Loads it at the first call, from any thread; it stays to the end of the process. The error
    // says what to install.
    static std::expected<const PcapLibrary*, std::string> get();
};

} // namespace cw::capture
