// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 server: sockets, framing, time-outs, streaming. It knows nothing of AWS; a request
// becomes an aws::HttpRequest, is handed to a handler as a task on the call pool, and what comes
// back is written.
//
// Kept small on purpose: keep-alive, pipelining (answers in order, one request at a time),
// Expect: 100-continue (answered when the body is first wanted), chunked bodies both ways, bounded
// memory (bodies up to `k_body_buffered_max` are read before the handler starts, larger ones are
// read as the handler asks), a stop token that fires when the client goes away. This folder is the
// only one that includes Beast, and only in connection.cpp and server.cpp.
//
// Threading: thread-safe. Sockets live on the io threads; handlers never run there.
#pragma once
#include <memory>
#include <string>

#include "base/pool.hpp"
#include "platform/ports.hpp"

namespace tarn::gateway {

inline constexpr std::size_t k_body_buffered_max = 256 * 1024;

class Server : public platform::HttpServer {
 public:
  // `front` answers whatever no mount takes.
  Server(ThreadPool& calls, platform::HttpHandler front, std::size_t io_threads = 1);
  ~Server() override;

  // Starts serving; returns the port (chosen by the system for 0). Throws std::system_error with
  // the address when it is taken.
  std::uint16_t listen(const std::string& host, std::uint16_t port);
  void mount(std::string prefix, platform::HttpHandler handler) override;
  ListenerId adopt(int listening_fd, platform::HttpHandler handler) override;
  void close(ListenerId id) override;
  // Stops accepting, lets running requests end within the grace, then cuts them.
  void shutdown();

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace tarn::gateway
