// SPDX-License-Identifier: Apache-2.0
#include "gateway/server.hpp"

#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>

#include "base/log.hpp"
#include "gateway/connection.hpp"
#include "platform/limits.hpp"

namespace tarn::gateway {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using error_code = boost::system::error_code;

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  struct Listener {
    Tcp::acceptor acceptor;
    std::shared_ptr<const Connection::Choose> choose;
    std::set<std::shared_ptr<Connection>> connections;
  };

  Impl(ThreadPool& call_pool, platform::HttpHandler front_handler, std::size_t io_threads)
      : calls(call_pool),
        front(std::move(front_handler)),
        io(static_cast<int>(io_threads)),
        work(io.get_executor()) {
    for (std::size_t i = 0; i < io_threads; ++i) threads.emplace_back([this] { io.run(); });
  }

  ListenerId add(Tcp::acceptor acceptor, std::shared_ptr<const Connection::Choose> choose) {
    auto listener =
        std::make_shared<Listener>(Listener{std::move(acceptor), std::move(choose), {}});
    ListenerId id = 0;
    {
      std::lock_guard lock(mutex);
      id = next_id++;
      listeners.emplace(id, listener);
    }
    accept(listener);
    return id;
  }

  void accept(std::shared_ptr<Listener> listener) {
    auto& acceptor = listener->acceptor;
    acceptor.async_accept(asio::make_strand(io), [self = shared_from_this(), listener](
                                                     error_code error, Tcp::socket socket) {
      if (error == asio::error::operation_aborted || !listener->acceptor.is_open()) return;
      if (!error) self->welcome(listener, std::move(socket));
      if (error == asio::error::no_descriptors) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      self->accept(listener);
    });
  }

  void welcome(const std::shared_ptr<Listener>& listener, Tcp::socket socket) {
    auto connection = std::make_shared<Connection>(std::move(socket), calls, listener->choose);
    {
      std::lock_guard lock(mutex);
      if (stopping || open >= platform::limits::k_connections_max) return;  // closes the socket
      ++open;
      listener->connections.insert(connection);
    }
    connection->start([self = shared_from_this(), listener, weak = std::weak_ptr(connection)] {
      std::lock_guard lock(self->mutex);
      --self->open;
      if (const auto strong = weak.lock()) listener->connections.erase(strong);
    });
  }

  platform::HttpHandler choose_mounted(const aws::HttpRequest& request) {
    std::lock_guard lock(mutex);
    const std::pair<const std::string, platform::HttpHandler>* best = nullptr;
    for (const auto& mounted : mounts) {
      if (request.path.starts_with(mounted.first)) best = &mounted;  // the longest sorts last
    }
    return best ? best->second : front;
  }

  void close(ListenerId id) {
    std::shared_ptr<Listener> listener;
    {
      std::lock_guard lock(mutex);
      const auto found = listeners.find(id);
      if (found == listeners.end()) return;
      listener = found->second;
      listeners.erase(found);
      for (const auto& connection : listener->connections) connection->cut();
    }
    asio::post(io, [self = shared_from_this(), listener] {
      error_code ignored;
      listener->acceptor.close(ignored);
    });
  }

  void shutdown() {
    std::vector<std::shared_ptr<Connection>> connections;
    {
      std::lock_guard lock(mutex);
      if (stopping) return;
      stopping = true;
      for (const auto& [id, listener] : listeners) {
        connections.insert(connections.end(), listener->connections.begin(),
                           listener->connections.end());
        asio::post(io, [listener = listener] {
          error_code ignored;
          listener->acceptor.close(ignored);
        });
      }
    }
    for (const auto& connection : connections) connection->stop_after_request();
    const auto deadline = std::chrono::steady_clock::now() + platform::limits::k_shutdown_grace;
    while (open_now() > 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    for (const auto& connection : connections) connection->cut();
    const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (open_now() > 0 && std::chrono::steady_clock::now() < last) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    work.reset();
    io.stop();
    for (auto& thread : threads) thread.join();
    threads.clear();
    io.restart();
    io.poll();  // what was closed and cut lets go of what it holds, this object included
  }

  std::size_t open_now() {
    std::lock_guard lock(mutex);
    return open;
  }

  ThreadPool& calls;
  const platform::HttpHandler front;
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::mutex mutex;
  std::map<std::string, platform::HttpHandler> mounts;
  std::map<ListenerId, std::shared_ptr<Listener>> listeners;
  ListenerId next_id = 1;
  std::size_t open = 0;
  bool stopping = false;
  std::vector<std::thread> threads;
};

Server::Server(ThreadPool& calls, platform::HttpHandler front, std::size_t io_threads)
    : impl_(std::make_shared<Impl>(calls, std::move(front), io_threads)) {}

Server::~Server() {
  shutdown();
  std::lock_guard lock(impl_->mutex);
  impl_->listeners.clear();
}

std::uint16_t Server::listen(const std::string& host, std::uint16_t port) {
  const auto fail = [&](const error_code& error) {
    throw std::system_error(error.value(), std::generic_category(),
                            fmt::format("{}:{}", host, port));
  };
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error) fail(error);
  const Tcp::endpoint endpoint(address, port);
  Tcp::acceptor acceptor(impl_->io);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1024, error);
  if (error) fail(error);
  const auto chosen = acceptor.local_endpoint().port();
  // Mounts and the front belong to the server, which outlives its listeners.
  impl_->add(std::move(acceptor), std::make_shared<Connection::Choose>(
                                      [impl = impl_.get()](const aws::HttpRequest& request) {
                                        return impl->choose_mounted(request);
                                      }));
  return chosen;
}

void Server::mount(std::string prefix, platform::HttpHandler handler) {
  std::lock_guard lock(impl_->mutex);
  impl_->mounts.insert_or_assign(std::move(prefix), std::move(handler));
}

platform::HttpServer::ListenerId Server::adopt(int listening_fd, platform::HttpHandler handler) {
  Tcp::acceptor acceptor(impl_->io, Tcp::v4(), listening_fd);
  auto choose = std::make_shared<Connection::Choose>(
      [impl = impl_.get(), handler = std::move(handler)](const aws::HttpRequest& request) {
        return handler ? handler : impl->choose_mounted(request);
      });
  return impl_->add(std::move(acceptor), std::move(choose));
}

void Server::close(ListenerId id) { impl_->close(id); }

void Server::shutdown() { impl_->shutdown(); }

}  // namespace tarn::gateway
