// Key logs that grow while we watch: what is added to a file is read as it comes, also when the
// file appears later, is emptied or is replaced; "unix:PATH" is a socket that secrets are sent to.
// Key files in PEM are read once. Secrets: what is read goes to `to` and nowhere else. Not
// thread-safe.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "host/watch/key_socket.hpp"
#include "net/socket.hpp"

namespace cw::host {

class KeyFollower {
  public:
    explicit KeyFollower(std::vector<std::string> paths);

    // Makes the sockets; what fails is told in words. Before poll().
    std::expected<void, std::string> open_sockets();
    // Reads what is new; `to` gets whole lines of a key log, each with its line end, and the name
    // of the file. At most 4 MB a file and call.
    void poll(const std::function<void(std::string_view lines, const std::string& path)>& to);
    // Of those that could not be read the last time: "tls.keys: No such file or directory".
    [[nodiscard]] std::vector<std::string> problems() const;

  private:
    struct File {
        std::string path;
        net::Descriptor fd;
        dev_t device = 0;
        ino_t inode = 0;
        off_t offset = 0;
        std::string unfinished; // a line whose end has not come
        std::string problem;
    };
    static bool open(File& file);
    static bool was_replaced(File& file);

    std::vector<File> files_;
    std::vector<std::string> socket_paths_;
    std::vector<KeySocket> sockets_;
};

} // namespace cw::host
