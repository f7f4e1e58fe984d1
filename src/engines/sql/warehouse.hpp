// SPDX-License-Identifier: Apache-2.0
// A warehouse cluster: its databases (one DuckDB file each), and the sessions that talk to them.
//
//   Warehouse warehouse(options, query_pool, clock);
//   auto session = warehouse.connect({.user = "awsuser", .database = "dev"});
//   auto statement = co_await session->prepare("select 1", {});
//   auto result = co_await session->execute(statement, {}, {});
//   while (auto rows = co_await result->next()) …
//
// This is the interface behind which the SQL compilers stand: callers give SQL text and get typed
// columns and rows; nothing here shows which engine runs it.
//
// Threading: `Warehouse` is thread-safe. A `Session` and its statements and results belong to one
// task at a time (a connection); only `cancel` may be called from anywhere. Parsing, planning and
// running happen on the query pool; waiting for another writer's lock owns no thread.
// Durability: a statement that returned is on disk (DuckDB's log is synced at commit). A statement
// with an `effect_id` commits that id with its changes (table tarn.applied), so that a repeat after
// a crash returns the stored answer instead of running again.
// Avoids: DuckDB's headers (they stay in this folder's .cpp files), users and passwords (their
// owner is the service that manages the cluster).
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/pool.hpp"
#include "base/task.hpp"
#include "engines/sql/error.hpp"
#include "engines/sql/object_store.hpp"
#include "engines/sql/types.hpp"

namespace tarn::sql {

// How numerics look in binary: PostgreSQL's base-10000 digits, or Redshift's protocol 2 (a scaled
// big-endian integer of 8 or 16 bytes).
enum class NumericFormat { postgres, scaled_integer };

// Some rows of a result, column by column. Valid until destroyed; independent of later batches.
class RowBatch {
 public:
  virtual ~RowBatch() = default;
  virtual std::size_t rows() const = 0;
  virtual bool is_null(std::size_t column, std::size_t row) const = 0;
  // Appends the value as the server would print it.
  virtual void text(std::size_t column, std::size_t row, std::string& out) const = 0;
  // Appends PostgreSQL's binary form (network byte order).
  virtual void binary(std::size_t column, std::size_t row, NumericFormat numeric,
                      std::string& out) const = 0;
  // For columns of the fitting type only.
  virtual bool boolean(std::size_t column, std::size_t row) const = 0;
  virtual std::int64_t integer(std::size_t column, std::size_t row) const = 0;
  virtual double real(std::size_t column, std::size_t row) const = 0;
};
using RowBatchPtr = std::shared_ptr<const RowBatch>;

class Result {
 public:
  virtual ~Result() = default;
  virtual const std::vector<Column>& columns() const = 0;  // empty: the statement has no rows
  // The next rows; null at the end. Errors of later rows are thrown here.
  virtual Task<RowBatchPtr> next() = 0;
  // Rows changed (INSERT, UPDATE, DELETE, COPY, …) or returned so far; -1 where neither applies.
  virtual std::int64_t row_count() const = 0;
  // "SELECT 3", "INSERT 0 3", "CREATE TABLE"; final once `next` gave null.
  virtual std::string command_tag() const = 0;
  virtual std::vector<std::string> notices() const { return {}; }
};
using ResultPtr = std::shared_ptr<Result>;

// A compiled statement. It may be executed again, also after the catalog changed.
class Statement {
 public:
  virtual ~Statement() = default;
  virtual const std::string& text() const = 0;
  virtual const std::vector<ColumnType>& parameters() const = 0;
  virtual const std::vector<Column>& columns() const = 0;
  virtual bool is_empty() const = 0;  // only blanks and comments
  virtual bool returns_rows() const = 0;
  virtual bool ends_transaction() const = 0;  // COMMIT, ROLLBACK, …: allowed in a failed one
  virtual std::string_view kind() const = 0;  // "SELECT", "INSERT", "COPY", …
};
using StatementPtr = std::shared_ptr<const Statement>;

// A parameter's value: its text, or its binary form in the type that was declared.
struct ParameterValue {
  std::optional<std::string> bytes;  // none: NULL
  bool binary = false;
};

struct ExecuteOptions {
  // Outside of a transaction block only: runs at most once under this id.
  std::string effect_id;
};

enum class TransactionStatus { idle, in_transaction, failed };

struct SessionOptions {
  std::string user;
  std::string database;
  std::string application;
  // Who the user is for S3, and the roles that may be assumed by COPY and UNLOAD.
  std::string principal_arn;
  std::string default_role_arn;                       // IAM_ROLE default
  std::optional<std::vector<std::string>> role_arns;  // the cluster's; none: not checked
  std::string cluster_id;
};

class Session {
 public:
  virtual ~Session() = default;
  virtual const SessionOptions& options() const = 0;
  virtual std::int32_t process_id() const = 0;
  virtual std::int32_t cancel_key() const = 0;
  virtual TransactionStatus transaction_status() const = 0;
  // server_version, client_encoding, … as `SHOW` gives them; none: no such setting.
  virtual std::optional<std::string> setting(const std::string& name) const = 0;

