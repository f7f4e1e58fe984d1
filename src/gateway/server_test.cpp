// SPDX-License-Identifier: Apache-2.0
// The server under many clients at once, over real sockets: small and streamed bodies, pipelining,
// clients that leave in the middle.
#include "gateway/server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tarn::gateway {
namespace {

// A blocking client of one connection. Every failure is an exception.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{30, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("connect");
    }
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(fd_); }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("send");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // The body of the next answer, which must be a 200 with a length.
  std::string answer() {
    const auto head_end = more_until("\r\n\r\n");
    const std::string head = buffer_.substr(0, head_end);
    if (!head.starts_with("HTTP/1.1 200 ")) throw std::runtime_error(head);
    const auto at = head.find("content-length: ");
    if (at == std::string::npos) throw std::runtime_error("no length: " + head);
    const std::size_t size = std::stoul(head.substr(at + 16));
    while (buffer_.size() < head_end + 4 + size) more();
    std::string body = buffer_.substr(head_end + 4, size);
    buffer_.erase(0, head_end + 4 + size);
    return body;
  }

 private:
  std::size_t more_until(std::string_view text) {
    std::size_t found = 0;
    while ((found = buffer_.find(text)) == std::string::npos) more();
    return found;
  }
  void more() {
    char piece[65536];
    const auto got = ::recv(fd_, piece, sizeof piece, 0);
    if (got <= 0) throw std::runtime_error("the server closed");
    buffer_.append(piece, static_cast<std::size_t>(got));
  }

  int fd_;
  std::string buffer_;
};

std::string post(std::string_view path, std::string_view body) {
  return fmt::format("POST {} HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{}", path,
                     body.size(), body);
}

// Answers with what it was sent; "/later" takes a turn over another thread before.
class Echo {
 public:
  explicit Echo(std::size_t io_threads)
      : server_(
            calls_, [this](std::shared_ptr<aws::HttpRequest> request) { return answer(request); },
            io_threads),
        port(server_.listen("127.0.0.1", 0)) {}
  ~Echo() { server_.shutdown(); }

 private:
  Task<aws::HttpResponse> answer(std::shared_ptr<aws::HttpRequest> request) {
    if (request->path == "/later") {
      auto wait = run_on(others_, [] { std::this_thread::yield(); });
      co_await wait;
    }
    auto rest = read_all(request->body, 64U << 20U);
    aws::HttpResponse response;
    response.body = co_await rest;
    ++served;
    co_return response;
  }

  ThreadPool calls_{"calls", 4};
  ThreadPool others_{"others", 2};
  Server server_;

 public:
  std::atomic<std::size_t> served{0};
  const std::uint16_t port;
};

class ServerWith : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(IoThreads, ServerWith, testing::Values(1, 2, 4));

void in_parallel(std::size_t threads, const std::function<void(std::size_t)>& body) {
  std::vector<std::thread> running;
  std::atomic<int> failures{0};
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      try {
        body(i);
      } catch (const std::exception& error) {
        ++failures;
        ADD_FAILURE() << error.what();
      }
    });
  }
  for (auto& thread : running) thread.join();
  EXPECT_EQ(failures, 0);
}

TEST_P(ServerWith, ManyClientsGetTheirOwnAnswers) {
  constexpr std::size_t k_clients = 32, k_rounds = 60;
  Echo echo(GetParam());
  in_parallel(k_clients, [&](std::size_t client) {
    Client connection(echo.port);
    for (std::size_t round = 0; round < k_rounds; ++round) {
      const std::string body(100 + (client * 131 + round * 977) % 9000,
                             static_cast<char>('a' + client % 26));
      connection.send(post(round % 2 ? "/later" : "/now", body));
      ASSERT_EQ(connection.answer(), body);
    }
  });
  EXPECT_EQ(echo.served, k_clients * k_rounds);
}

TEST_P(ServerWith, PipelinedRequestsAreAnsweredInOrder) {
  Echo echo(GetParam());
  in_parallel(8, [&](std::size_t client) {
    Client connection(echo.port);
    for (int round = 0; round < 20; ++round) {
      std::string all;
      for (int i = 0; i < 5; ++i) all += post("/later", fmt::format("{}-{}-{}", client, round, i));
      connection.send(all);
      for (int i = 0; i < 5; ++i) {
        ASSERT_EQ(connection.answer(), fmt::format("{}-{}-{}", client, round, i));
      }
    }
  });
}

TEST_P(ServerWith, LargeBodiesAreStreamed) {
  Echo echo(GetParam());
  in_parallel(6, [&](std::size_t client) {
    const std::string body(k_body_buffered_max * 3 + client, static_cast<char>('a' + client));
    Client connection(echo.port);
    for (int round = 0; round < 4; ++round) {
      connection.send(post("/", body));
      ASSERT_EQ(connection.answer(), body);
    }
  });
}

TEST_P(ServerWith, ClientsThatLeaveTakeNothingWithThem) {
  Echo echo(GetParam());
  const std::string large = post("/later", std::string(k_body_buffered_max * 2, 'x'));
  const std::string small = post("/later", "whole");
  in_parallel(16, [&](std::size_t client) {
    for (std::size_t round = 0; round < 30; ++round) {
      Client leaver(echo.port);
      const std::string& text = client % 2 ? large : small;
      leaver.send(std::string_view(text).substr(0, 1 + (round * 7919) % text.size()));
    }
  });
  Client stays(echo.port);
  stays.send(small);
  EXPECT_EQ(stays.answer(), "whole");
}

TEST_P(ServerWith, ShutDownUnderLoadEndsEveryConnection) {
  std::vector<std::thread> clients;
  {
    Echo echo(GetParam());
    for (int i = 0; i < 8; ++i) {
      clients.emplace_back([port = echo.port] {
        try {
          Client connection(port);
          while (true) {
            connection.send(post("/later", "x"));
            connection.answer();
          }
        } catch (const std::runtime_error&) {}
      });
    }
    while (echo.served < 200) std::this_thread::yield();
  }
  for (auto& client : clients) client.join();
}

}  // namespace
}  // namespace tarn::gateway
