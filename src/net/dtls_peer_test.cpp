// Our DTLS and that of the openssl program, over UDP on the loopback: both must export the same
// keys. Skipped where the program is not installed.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/dtls.hpp"
#include "net/fingerprint.hpp"

namespace cw::net {
namespace {

namespace fs = std::filesystem;
const Instant now{1'790'000'000'000'000'000};

// A folder with cert.pem and key.pem, made by the openssl program.
struct Files {
    fs::path folder;

    Files() {
        std::string name = fs::temp_directory_path() / "dtls_peer_XXXXXX";
        folder = mkdtemp(name.data());
        const auto command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                             "-days 2 -subj /CN=peer -keyout " +
                             (folder / "key.pem").string() + " -out " +
                             (folder / "cert.pem").string() + " 2>/dev/null";
        made = std::system(command.c_str()) == 0;
    }
    ~Files() { fs::remove_all(folder); }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;

    [[nodiscard]] std::string fingerprint() const {
        auto* bio = BIO_new_file((folder / "cert.pem").c_str(), "r");
        auto* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
        BIO_free(bio);
        auto text = fingerprint_of(certificate, FingerprintHash::Sha384);
        X509_free(certificate);
        return text;
    }
    bool made = false;
};

// The program, its input held open and its output in a pipe.
class Program {
  public:
    explicit Program(std::vector<std::string> arguments) {
        std::array<int, 2> in{};
        std::array<int, 2> out{};
        EXPECT_EQ(pipe2(in.data(), O_CLOEXEC), 0);
        EXPECT_EQ(pipe2(out.data(), O_CLOEXEC), 0);
        posix_spawn_file_actions_t actions{};
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        posix_spawn_file_actions_adddup2(&actions, out[1], 2);
        std::vector<char*> argv;
        for (auto& argument : arguments) {
            argv.push_back(argument.data());
        }
        argv.push_back(nullptr);
        EXPECT_EQ(posix_spawnp(&pid_, "openssl", &actions, nullptr, argv.data(), environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        close(in[0]);
        close(out[1]);
        input_ = in[1];
        output_ = out[0];
    }
    ~Program() {
        close(input_);
        kill(pid_, SIGTERM);
        waitpid(pid_, nullptr, 0);
        close(output_);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    [[nodiscard]] int output() const { return output_; }
    void read_more() {
        std::array<char, 4096> buffer{};
        const auto size = ::read(output_, buffer.data(), buffer.size());
        text.append(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    }
    // What stands behind "Keying material: ", when the line is whole.
    [[nodiscard]] std::string keying_material() const {
        constexpr std::string_view label = "Keying material: ";
        const auto at = text.find(label);
        const auto end = at == std::string::npos ? at : text.find('\n', at);
        return end == std::string::npos ? ""
                                        : text.substr(at + label.size(), end - at - label.size());
    }
    std::string text;

  private:
    pid_t pid_ = 0;
    int input_ = -1;
    int output_ = -1;
};

struct Socket {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    std::uint16_t port = 0;
    sockaddr_in peer{};

    Socket() {
        peer.sin_family = AF_INET;
        peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr_in own = peer;
        socklen_t size = sizeof own;
        EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&own), size), 0);
        EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size), 0);
        port = ntohs(own.sin_port);
    }
    ~Socket() { close(fd); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    void send(const std::vector<std::uint8_t>& datagram) const {
        (void)sendto(fd, datagram.data(), datagram.size(), 0,
                     reinterpret_cast<const sockaddr*>(&peer), sizeof peer);
    }
    std::vector<std::uint8_t> receive() {
        std::vector<std::uint8_t> out(2000);
        socklen_t size = sizeof peer;
        const auto count =
            recvfrom(fd, out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
        out.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return out;
    }
};

// Client key, server key, client salt, server salt, as the exporter gives them, in hexadecimal.
std::string material_of(const DtlsSrtpKeys& keys, bool client) {
    const auto& ours = client ? keys.send : keys.receive;
    const auto& theirs = client ? keys.receive : keys.send;
    std::string out;
    const auto put = [&](const std::vector<std::uint8_t>& from, std::size_t at, std::size_t count) {
        for (auto i = at; i < at + count; ++i) {
            out += "0123456789ABCDEF"[from[i] >> 4U];
            out += "0123456789ABCDEF"[from[i] & 15U];
        }
    };
    put(ours, 0, 16);
    put(theirs, 0, 16);
    put(ours, 16, 14);
    put(theirs, 16, 14);
    return out;
}

// Until both have keys, or for ten seconds. Datagrams that come before the program listens are
// lost, and sent again.
void talk(Dtls& dtls, Socket& socket, Program& program) {
    for (int i = 0; i < 100 && (!dtls.keys() || program.keying_material().empty()); ++i) {
        for (const auto& datagram : dtls.take()) {
            socket.send(datagram);
        }
        std::array<pollfd, 2> wait{{{socket.fd, POLLIN, 0}, {program.output(), POLLIN, 0}}};
        poll(wait.data(), wait.size(), 100);
        if ((wait[0].revents & POLLIN) != 0) {
            const auto datagram = socket.receive();
            dtls.receive(datagram, now);
        }
        if ((wait[1].revents & POLLIN) != 0) {
            program.read_more();
        }
        dtls.advance(now);
    }
}

class DtlsPeer : public testing::Test {
  protected:
    void SetUp() override {
        if (std::system("openssl version >/dev/null 2>&1") != 0) {
            GTEST_SKIP() << "the openssl program is not installed";
        }
        files_.emplace();
        ASSERT_TRUE(files_->made);
    }
    Dtls make(bool client) {
        DtlsSettings settings;
        settings.client = client;
        settings.peer_fingerprint = files_->fingerprint();
        settings.profiles = {srtp_profile::aes128_cm_sha1_80};
        settings.first_timeout = milliseconds(200);
        auto identity = DtlsIdentity::make(now);
        EXPECT_TRUE(identity.has_value());
        auto made = Dtls::make(*identity, settings);
        EXPECT_TRUE(made.has_value());
        return std::move(*made);
    }
    [[nodiscard]] std::vector<std::string> arguments(std::vector<std::string> own) const {
        for (const auto& argument :
             {std::string{"-dtls1_2"}, std::string{"-use_srtp"},
              std::string{"SRTP_AES128_CM_SHA1_80"}, std::string{"-cert"},
              (files_->folder / "cert.pem").string(), std::string{"-key"},
              (files_->folder / "key.pem").string(), std::string{"-keymatexport"},
              std::string{"EXTRACTOR-dtls_srtp"}, std::string{"-keymatexportlen"},
              std::string{"60"}}) {
            own.push_back(argument);
        }
        return own;
    }

    std::optional<Files> files_;
};

TEST_F(DtlsPeer, a_server_of_openssl_gets_our_keys) {
    Socket socket;
    std::uint16_t port = 0;
    {
        Socket free; // a port that nobody has
        port = free.port;
    }
    socket.peer.sin_port = htons(port);
    Program program{arguments(
        {"openssl", "s_server", "-accept", "127.0.0.1:" + std::to_string(port), "-Verify", "1"})};
    auto dtls = make(true);
    dtls.start(now);
    talk(dtls, socket, program);
    const auto keys = dtls.keys();
    ASSERT_TRUE(keys) << dtls.why() << program.text;
    EXPECT_EQ(program.keying_material(), material_of(*keys, true)) << program.text;
}

TEST_F(DtlsPeer, a_client_of_openssl_gets_our_keys) {
    Socket socket;
    Program program{
        arguments({"openssl", "s_client", "-connect", "127.0.0.1:" + std::to_string(socket.port)})};
    auto dtls = make(false);
    dtls.start(now);
    talk(dtls, socket, program);
    const auto keys = dtls.keys();
    ASSERT_TRUE(keys) << dtls.why() << program.text;
    EXPECT_EQ(program.keying_material(), material_of(*keys, false)) << program.text;
}

} // namespace
} // namespace cw::net