  // Compiles one statement. `parameter_oids`: types that the client declared, 0 where it did not.
  virtual Task<StatementPtr> prepare(std::string text,
                                     std::vector<std::uint32_t> parameter_oids) = 0;
  // A result that still has rows stays readable when the next statement runs.
  virtual Task<ResultPtr> execute(StatementPtr statement, std::vector<ParameterValue> parameters,
                                  ExecuteOptions options) = 0;
  // prepare, execute, and all rows; for services. Parameters are text.
  Task<ResultPtr> run(std::string text, std::vector<ParameterValue> parameters = {},
                      ExecuteOptions options = {});

  // The answer stored under an effect id, if that effect was committed.
  virtual Task<std::optional<std::string>> applied(std::string effect_id) = 0;
  // Records an effect and its answer in the open transaction block.
  virtual Task<void> mark_applied(std::string effect_id, std::string answer) = 0;

  // An error that the client saw outside of prepare and execute: it ends the transaction, too.
  virtual Task<void> fail_transaction() = 0;
  // Stops what runs now with SQLSTATE 57014. From any thread.
  virtual void cancel() = 0;
  // Rolls back and frees everything; also done by the destructor.
  virtual Task<void> close() = 0;
};
using SessionPtr = std::shared_ptr<Session>;

struct WarehouseOptions {
  std::filesystem::path directory;  // the cluster's own folder
  std::string cluster_id;
  std::string database = "dev";  // exists from the first start
  std::string admin_user = "awsuser";
  std::shared_ptr<ObjectStore> objects;                 // none: COPY and UNLOAD are refused
  std::size_t memory_bytes_max = 512ull * 1024 * 1024;  // of each open database
  int threads = 2;
  Seconds close_after_idle{60};
};

class Warehouse {
 public:
  Warehouse(WarehouseOptions options, Executor& query_pool, Clock& clock);
  ~Warehouse();
  const WarehouseOptions& options() const;

  // Throws SqlError 3D000 for an unknown database. Cheap: the file opens with the first statement.
  SessionPtr connect(SessionOptions options);
  std::vector<std::string> databases() const;
  void create_database(const std::string& name);
  void drop_database(const std::string& name);
  // False: no such session, or a wrong key.
  bool cancel(std::int32_t process_id, std::int32_t cancel_key);
  std::size_t open_databases() const;  // how many files are open now
  std::size_t sessions() const;
  // Cancels what runs and closes the files (checkpointed). No session may be used afterwards.
  void stop();

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

// Splits a script at its top-level semicolons; empty statements are left out.
std::vector<std::string> split_statements(const std::string& script);
// `:name` parameters as `$1…`, in order of first use; for the Data API. Names not used are left
// out.
std::string number_parameters(const std::string& text, std::vector<std::string>& names);

}  // namespace tarn::sql
