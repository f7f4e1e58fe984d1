// SPDX-License-Identifier: Apache-2.0
#include "platform/job_listeners.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include "base/strings.hpp"

namespace tarn::platform {

std::uint16_t port_of_endpoint(const std::string& endpoint) {
  const auto colon = endpoint.rfind(':');
  const auto port = colon == std::string::npos
                        ? std::nullopt
                        : parse_uint(std::string_view(endpoint).substr(colon + 1));
  return static_cast<std::uint16_t>(port.value_or(80));
}

std::vector<std::uint16_t> JobListeners::ports(std::uint16_t own) {
  std::lock_guard lock(mutex_);
  std::vector<std::uint16_t> ports{own, port_of_endpoint(environment_.endpoint)};
  clusters_.clear();
  if (!environment_.ports.warehouses) return ports;
  for (auto& [cluster, port] : environment_.ports.warehouses->ports()) {
    ports.push_back(port);
    clusters_.push_back(std::move(cluster));
  }
  return ports;
}

void JobListeners::serve(std::vector<int> sockets, HttpHandler own) {
  auto& server = Ports::require(environment_.ports.http_server, "an HTTP server");
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (i == 0) {
      served_.push_back(server.adopt(sockets[i], own));
    } else if (i == 1) {
      served_.push_back(server.adopt(sockets[i]));
    } else {
      warehouse_sockets_.push_back(::dup(sockets[i]));
      environment_.ports.warehouses->adopt(clusters_.at(i - 2), sockets[i]);
    }
  }
}

void JobListeners::close() {
  std::vector<HttpServer::ListenerId> served;
  std::vector<int> sockets;
  {
    std::lock_guard lock(mutex_);
    served.swap(served_);
    sockets.swap(warehouse_sockets_);
  }
  for (const auto id : served) environment_.ports.http_server->close(id);
  // The front end closes a cluster as a whole only; its accept fails once listening has ended.
  for (const int socket : sockets) {
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
  }
}

}  // namespace tarn::platform
