// SPDX-License-Identifier: Apache-2.0
// The session behind warehouse.hpp's interface: transaction state, settings, and the execution of
// each kind of statement on one DuckDB connection.
//
//   session.cpp       compile, execute, transactions, effects
//   session_ddl.cpp   tables, views, schemas, comments
//   session_copy.cpp  COPY and UNLOAD
//   session_set.cpp   SET and SHOW
//
// Threading: methods named run_* and the DDL block; they run on the query pool, one at a time per
// session. `cancel` may come from anywhere.
#pragma once
#include <deque>

#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "engines/sql/database.hpp"
#include "engines/sql/locks.hpp"
#include "engines/sql/syntax.hpp"

namespace tarn::sql {

class SessionImpl;

// Shared by all sessions of a cluster.
struct ClusterContext {
  const WarehouseOptions& options;
  Executor& pool;
  Clock& clock;
  TableLocks& locks;
  std::function<void(const std::string&)> create_database, drop_database;
  std::function<void(std::int32_t pid)> forget;
};

struct Compiled : Statement {
  std::string source;
  std::vector<Token> tokens;
  Syntax syntax;
  QueryText query_text;
  std::optional<Lowered> query;  // of queries, row changes, EXPLAIN
  std::vector<ColumnType> parameter_types;
  std::vector<Column> result_columns;
  std::string kind_name;
  bool rows = false, ends = false;

  const std::string& text() const override { return source; }
  const std::vector<ColumnType>& parameters() const override { return parameter_types; }
  const std::vector<Column>& columns() const override { return result_columns; }
  bool is_empty() const override { return std::holds_alternative<Nothing>(syntax); }
  bool returns_rows() const override { return rows; }
  bool ends_transaction() const override { return ends; }
  std::string_view kind() const override { return kind_name; }
};

// What running a statement leaves: a count and a tag, or rows.
struct Answer {
  std::string tag;
  std::int64_t count = -1;
  std::vector<Column> columns;
  duckdb::unique_ptr<duckdb::QueryResult> rows;
  std::vector<std::string> notices;
};

// Where a name leads.
struct Relation {
  std::string database, schema, name;
  bool view = false;
  bool temporary() const { return database == "temp"; }
  std::string key() const { return schema + "." + name; }
  std::string sql() const {
    return quote_identifier(database) + "." + quote_identifier(schema) + "." +
           quote_identifier(name);
  }
};

class ResultImpl;

class SessionImpl : public Session, public std::enable_shared_from_this<SessionImpl> {
 public:
  SessionImpl(ClusterContext& cluster, std::shared_ptr<Database> database, SessionOptions options,
              std::int32_t process_id, std::int32_t cancel_key, std::shared_ptr<void> keep);
  ~SessionImpl() override;

  const SessionOptions& options() const override { return options_; }
  std::int32_t process_id() const override { return process_id_; }
  std::int32_t cancel_key() const override { return cancel_key_; }
  TransactionStatus transaction_status() const override { return status_; }
  std::optional<std::string> setting(const std::string& name) const override;
  Task<StatementPtr> prepare(std::string text, std::vector<std::uint32_t> oids) override;
  Task<ResultPtr> execute(StatementPtr statement, std::vector<ParameterValue> parameters,
                          ExecuteOptions options) override;
  Task<std::optional<std::string>> applied(std::string effect_id) override;
  Task<void> mark_applied(std::string effect_id, std::string answer) override;
  Task<void> fail_transaction() override;
  void cancel() override;
  Task<void> close() override;

 private:
  friend class ResultImpl;

