// SPDX-License-Identifier: Apache-2.0
// One client: start-up, log-in, then the message loop of the simple and the extended protocol.
// One task from first byte to last; it lives on an io executor and waits without a thread.
// Memory: rows are sent as they come, in pieces of k_piece_bytes; a message is at most
// k_message_bytes_max.
#pragma once
#include <map>

#include "engines/sql/clusters.hpp"
#include "pgwire/channel.hpp"
#include "pgwire/messages.hpp"
#include "pgwire/server.hpp"

namespace tarn::pgwire {

inline constexpr std::size_t k_piece_bytes = 64 * 1024;
inline constexpr std::int32_t k_message_bytes_max = 64 * 1024 * 1024;
inline constexpr int k_redshift_protocol = 2;  // the newest of Redshift's that we speak

struct ConnectionContext {
  sql::Clusters& clusters;
  Executor& calls;
  Random& random;
  PasswordMethod password;
};

class Connection {
 public:
  Connection(std::shared_ptr<Channel> channel, std::string cluster, ConnectionContext context)
      : channel_(std::move(channel)),
        cluster_(std::move(cluster)),
        context_(context) {}
  // Returns when the client is gone; never throws.
  static Task<void> serve(std::shared_ptr<Connection> self);
  // On the io thread: stops what runs and closes the socket, which ends `serve`.
  void abort();
  bool logged_in() const { return session_ != nullptr; }  // on the io thread

 private:
  struct Portal {
    sql::StatementPtr statement;
    std::vector<sql::ParameterValue> parameters;
    std::vector<std::int16_t> formats;
    sql::ResultPtr result;
    sql::RowBatchPtr batch;
    std::size_t row = 0;
    bool done = false;
  };
  struct Prepared {
    sql::StatementPtr statement;
    std::vector<std::uint32_t> oids;
  };

  // Start-up. False: it was a cancel request, or nobody.
  Task<bool> start();
  using Parameters = std::map<std::string, std::string>;
  Task<std::optional<Parameters>> read_startup();  // none: a cancel request, done
  Task<bool> log_in(Parameters parameters);
  Task<bool> check_password(const std::optional<sql::Login>& login, std::string user);
  void greet(const Parameters& parameters);
  Task<void> apply_options(std::string options);  // "-c search_path=a"

  Task<void> loop();
  Task<bool> handle(char type, std::string payload);  // false: the client said goodbye
  Task<void> simple_query(std::string text);
  Task<void> run_script(std::vector<std::string> statements, std::string text);
  Task<void> parse(MessageReader reader);
  Task<void> bind(MessageReader reader);
  Task<void> describe(MessageReader reader);
  Task<void> execute(MessageReader reader);
  void close(MessageReader reader);
  Task<void> send_rows(std::shared_ptr<Portal> portal, std::int32_t limit);
  void write_row(const Portal& portal, const sql::RowBatch& batch, std::size_t row);
  void write_notices(const sql::Result& result);
  void report(const sql::SqlError& error, std::string_view text);
  Task<void> flush();
  char status() const;

  std::shared_ptr<Channel> channel_;
  const std::string cluster_;
  ConnectionContext context_;
  std::shared_ptr<sql::Warehouse> warehouse_;
  sql::SessionPtr session_;
  MessageWriter out_;
  int protocol_ = 0;       // Redshift's, as agreed
  bool skipping_ = false;  // an error happened: everything up to Sync is dropped
  std::map<std::string, Prepared> prepared_;
  std::map<std::string, std::shared_ptr<Portal>> portals_;
};

}  // namespace tarn::pgwire
