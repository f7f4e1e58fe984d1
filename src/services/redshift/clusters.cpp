// SPDX-License-Identifier: Apache-2.0
#include "services/redshift/clusters.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <system_error>

#include "base/log.hpp"
#include "base/strings.hpp"

namespace tarn::redshift {
namespace {

// A port that nothing listens on now. Somebody else may take it before we do; the caller tries
// again then.
std::uint16_t free_port(const std::string& host) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  const bool bound = fd >= 0 && ::bind(fd, raw, size) == 0 && ::getsockname(fd, raw, &size) == 0;
  if (fd >= 0) ::close(fd);
  if (!bound) throw std::system_error(errno, std::generic_category(), "no free port");
  return ntohs(address.sin_port);
}

std::string password_context(const std::string& cluster) { return "redshift/" + cluster; }

// "IAM:name", "IAMA:name" are GetClusterCredentials' names for `name`.
std::string database_user(const std::string& user) {
  for (const std::string_view prefix : {"IAM:", "IAMA:"}) {
    if (user.starts_with(prefix)) return user.substr(prefix.size());
  }
  return user;
}

}  // namespace

std::string cluster_key(const kernel::Scope& scope, const std::string& identifier) {
  return scope.account + "/" + scope.region + "/" + identifier;
}

Clusters::Clusters(platform::Environment& environment, sql::Clusters& warehouses)
    : environment_(environment),
      warehouses_(warehouses) {
  warehouses_.set_logins(
      [this](const std::string& cluster, const std::string& user, const std::string& database) {
        return login(cluster, user, database);
      });
}

std::filesystem::path Clusters::directory_of(const ClusterRecord& record) const {
  return environment_.data_directory / "warehouses" / record.directory;
}

std::string Clusters::seal(const std::string& cluster, const std::string& password) const {
  return environment_.secrets.seal(password, password_context(cluster));
}

std::uint16_t Clusters::run(const kernel::Scope& scope, const ClusterRecord& record, bool fixed) {
  const std::string key = cluster_key(scope, record.identifier);
  sql::WarehouseOptions options;
  options.directory = directory_of(record);
  options.cluster_id = key;
  options.database = record.database;
  options.admin_user = record.master_user;
  warehouses_.open(key, options);
  auto& listeners = platform::Ports::require(environment_.ports.warehouses, "warehouse ports");
  const std::string& host = environment_.host;
  std::uint16_t port = record.port;
  for (int attempt = 0; attempt < 16; ++attempt) {
    if (port == 0) port = free_port(host);
    try {
      listeners.listen(key, host, port);
      return port;
    } catch (const std::system_error& error) {
      if (fixed) {
        throw std::runtime_error(fmt::format(
            "cannot listen on {}:{}: {}; choose another with --pg-port (0: any free one)", host,
            port, error.code().message()));
      }
      log::warning("redshift", "cluster {}: port {} cannot be used ({}); taking another",
                   record.identifier, port, error.code().message());
      port = 0;
    }
  }
  throw std::runtime_error(fmt::format("cluster {}: no port to listen on", record.identifier));
}

void Clusters::stop(const kernel::Scope& scope, const ClusterRecord& record, bool erase) {
  const std::string key = cluster_key(scope, record.identifier);
  if (environment_.ports.warehouses) environment_.ports.warehouses->close(key);
  warehouses_.close(key, erase);
}

std::optional<ClusterRecord> Clusters::record_of(const std::string& cluster,
                                                 kernel::Scope& scope) const {
  const auto parts = split(cluster, '/');
  if (parts.size() != 3) return std::nullopt;
  scope = {parts[0], parts[1]};
  auto txn = environment_.store.begin(scope);
  return txn.peek<ClusterRecord>(parts[2]);
}

std::optional<sql::Login> Clusters::login(const std::string& cluster, const std::string& user,
                                          const std::string& database) const {
  kernel::Scope scope;
  const auto record = record_of(cluster, scope);
  if (!record) return std::nullopt;
  sql::Login login;
  const auto open = [&](const std::string& sealed) {
    login.passwords.push_back(environment_.secrets.open(sealed, password_context(cluster)));
  };
  if (user == record->master_user) open(record->sealed_password);
  auto txn = environment_.store.begin(scope);
  const auto now = environment_.clock.now();
  for (const auto& made : txn.list<TemporaryPassword>(kernel::Key(record->identifier, user))) {
    if (made.expires > now) open(made.sealed_password);
  }
  login.session.user = database_user(user);
  login.session.database = database.empty() ? record->database : database;
  login.session.cluster_id = cluster;
  login.session.default_role_arn = record->default_role;
  login.session.role_arns = record->roles;
  login.session.principal_arn = fmt::format("arn:aws:redshift:{}:{}:dbuser:{}/{}", scope.region,
                                            scope.account, record->identifier, login.session.user);
  return login;
}

}  // namespace tarn::redshift
