// SPDX-License-Identifier: Apache-2.0
// The Redshift Data API: statements that run without a connection, and their results. A statement
// is a durable job: accepted before a crash, it runs exactly once (its id is committed together
// with its changes), and its result survives.
#pragma once
#include <map>
#include <mutex>

#include "aws/redshift_data/operations.hpp"
#include "engines/sql/clusters.hpp"
#include "platform/service.hpp"
#include "services/redshift_data/records.hpp"

namespace tarn::redshift_data {

class RedshiftData : public platform::ServiceOf<RedshiftData> {
 public:
  RedshiftData(platform::Environment& environment, sql::Clusters& warehouses);
  std::string_view name() const override { return "redshift_data"; }
  std::string_view action_prefix() const override { return "redshift-data"; }
  void operations(platform::OpTable& t);
  void start() override;

 private:
  using Call = platform::Call;
  using CallPtr = platform::CallPtr;

  // Where and as whom a statement runs, from a request's common members.
  struct Target {
    std::string cluster, database, secret_arn, db_user, session_user;
  };
  template <class In>
  Task<Target> resolve(CallPtr call, const In& in) {
    std::string database;
    if constexpr (requires { in.connected_database; }) {
      database = in.connected_database.value_or(in.database);
    } else {
      database = in.database.value_or("");
    }
    return resolve_target(std::move(call), in.cluster_identifier.value_or(""), std::move(database),
                          in.secret_arn.value_or(""), in.db_user.value_or(""));
  }
  Task<Target> resolve_target(CallPtr call, std::string cluster, std::string database,
                              std::string secret_arn, std::string db_user);
  StatementRecord submit(Call& call, StatementRecord record);

  Task<ExecuteStatementOutput> execute_statement(CallPtr, ExecuteStatementInput);
  Task<BatchExecuteStatementOutput> batch_execute_statement(CallPtr, BatchExecuteStatementInput);
  Task<DescribeStatementOutput> describe_statement(CallPtr, DescribeStatementInput);
  GetStatementResultOutput get_statement_result(Call&, const GetStatementResultInput&);
  CancelStatementOutput cancel_statement(Call&, const CancelStatementInput&);
  ListStatementsOutput list_statements(Call&, const ListStatementsInput&);
  Task<ListDatabasesOutput> list_databases(CallPtr, ListDatabasesInput);
  Task<ListSchemasOutput> list_schemas(CallPtr, ListSchemasInput);
  Task<ListTablesOutput> list_tables(CallPtr, ListTablesInput);
  Task<DescribeTableOutput> describe_table(CallPtr, DescribeTableInput);

  // The job: runs the statement's parts, stores results and the outcome.
  Task<void> run(kernel::JobContextPtr job);
  Task<void> run_parts(kernel::Scope scope, StatementRecord& record, sql::SessionPtr session);
  Task<void> run_part(kernel::Scope scope, StatementRecord& record, std::size_t index,
                      sql::SessionPtr session, std::string effect_id);
  Task<void> store_rows(kernel::Scope scope, const StatementRecord& record, Part& part,
                        std::int32_t index, sql::ResultPtr result);
  void finish(const kernel::Scope& scope, StatementRecord& record, Status status,
              const std::string& error);
  Task<void> announce(kernel::Scope scope, const StatementRecord& record);
  sql::SessionPtr open_session(const kernel::Scope& scope, const std::string& cluster,
                               const std::string& user, const std::string& database);
  Task<std::vector<std::vector<std::string>>> query_texts(sql::SessionPtr session, std::string sql,
                                                          std::vector<std::string> parameters);

  platform::Environment& environment_;
  kernel::Store& store_;
  sql::Clusters& warehouses_;
  std::mutex mutex_;
  std::map<std::string, sql::SessionPtr> running_;  // by statement id, to be cancelled
};

}  // namespace tarn::redshift_data
