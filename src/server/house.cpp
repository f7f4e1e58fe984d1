// SPDX-License-Identifier: Apache-2.0
#include "server/house.hpp"

#include <algorithm>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "cli/connection.hpp"
#include "gateway/front.hpp"
#include "gateway/http_client.hpp"
#include "gateway/server.hpp"
#include "pgwire/server.hpp"
#include "server/parts.hpp"
#include "services/iam/service.hpp"
#include "services/redshift/service.hpp"

namespace tarn::server {

namespace {

// Sockets take about a quarter of a request's work; a second thread for them on two cores halves
// what one client alone gets.
std::size_t io_threads() { return std::clamp(std::thread::hardware_concurrency() / 4, 1U, 4U); }

}  // namespace

struct House::Parts {
  explicit Parts(const Options& given)
      : options(given),
        parts(given, false),
        front(parts.registry, *parts.ports.identities, parts.kernel.clock, parts.kernel.random),
        http(
            parts.kernel.calls,
            [this](std::shared_ptr<aws::HttpRequest> request) {
              return front.handle(std::move(request));
            },
            io_threads()),
        warehouses(parts.clusters, parts.kernel.calls, parts.kernel.random,
                   {.data_directory = given.data_directory}) {
    parts.ports.warehouses = &warehouses;
    parts.ports.http_server = &http;
    parts.ports.http_client = &http_client;
  }

  void start();
  void write_connection();

  const Options options;
  server::Parts parts;
  gateway::CurlClient http_client;
  gateway::Front front;
  gateway::Server http;
  pgwire::PgServer warehouses;
  std::string endpoint;
  bool stopped = false;
};

namespace {

// An address that clients on this machine can use.
std::string reachable(const std::string& host) {
  if (host == "0.0.0.0" || host == "::") return "127.0.0.1";
  return host;
}

}  // namespace

void House::Parts::start() {
  std::uint16_t port = 0;
  try {
    port = http.listen(options.host, options.port);
  } catch (const std::system_error& error) {
    throw std::runtime_error(
        fmt::format("cannot listen on {}:{}: {}; choose another with --port (0: any free one)",
                    options.host, options.port, error.code().message()));
  }
  endpoint = fmt::format("http://{}:{}", reachable(options.host), port);
  parts.environment.endpoint = endpoint;
  parts.registry.start();
  parts.kernel.bus.start();
  parts.kernel.jobs.start();
  write_connection();
  front.set_ready(endpoint);
}

void House::Parts::write_connection() {
  const auto key = parts.services.iam.root_key();
  const auto warehouse = parts.services.redshift.default_warehouse();
  cli::Connection connection;
  connection.endpoint = endpoint;
  connection.region = options.region;
  connection.access_key = key.access_key;
  connection.secret_key = key.secret_key;
  connection.pg_host = reachable(options.host);
  connection.pg_port = warehouse.port;
  connection.pg_user = warehouse.user;
  connection.pg_password = warehouse.password;
  connection.pg_database = warehouse.database;
  cli::write_connection(options.data_directory, connection);
}

House::House(const Options& options) : parts_(std::make_unique<Parts>(options)) { parts_->start(); }

House::~House() { stop(); }

void House::stop() {
  if (std::exchange(parts_->stopped, true)) return;
  parts_->http.shutdown();
  parts_->parts.kernel.jobs.stop();
  parts_->parts.kernel.bus.stop();
  parts_->parts.registry.stop();
  parts_->warehouses.stop();
  parts_->parts.clusters.stop();
  parts_->parts.compute.close();
}

std::string House::endpoint() const { return parts_->endpoint; }

std::string House::warehouse_address() const {
  return fmt::format("{}:{}", reachable(parts_->options.host),
                     parts_->parts.services.redshift.default_warehouse().port);
}

platform::Credentials House::root_key() const { return parts_->parts.services.iam.root_key(); }

}  // namespace tarn::server
