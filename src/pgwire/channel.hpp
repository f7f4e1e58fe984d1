// SPDX-License-Identifier: Apache-2.0
// One client's socket, plain or TLS, as tasks. Reads are buffered; one reader and one writer.
// Runs on an io thread's executor. Only this folder's .cpp files include it (Asio is costly).
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>

#include "base/task.hpp"

namespace tarn::pgwire {

namespace asio = boost::asio;

// Posts to an io_context.
class IoExecutor : public Executor {
 public:
  explicit IoExecutor(asio::io_context& io) : io_(io) {}
  void post(std::function<void()> work) override;

 private:
  asio::io_context& io_;
};

// The peer is gone.
class ChannelClosed : public std::exception {
 public:
  const char* what() const noexcept override { return "connection closed"; }
};

class Channel : public std::enable_shared_from_this<Channel> {
 public:
  Channel(asio::ip::tcp::socket socket, asio::ssl::context& tls);
  // Exactly `count` bytes; throws ChannelClosed.
  Task<std::string> read(std::size_t count);
  Task<void> write(std::string bytes);
  // After SSLRequest was answered; throws ChannelClosed when the handshake fails.
  Task<void> start_tls();
  bool is_tls() const { return secure_; }
  bool has_buffered() const { return !buffer_.empty(); }
  // From any thread: ends pending reads and writes.
  void abort();

 private:
  Task<void> fill(std::size_t count);
  asio::ssl::stream<asio::ip::tcp::socket> stream_;
  bool secure_ = false;
  std::string buffer_;
  std::string piece_;
};

}  // namespace tarn::pgwire
