// SPDX-License-Identifier: Apache-2.0
// The PostgreSQL front end of all warehouses: one port per cluster, because a client cannot say
// which cluster it means. Speaks version 3 with Redshift's extensions.
//
// Threading: thread-safe. All sockets live on one io thread, which also encodes rows; statements
// run on the warehouses' query pool; a connection that waits costs no thread. Passwords are looked
// up on the call executor (the look-up may block on the store). Avoids: Asio in this header; SQL
// (engines/sql); who may log in (sql::Clusters asks its owner).
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>

#include "base/ids.hpp"
#include "engines/sql/clusters.hpp"
#include "platform/ports.hpp"

namespace tarn::pgwire {

enum class PasswordMethod { cleartext, md5 };

struct PgServerOptions {
  std::filesystem::path data_directory;  // where the certificate is kept
  PasswordMethod password = PasswordMethod::md5;
  std::size_t connections_max = 500;  // of each cluster, as in Redshift
  std::chrono::milliseconds login_timeout{60'000};
};

class PgServer : public platform::WarehouseListeners {
 public:
  PgServer(sql::Clusters& clusters, Executor& calls, Random& random, PgServerOptions options);
  ~PgServer() override;

  // Port 0: any free one, to be found in `ports()`.
  void listen(std::string cluster, std::string host, std::uint16_t port) override;
  // Serves a socket that listens already (inside a sandbox), owning it.
  void adopt(std::string cluster, int listening_fd) override;
  // Ends its listeners and connections.
  void close(std::string cluster) override;
  std::vector<std::pair<std::string, std::uint16_t>> ports() const override;
  std::size_t connections() const;
  void stop();

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace tarn::pgwire
