// SPDX-License-Identifier: Apache-2.0
// A lean load client for S3, so that the client is not the limit: raw sockets, one thread per
// connection, requests signed with an unsigned payload, answers read no further than needed.
//
//   s3_load_bench ENDPOINT KEY SECRET BUCKET put|get BYTES CLIENTS SECONDS
//
// Prints {"per_second": …, "errors": …, "p50_ms": …, "p99_ms": …}. `get` puts its objects first.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "aws/sigv4.hpp"
#include "base/strings.hpp"

namespace tarn::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Load {
  std::string host, access_key, secret_key, bucket, operation;
  std::uint16_t port = 0;
  std::size_t bytes = 0;
  int clients = 0;
  double seconds = 0;
};

class Connection {
 public:
  explicit Connection(const Load& load) : load_(load) { open(); }
  ~Connection() { ::close(fd_); }

  // True for a 2xx answer, read to its end.
  bool request(const std::string& method, const std::string& key, const std::string& body) {
    const std::string head = make_head(method, key, body.size());
    send_all(head + body);
    return read_answer();
  }

 private:
  void open() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(load_.port);
    inet_pton(AF_INET, load_.host.c_str(), &address.sin_addr);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }

  std::string make_head(const std::string& method, const std::string& key, std::size_t size) {
    aws::HttpRequest request;
    request.method = method;
    request.path = request.target = "/" + load_.bucket + "/" + key;
    request.headers.emplace_back("host", fmt::format("{}:{}", load_.host, load_.port));
    aws::SignOptions options;
    options.service = "s3";
    options.now = std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now());
    options.payload_hash = "UNSIGNED-PAYLOAD";
    aws::sign(request, "", {load_.access_key, load_.secret_key, ""}, options);
    std::string head = method + " " + request.path + " HTTP/1.1\r\n";
    for (const auto& [name, value] : request.headers) head += name + ": " + value + "\r\n";
    return head + fmt::format("content-length: {}\r\n\r\n", size);
  }

  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("the server closed the connection");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  bool read_answer() {
    buffer_.clear();
    std::size_t end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) receive();
    const bool good =
        buffer_.compare(0, 10, "HTTP/1.1 2") == 0 || buffer_.compare(0, 10, "HTTP/1.0 2") == 0;
    const std::string head = to_lower(std::string_view(buffer_).substr(0, end + 2));
    std::size_t length = 0;
    const auto at = head.find("\r\ncontent-length:");
    if (at != std::string::npos) length = std::strtoull(head.c_str() + at + 17, nullptr, 10);
    while (buffer_.size() < end + 4 + length) receive();
    if (head.find("\r\nconnection: close") != std::string::npos) {
      ::close(fd_);
      open();
    }
    return good;
  }

  void receive() {
    char piece[65536];
    const auto got = ::recv(fd_, piece, sizeof piece, 0);
    if (got <= 0) throw std::runtime_error("the server closed the connection");
    buffer_.append(piece, static_cast<std::size_t>(got));
  }

  const Load& load_;
  int fd_ = -1;
  std::string buffer_;
};

struct Totals {
  std::atomic<std::uint64_t> errors{0};
  std::vector<std::vector<double>> times_ms;  // per client
};

void run_client(const Load& load, int client, SteadyClock::time_point end, Totals& totals) {
  const std::string body(load.bytes, 'x');
  constexpr int k_keys = 64;
  const auto key = [&](std::uint64_t i) { return fmt::format("o/{}/{}", client, i % k_keys); };
  Connection connection(load);
  const bool put = load.operation == "put";
  if (!put) {
    for (int i = 0; i < k_keys; ++i) connection.request("PUT", key(i), body);
  }
  auto& times = totals.times_ms[static_cast<std::size_t>(client)];
  const auto stop = put ? end
                        : SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(
                                                   std::chrono::duration<double>(load.seconds));
  for (std::uint64_t i = 0; SteadyClock::now() < stop; ++i) {
    const auto begin = SteadyClock::now();
    const bool good = put ? connection.request("PUT", fmt::format("o/{}/{}", client, i), body)
                          : connection.request("GET", key(i), "");
    if (!good) ++totals.errors;
    times.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count());
  }
}

int run(const Load& load) {
  Totals totals;
  totals.times_ms.resize(static_cast<std::size_t>(load.clients));
  const auto end = SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(
                                            std::chrono::duration<double>(load.seconds));
  std::vector<std::thread> threads;
  for (int i = 0; i < load.clients; ++i) {
    threads.emplace_back([&, i] {
      try {
        run_client(load, i, end, totals);
      } catch (const std::exception& error) {
        ++totals.errors;
        fmt::print(stderr, "{}\n", error.what());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<double> all;
  for (const auto& times : totals.times_ms) all.insert(all.end(), times.begin(), times.end());
  std::sort(all.begin(), all.end());
  if (all.empty()) return 1;
  fmt::print(R"({{"per_second": {:.1f}, "errors": {}, "p50_ms": {:.3f}, "p99_ms": {:.3f}}})"
             "\n",
             static_cast<double>(all.size()) / load.seconds, totals.errors.load(),
             all[all.size() / 2], all[all.size() * 99 / 100]);
  return totals.errors > 0 ? 1 : 0;
}

}  // namespace
}  // namespace tarn::cli

int main(int argc, char** argv) {
  if (argc != 9) {
    std::fputs("s3_load_bench ENDPOINT KEY SECRET BUCKET put|get BYTES CLIENTS SECONDS\n", stderr);
    return 2;
  }
  tarn::cli::Load load;
  std::string address = argv[1];
  address = address.substr(address.find("://") + 3);
  load.host = address.substr(0, address.find(':'));
  load.port = static_cast<std::uint16_t>(std::atoi(address.c_str() + address.find(':') + 1));
  load.access_key = argv[2];
  load.secret_key = argv[3];
  load.bucket = argv[4];
  load.operation = argv[5];
  load.bytes = std::strtoull(argv[6], nullptr, 10);
  load.clients = std::atoi(argv[7]);
  load.seconds = std::atof(argv[8]);
  return tarn::cli::run(load);
}
