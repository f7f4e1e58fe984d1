// SPDX-License-Identifier: Apache-2.0
#include "pgwire/server.hpp"

#include <condition_variable>
#include <set>
#include <system_error>
#include <thread>

#include <boost/asio/steady_timer.hpp>

#include "base/log.hpp"
#include "pgwire/certificate.hpp"
#include "pgwire/connection.hpp"

namespace tarn::pgwire {

struct PgServer::Impl : std::enable_shared_from_this<PgServer::Impl> {
  Impl(sql::Clusters& clusters, Executor& calls, Random& random, PgServerOptions given)
      : context{clusters, calls, random, given.password},
        options(std::move(given)),
        work(asio::make_work_guard(io)),
        executor(io),
        tls(asio::ssl::context::tls_server) {
    thread = std::thread([this] { io.run(); });
  }

  struct Listener {
    std::string cluster;
    asio::ip::tcp::acceptor acceptor;
    std::uint16_t port = 0;
    bool own_port = true;  // false: adopted
  };

  // The first connection pays for the certificate, not the start of the program.
  void prepare_tls() {
    std::lock_guard lock(mutex);
    if (tls_ready) return;
    const auto files = ensure_certificate(options.data_directory);
    tls.use_certificate_chain_file(files.certificate.string());
    tls.use_private_key_file(files.key.string(), asio::ssl::context::pem);
    tls.set_options(asio::ssl::context::no_sslv2 | asio::ssl::context::no_sslv3 |
                    asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    tls_ready = true;
  }

  void add(std::shared_ptr<Listener> listener) {
    {
      std::lock_guard lock(mutex);
      if (stopped) return;
      listeners.push_back(listener);
    }
    accept(std::move(listener));
  }

  void accept(std::shared_ptr<Listener> listener) {
    auto self = shared_from_this();
    listener->acceptor.async_accept(
        [self, listener](boost::system::error_code error, asio::ip::tcp::socket socket) {
          if (error == asio::error::operation_aborted || !listener->acceptor.is_open()) return;
          // Whoever handed it over has ended the listening: its sandbox is gone.
          if (error == asio::error::invalid_argument && !listener->own_port) {
            return self->forget(listener);
          }
          if (!error) self->serve(*listener, std::move(socket));
          self->accept(listener);
        });
  }

  void forget(const std::shared_ptr<Listener>& listener) {
    std::lock_guard lock(mutex);
    std::erase(listeners, listener);
  }

  void serve(const Listener& listener, asio::ip::tcp::socket socket) {
    boost::system::error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    std::shared_ptr<Channel> channel;
    std::shared_ptr<Connection> connection;
    try {
      prepare_tls();
      channel = std::make_shared<Channel>(std::move(socket), tls);
    } catch (const std::exception& error) {
      log::error("pgwire", "{}", error.what());
      return;
    }
    {
      std::lock_guard lock(mutex);
      auto& open = connections[listener.cluster];
      // A few more than users get, so that a cancel request still comes through.
      if (stopped || open.size() >= options.connections_max + 10) return;
      connection = std::make_shared<Connection>(channel, listener.cluster, context);
      open.insert(connection);
    }
    expect_login(connection);
    auto self = shared_from_this();
    spawn<void>(TaskContext{&executor, {}}, Connection::serve(connection),
                [self, connection, cluster = listener.cluster](Outcome<void>) {
                  std::lock_guard lock(self->mutex);
                  self->connections[cluster].erase(connection);
                  self->changed.notify_all();
                });
  }

  // Whoever connects and says nothing does not keep a place for ever.
  void expect_login(const std::shared_ptr<Connection>& connection) {
    auto timer = std::make_shared<asio::steady_timer>(io, options.login_timeout);
    timer->async_wait([timer, weak = std::weak_ptr(connection)](boost::system::error_code) {
      const auto waiting = weak.lock();
      if (waiting && !waiting->logged_in()) waiting->abort();
    });
  }

  void stop() {
    {
      std::lock_guard lock(mutex);
      if (std::exchange(stopped, true)) return;
      for (const auto& listener : listeners) close_listener(listener);
      listeners.clear();
      for (const auto& [cluster, open] : connections) abort(open);
    }
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(5), [this] { return count() == 0; });
    lock.unlock();
    work.reset();
    io.stop();
    thread.join();
    io.restart();
    io.poll();  // what was aborted lets go of what it holds
  }

  void abort(const std::set<std::shared_ptr<Connection>>& open) {
    for (const auto& connection : open) executor.post([connection] { connection->abort(); });
  }

  std::size_t count() const {
    std::size_t n = 0;
    for (const auto& [cluster, open] : connections) n += open.size();
    return n;
  }

  static OneShot<void> close_listener(const std::shared_ptr<Listener>& listener) {
    OneShot<void> closed;
    asio::post(listener->acceptor.get_executor(), [listener, closed] {
      boost::system::error_code ignored;
      listener->acceptor.close(ignored);
      closed.set();
    });
    return closed;
  }

  ConnectionContext context;
  const PgServerOptions options;
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  IoExecutor executor;
  asio::ssl::context tls;
  bool tls_ready = false;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::shared_ptr<Listener>> listeners;
  std::map<std::string, std::set<std::shared_ptr<Connection>>> connections;
  std::thread thread;  // one: a channel is never used by two at once
  bool stopped = false;
};

PgServer::PgServer(sql::Clusters& clusters, Executor& calls, Random& random,
                   PgServerOptions options)
    : impl_(std::make_shared<Impl>(clusters, calls, random, std::move(options))) {}

PgServer::~PgServer() { stop(); }

void PgServer::listen(std::string cluster, std::string host, std::uint16_t port) {
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(host), port);
  asio::ip::tcp::acceptor acceptor(impl_->io);
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    throw std::system_error(error.value(), std::generic_category(),
                            host + ":" + std::to_string(port));
  }
  const std::uint16_t bound = acceptor.local_endpoint().port();
  impl_->add(std::make_shared<Impl::Listener>(
      Impl::Listener{std::move(cluster), std::move(acceptor), bound}));
}

void PgServer::adopt(std::string cluster, int listening_fd) {
  asio::ip::tcp::acceptor acceptor(impl_->io);
  acceptor.assign(asio::ip::tcp::v4(), listening_fd);
  impl_->add(std::make_shared<Impl::Listener>(
      Impl::Listener{std::move(cluster), std::move(acceptor), 0, false}));
}

void PgServer::close(std::string cluster) {
  std::vector<OneShot<void>> closing;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stopped) return;
    std::erase_if(impl_->listeners, [&](const auto& listener) {
      if (listener->cluster != cluster) return false;
      closing.push_back(Impl::close_listener(listener));
      return true;
    });
    impl_->abort(impl_->connections[cluster]);
  }
  // The port is free when this returns: a cluster that reboots listens on it again.
  for (const auto& closed : closing) closed.block();
}

std::vector<std::pair<std::string, std::uint16_t>> PgServer::ports() const {
  std::lock_guard lock(impl_->mutex);
  std::vector<std::pair<std::string, std::uint16_t>> ports;
  for (const auto& listener : impl_->listeners) {
    if (listener->own_port) ports.emplace_back(listener->cluster, listener->port);
  }
  return ports;
}

std::size_t PgServer::connections() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->count();
}

void PgServer::stop() { impl_->stop(); }

}  // namespace tarn::pgwire
