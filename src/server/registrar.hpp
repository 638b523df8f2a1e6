// The registrar [RFC 3261 §10.3], with Path [RFC 3327], Service-Route [RFC 3608], outbound [RFC
// 5626] and GRUU [RFC 5627].
#pragma once

#include "server/core.hpp"

namespace cw::server {

class Registrar {
  public:
    explicit Registrar(Core& core) : core_(core) {}

    // A REGISTER for a domain of ours; its transaction is open. Answers it.
    void on_register(const Incoming& in, const DomainEntry& domain);

  private:
    Core& core_;
};

} // namespace cw::server
