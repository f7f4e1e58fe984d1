// SPDX-License-Identifier: Apache-2.0
// Ports: what a service may need of the outside, or of a part of the house that it may not include.
// `server` wires them before any service starts; a null port is a part that this program was
// started without, and `require` says so. Implementations are thread-safe.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "aws/http.hpp"
#include "base/task.hpp"
#include "platform/identity.hpp"

namespace tarn::platform {

// HTTP that is not an AWS operation: Lambda's Runtime API, task credentials, deployed APIs, the
// console. The handler runs as a task on the call pool.
using HttpHandler = std::function<Task<aws::HttpResponse>(std::shared_ptr<aws::HttpRequest>)>;

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  // Requests whose path begins with `prefix` ("/_tarn/…") go to `handler` instead of to AWS.
  virtual void mount(std::string prefix, HttpHandler handler) = 0;
  // Serves a socket that is already listening (inside a sandbox), owning it. Without a handler it
  // serves the AWS APIs, with one everything goes there. Returns an id for `close`.
  using ListenerId = std::uint64_t;
  virtual ListenerId adopt(int listening_fd, HttpHandler handler = {}) = 0;
  virtual void close(ListenerId id) = 0;
};

// Outbound HTTP: SNS subscriptions, HTTP tasks.
struct OutboundRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout{15'000};
};
struct OutboundResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
// No answer at all: refused, timed out, unknown host. The text says which.
class OutboundFailure : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual Task<OutboundResponse> send(OutboundRequest request) = 0;
};

// PostgreSQL front ends of warehouses; implemented by pgwire.
class WarehouseListeners {
 public:
  virtual ~WarehouseListeners() = default;
  // Serves `cluster` (account/region/identifier) on host:port; throws std::system_error if taken.
  virtual void listen(std::string cluster, std::string host, std::uint16_t port) = 0;
  virtual void adopt(std::string cluster, int listening_fd) = 0;
  virtual void close(std::string cluster) = 0;
  // Loopback ports served now, for sandboxes: {cluster, port}.
  virtual std::vector<std::pair<std::string, std::uint16_t>> ports() const = 0;
};

struct Ports {
  IdentityStore* identities = nullptr;
  HttpServer* http_server = nullptr;
  HttpClient* http_client = nullptr;
  WarehouseListeners* warehouses = nullptr;

  template <class T>
  static T& require(T* port, const char* what) {
    if (!port) throw std::logic_error(std::string("this server was started without ") + what);
    return *port;
  }
};

}  // namespace tarn::platform