  // session.cpp
  duckdb::Connection& connection();
  StatementPtr compile(std::string text, const std::vector<std::uint32_t>& oids);
  void compile_query(Compiled& compiled, const std::vector<std::uint32_t>& oids);
  void bind(Compiled& compiled, const std::vector<std::uint32_t>& oids);
  duckdb::unique_ptr<duckdb::PreparedStatement> plan(const Compiled& compiled,
                                                     const std::vector<std::uint32_t>& oids);
  duckdb::unique_ptr<duckdb::PreparedStatement> plan_with_types(
      Compiled& compiled, const std::vector<std::uint32_t>& oids);
  duckdb::case_insensitive_map_t<duckdb::BoundParameterData> parameter_values(
      const Compiled& compiled, const std::vector<ParameterValue>& parameters,
      duckdb::PreparedStatement& prepared);
  void check_matches(const Compiled& compiled, const std::vector<ParameterValue>& parameters);
  std::vector<std::string> lock_keys(const Compiled& compiled);
  Answer run(const Compiled& compiled, const std::vector<ParameterValue>& parameters,
             const ExecuteOptions& options);
  Answer run_syntax(const Compiled& compiled, const std::vector<ParameterValue>& parameters);
  Answer run_query(const Compiled& compiled, const std::vector<ParameterValue>& parameters);
  Answer run_explain(const Compiled& compiled);
  Answer run_once(const Compiled& compiled, const std::vector<ParameterValue>& parameters,
                  const std::string& effect_id);
  Answer run_transaction(const TransactionControl& control);
  void check_relations(const Lowered& lowered);
  bool schema_exists(const std::string& name);
  void check_identity(const Compiled& compiled);
  void begin_if_needed();
  void end_transaction(bool commit);
  void fail();  // after an error: roll back, mark
  void start_statement();
  void check_cancelled();
  std::int64_t execute_internal(const std::string& sql);  // rows changed; throws SqlError
  duckdb::unique_ptr<duckdb::MaterializedQueryResult> query_internal(const std::string& sql);
  std::int64_t execute_tree(duckdb::unique_ptr<duckdb::SQLStatement> statement,
                            const QueryText* text);
  LowerOptions lower_options(bool in_view) const;

  // session_ddl.cpp
  std::optional<Relation> find(const ObjectName& name);
  Relation require(const ObjectName& name);
  void check_database(const ObjectName& name) const;
  std::string target_schema(const ObjectName& name) const;
  std::map<std::string, std::string> tags_of(const Relation& relation);
  std::vector<Relation> dependents(const Relation& relation);
  void drop_relation(const Relation& relation, bool cascade, std::vector<std::string>& notices);
  Answer create_table(const Compiled& compiled, const CreateTable& create);
  bool may_create(const CreateTable& create, const std::string& schema, bool temporary,
                  std::vector<std::string>& notices);
  void copy_definition(const CreateTable& create, duckdb::CreateTableInfo& info);
  duckdb::unique_ptr<duckdb::ParsedExpression> identity_default(const duckdb::CreateTableInfo& info,
                                                                const ColumnSpec& column);
  void define_column(const Compiled& compiled, const ColumnSpec& column,
                     duckdb::CreateTableInfo& info);
  duckdb::unique_ptr<duckdb::SelectStatement> table_query(const QueryText& text,
                                                          const std::vector<std::string>& names);
  Answer create_view(const Compiled& compiled, const CreateView& create);
  Answer create_schema(const CreateSchema& create);
  Answer drop(const Drop& drop);
  void drop_schema(const std::string& name, const Drop& drop, std::vector<std::string>& notices);
  Answer alter_table(const Compiled& compiled, const AlterTable& alter);
  void add_column(const Compiled& compiled, const Relation& table, const ColumnSpec& column);
  void change_length(const Relation& table, const std::string& column, const TypeSpec& type);
  Answer comment(const Comment& comment);
  Answer truncate(const Truncate& truncate);

  // session_copy.cpp
  Answer copy(const CopyFrom& copy);
  Answer unload(const Unload& unload);
  void as_unloaded_texts(duckdb::SelectStatement& query);
  void record_load_error(const Relation& table, const SqlError& error);

  // session_set.cpp
  Answer set(const SetVariable& set);
  Answer show(const ShowVariable& show);
  void apply_search_path();

  ClusterContext& cluster_;
  std::shared_ptr<void> keep_;  // what cluster_ belongs to
  const std::shared_ptr<Database> database_;
  const SessionOptions options_;
  const std::int32_t process_id_, cancel_key_;
  std::atomic<TransactionStatus> status_{TransactionStatus::idle};
  bool begun_ = false;  // DuckDB's transaction of the block has begun
  bool read_only_ = false;
  std::map<std::string, std::string> settings_;
  std::vector<std::string> search_path_{"$user", "public"};
  std::shared_ptr<SessionFacts> facts_;
  std::weak_ptr<ResultImpl> open_result_;
  std::shared_ptr<duckdb::DuckDB> engine_;
  std::unique_ptr<duckdb::Connection> connection_;

  std::mutex running_mutex_;
  bool running_ = false;
  bool cancel_wanted_ = false;
  std::optional<Clock::TimerId> timeout_;
};

// Rows of text, for SHOW, EXPLAIN and the like.
duckdb::unique_ptr<duckdb::QueryResult> text_rows(duckdb::Connection& connection,
                                                  const std::string& column,
                                                  const std::vector<std::string>& rows);

}  // namespace tarn::sql
