// SPDX-License-Identifier: Apache-2.0
// The inside of engines/sql: what its DuckDB-facing files share. Never included from elsewhere.
//
//   functions*.cpp  Redshift's functions as DuckDB functions named tarn_*
//   lower.cpp       checks a parsed tree against the listed subset, gives it Redshift's meaning
//   translate.cpp   DuckDB's errors as Redshift's
//   values.cpp      DuckDB's values as text and binary
//   object_files.cpp  s3:// for DuckDB, over ObjectStore
#pragma once
#include <atomic>
#include <set>

#include "base/clock.hpp"
#include "duckdb.hpp"
#include "duckdb/main/client_context_state.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "engines/sql/query_text.hpp"
#include "engines/sql/warehouse.hpp"

namespace tarn::sql {

// What functions and the file system need to know of the session that runs them.
class SessionFacts : public duckdb::ClientContextState {
 public:
  static constexpr const char* k_key = "tarn_session";
  std::string user, database, schema;
  std::int32_t process_id = 0;
  std::atomic<std::int64_t> statement_micros{0}, transaction_micros{0};
  std::atomic<std::int64_t> last_copy_count{-1}, last_unload_count{-1};  // rows; -1: none yet
  // Held while COPY or UNLOAD runs.
  std::mutex identity_mutex;
  ObjectIdentity identity;
  ObjectIdentity current_identity() {
    std::lock_guard lock(identity_mutex);
    return identity;
  }
  static SessionFacts& of(duckdb::ClientContext& context);
};

void register_functions(duckdb::DatabaseInstance& database);
void register_text_functions(duckdb::DatabaseInstance& database);
void register_time_functions(duckdb::DatabaseInstance& database);
void register_number_functions(duckdb::DatabaseInstance& database);
void register_session_functions(duckdb::DatabaseInstance& database);
void register_casts(duckdb::DatabaseInstance& database);

// Thrown inside of DuckDB; translate.cpp finds state and message again.
[[noreturn]] void raise(const char* sqlstate, const std::string& message);

duckdb::unique_ptr<duckdb::FileSystem> make_object_files(std::shared_ptr<ObjectStore> objects);
// s3://bucket/key
std::pair<std::string, std::string> split_object_url(const std::string& url);

// The views and macros of pg_catalog, information_schema and SVV_*, made in the attached in-memory
// database k_system_database; each name maps to its schema there.
inline constexpr const char* k_system_database = "tarn_system";
inline constexpr const char* k_internal_schema = "tarn";
const char* catalog_script();
const std::set<std::string>& catalog_views(const std::string& schema);

SqlError translate(const duckdb::ErrorData& error, const QueryText* text);
[[noreturn]] void rethrow_translated(const QueryText* text);  // inside of a catch block

ColumnType column_type(const duckdb::LogicalType& type);
duckdb::LogicalType storage_type(std::uint32_t oid);  // of a declared parameter
RowBatchPtr make_batch(duckdb::unique_ptr<duckdb::DataChunk> chunk,
                       const std::vector<ColumnType>& types);
duckdb::Value parameter_value(duckdb::ClientContext& context, const ParameterValue& value,
                              std::uint32_t oid, const duckdb::LogicalType& expected);

// One table that a statement reads or writes, as written.
struct TableUse {
  std::string database, schema, name;
  std::size_t position = 0;
  bool operator<(const TableUse& other) const {
    return std::tie(database, schema, name) < std::tie(other.database, other.schema, other.name);
  }
};

struct Lowered {
  duckdb::unique_ptr<duckdb::SQLStatement> statement;
  std::set<TableUse> reads, writes;
  std::size_t parameters = 0;
  // Of MERGE: gives a row where a row of the target has several matches, which is an error.
  duckdb::unique_ptr<duckdb::SelectStatement> several_matches;
};

struct LowerOptions {
  std::string database;
  std::vector<std::uint32_t> parameter_oids;
  bool untyped_are_text = false;  // parameters whose type nothing tells
  bool in_view = false;
};
// Parses and checks one query or row change, and gives it Redshift's meaning.
Lowered lower_query(const QueryText& text, const LowerOptions& options);
duckdb::unique_ptr<duckdb::ParsedExpression> lower_expression(const QueryText& text,
                                                              const LowerOptions& options);

}  // namespace tarn::sql
