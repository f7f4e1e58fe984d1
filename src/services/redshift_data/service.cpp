// SPDX-License-Identifier: Apache-2.0
#include "services/redshift_data/service.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "aws/paging.hpp"
#include "aws/redshift_data/errors.hpp"
#include "base/strings.hpp"
#include "platform/registry.hpp"
#include "services/redshift_data/shown.hpp"

namespace tarn::redshift_data {
namespace {

constexpr std::size_t k_sqls_max = 40;
constexpr std::size_t k_sql_bytes_max = 100 * 1024;
constexpr std::chrono::hours k_kept{24};

template <class In>
std::string cluster_arn(platform::Call& call, const In& in) {
  return fmt::format("arn:aws:redshift:{}:{}:cluster:{}", call.region(), call.account(),
                     in.cluster_identifier.value_or("*"));
}

template <class In>
void refuse_unsupported(const In& in, const char* operation) {
  const auto refuse = [&](const char* what) {
    throw aws::not_implemented("redshift-data", fmt::format("{} with {}", operation, what));
  };
  if (in.workgroup_name) refuse("WorkgroupName (Redshift Serverless)");
  if constexpr (requires { in.session_id; }) {
    if (in.session_id || in.session_keep_alive_seconds) refuse("sessions");
    if (in.result_format && *in.result_format != "JSON") refuse("ResultFormat CSV");
  }
}

void check_sql(const std::string& sql) {
  if (sql.size() > k_sql_bytes_max) {
    throw ValidationException(
        fmt::format("Cannot process query string larger than {}kB", k_sql_bytes_max / 1024));
  }
}

std::vector<std::pair<std::string, std::string>> parameters_of(
    const std::optional<std::vector<SqlParameter>>& given) {
  std::vector<std::pair<std::string, std::string>> parameters;
  if (!given) return parameters;
  for (const auto& parameter : *given) parameters.emplace_back(parameter.name, parameter.value);
  return parameters;
}

StatementRecord require_statement(kernel::Txn& txn, const std::string& id) {
  // A part of a batch is asked for as "id:2".
  auto record = txn.peek<StatementRecord>(id.substr(0, id.find(':')));
  if (!record) throw ResourceNotFoundException("Query does not exist.");
  return *std::move(record);
}

bool has_ended(Status status) {
  return status == Status::finished || status == Status::failed || status == Status::aborted;
}

}  // namespace

RedshiftData::RedshiftData(platform::Environment& environment, sql::Clusters& warehouses)
    : environment_(environment),
      store_(environment.store),
      warehouses_(warehouses) {
  kernel::Jobs::Type type;
  type.name = "redshift-data.statement";
  type.run = [this](kernel::JobContextPtr job) { return run(std::move(job)); };
  type.failed = [this](kernel::JobContextPtr job, const std::string& reason) {
    auto txn = store_.begin(job->scope());
    auto record = txn.peek<StatementRecord>(job->id());
    if (record) finish(job->scope(), *record, Status::failed, reason);
  };
  environment_.jobs.define(std::move(type));
}

void RedshiftData::operations(platform::OpTable& t) {
  const auto on_cluster = [](Call& call, const auto& in) { return cluster_arn(call, in); };
  t.op<ExecuteStatement>(&RedshiftData::execute_statement).on(on_cluster);
  t.op<BatchExecuteStatement>(&RedshiftData::batch_execute_statement).on(on_cluster);
  t.op<DescribeStatement>(&RedshiftData::describe_statement);
  t.op<GetStatementResult>(&RedshiftData::get_statement_result);
  t.op<CancelStatement>(&RedshiftData::cancel_statement);
  t.op<ListStatements>(&RedshiftData::list_statements);
  t.op<ListDatabases>(&RedshiftData::list_databases).on(on_cluster);
  t.op<ListSchemas>(&RedshiftData::list_schemas).on(on_cluster);
  t.op<ListTables>(&RedshiftData::list_tables).on(on_cluster);
  t.op<DescribeTable>(&RedshiftData::describe_table).on(on_cluster);
}

// What is older than a day goes, as in AWS.
void RedshiftData::start() {
  const Timestamp limit = environment_.clock.now() - k_kept;
  std::vector<std::pair<kernel::Scope, StatementRecord>> old;
  store_.scan_all(StatementRecord::k_kind,
                  [&](const kernel::Scope& scope, const std::string&, std::string_view value) {
                    auto record = kernel::decode_record<StatementRecord>(value);
                    if (record.created < limit && has_ended(record.status)) {
                      old.emplace_back(scope, std::move(record));
                    }
                    return true;
                  });
  for (const auto& [scope, record] : old) {
    store_.transact(scope, [&, &record = record](kernel::Txn& txn) {
      for (const auto& page : txn.list<ResultPage>(kernel::Key(record.id))) {
        txn.erase<ResultPage>(page.id, page.part, page.page);
      }
      if (!record.client_token.empty()) txn.erase<TokenRecord>(record.client_token);
      txn.erase<OrderRecord>(-to_micros(record.created), record.id);
      txn.erase<StatementRecord>(record.id);
    });
  }
}

// As whom: a secret's user (its password is checked), a database user (for whom the caller must be
// allowed to get credentials), or the caller.
Task<RedshiftData::Target> RedshiftData::resolve_target(CallPtr call, std::string cluster,
                                                        std::string database,
                                                        std::string secret_arn,
                                                        std::string db_user) {
  Target target{to_lower(cluster), std::move(database), std::move(secret_arn), std::move(db_user),
                ""};
  if (target.cluster.empty()) {
    throw ValidationException("Either ClusterIdentifier or WorkgroupName should be provided.");
  }
  if (target.database.empty()) throw ValidationException("Database should be provided.");
  const std::string key = call->account() + "/" + call->region() + "/" + target.cluster;
  if (!warehouses_.find(key)) {
    throw ValidationException(
        fmt::format("Redshift endpoint doesn't exist in this region. "
                    "Cluster {} not found.",
                    target.cluster));
  }
  if (target.secret_arn.empty()) {
    std::string user = target.db_user;
    if (!user.empty()) {
      call->registry().authorize(*call, "redshift:GetClusterCredentials",
                                 {fmt::format("arn:aws:redshift:{}:{}:dbuser:{}/{}", call->region(),
                                              call->account(), target.cluster, user)},
                                 std::nullopt);
    }
    target.session_user = user.empty() ? "IAM" : user;
    co_return target;
  }
  Json input = JsonObject{{"SecretId", target.secret_arn}};
  const Json secret =
      co_await call->invoke_json("secretsmanager", "GetSecretValue", std::move(input));
  Json content;
  try {
    content = parse_json(string_or(secret, "SecretString"));
  } catch (const JsonError&) {
    throw ValidationException("The secret is not a JSON object with username and password.");
  }
  target.session_user = string_or(content, "username");
  const auto login = warehouses_.login(key, target.session_user, target.database);
  const std::string password = string_or(content, "password");
  const bool fits = login && std::ranges::any_of(login->passwords, [&](const auto& known) {
                      return constant_time_equal(known, password);
                    });
  if (!fits) {
    throw ValidationException(
        fmt::format("FATAL: password authentication failed for user \"{}\"", target.session_user));
  }
  co_return target;
}

StatementRecord RedshiftData::submit(Call& call, StatementRecord record) {
  record.id = environment_.random.uuid();
  record.principal_arn = call.identity().arn;
  record.created = record.updated = call.now();
  for (auto& part : record.parts) part.created = part.updated = record.created;
  return store_.transact(call.scope(), [&](kernel::Txn& txn) {
    if (!record.client_token.empty()) {
      if (const auto made = txn.find_for_update<TokenRecord>(record.client_token)) {
        if (auto existing = txn.peek<StatementRecord>(made->id)) return *std::move(existing);
      }
      txn.put(TokenRecord{record.client_token, record.id});
    }
    txn.put(record);
    txn.put(OrderRecord{-to_micros(record.created), record.id});
    environment_.jobs.submit(txn, "redshift-data.statement", record.id, "");
    return record;
  });
}

Task<ExecuteStatementOutput> RedshiftData::execute_statement(CallPtr call,
                                                             ExecuteStatementInput in) {
  refuse_unsupported(in, "ExecuteStatement");
  check_sql(in.sql);
  const Target target = co_await resolve(call, in);
  StatementRecord record;
  record.cluster = target.cluster;
  record.database = target.database;
  record.secret_arn = target.secret_arn;
  record.db_user = target.db_user;
  record.session_user = target.session_user;
  record.name = in.statement_name.value_or("");
  record.client_token = in.client_token.value_or("");
  record.with_event = in.with_event.value_or(false);
  record.parameters = parameters_of(in.parameters);
  record.parts.push_back({.sql = in.sql});
  const auto made = submit(*call, std::move(record));
  ExecuteStatementOutput out;
  give_submitted(made, out);
  co_return out;
}

Task<BatchExecuteStatementOutput> RedshiftData::batch_execute_statement(
    CallPtr call, BatchExecuteStatementInput in) {
  refuse_unsupported(in, "BatchExecuteStatement");
  if (in.execution_mode && *in.execution_mode != "TRANSACTION") {
    throw aws::not_implemented("redshift-data", fmt::format("BatchExecuteStatement with "
                                                            "ExecutionMode {}",
                                                            *in.execution_mode));
  }
  if (in.sqls.empty() || in.sqls.size() > k_sqls_max) {
    throw ValidationException(fmt::format("Sqls must have 1 to {} statements.", k_sqls_max));
  }
  const Target target = co_await resolve(call, in);
  StatementRecord record;
  record.cluster = target.cluster;
  record.database = target.database;
  record.secret_arn = target.secret_arn;
  record.db_user = target.db_user;
  record.session_user = target.session_user;
  record.name = in.statement_name.value_or("");
  record.client_token = in.client_token.value_or("");
  record.with_event = in.with_event.value_or(false);
  record.parameters = parameters_of(in.parameters);
  record.batch = true;
  for (const auto& sql : in.sqls) {
    check_sql(sql);
    record.parts.push_back({.sql = sql});
  }
  const auto made = submit(*call, std::move(record));
  BatchExecuteStatementOutput out;
  give_submitted(made, out);
  co_return out;
}

Task<DescribeStatementOutput> RedshiftData::describe_statement(CallPtr call,
                                                               DescribeStatementInput in) {
  const Timestamp until = call->now() + Seconds(in.wait_time_seconds.value_or(0));
  while (true) {
    std::optional<StatementRecord> record;
    {
      auto txn = store_.begin(call->scope());
      record = require_statement(txn, in.id);
    }
    if (has_ended(record->status) || call->now() >= until) co_return shown(*record, in.id);
    co_await sleep_for(call->clock(), Milliseconds(50));
  }
}

GetStatementResultOutput RedshiftData::get_statement_result(Call& call,
                                                            const GetStatementResultInput& in) {
  auto txn = store_.begin(call.scope());
  const auto record = require_statement(txn, in.id);
  const std::size_t index = part_index(record, in.id);
  const Part& part = record.parts[index];
  if (part.status != Status::finished || !part.has_result) {
    throw ResourceNotFoundException(
        "Query does not have result. Please check query status with DescribeStatement.");
  }
  std::int32_t page = 0;
  if (in.next_token) {
    const auto key = aws::decode_page_token("GetStatementResult", *in.next_token);
    const auto number = key ? parse_int(*key) : std::nullopt;
    if (!number) throw ValidationException("NextToken is not valid.");
    page = static_cast<std::int32_t>(*number);
  }
  GetStatementResultOutput out;
  out.column_metadata = shown_columns(part.columns);
  out.total_num_rows = part.rows;
  const auto stored = txn.peek<ResultPage>(record.id, static_cast<std::int32_t>(index), page);
  if (stored) out.records = read_rows(stored->rows_json);
  if (page + 1 < part.pages) {
    out.next_token = aws::encode_page_token("GetStatementResult", std::to_string(page + 1));
  }
  return out;
}

CancelStatementOutput RedshiftData::cancel_statement(Call& call, const CancelStatementInput& in) {
  auto txn = store_.begin(call.scope());
  auto record = txn.find_for_update<StatementRecord>(in.id);
  if (!record) throw ResourceNotFoundException("Query does not exist.");
  if (has_ended(record->status)) {
    throw ValidationException(
        fmt::format("Could not cancel a query that is already in {} state with ID: {}",
                    status_name(record->status), in.id));
  }
  record->cancel_requested = true;
  txn.put(*record);
  txn.commit();
  environment_.jobs.cancel("redshift-data.statement", in.id);
  std::lock_guard lock(mutex_);
  const auto found = running_.find(in.id);
  if (found != running_.end()) found->second->cancel();
  return {.status = true};
}

ListStatementsOutput RedshiftData::list_statements(Call& call, const ListStatementsInput& in) {
  auto txn = store_.begin(call.scope());
  ListStatementsOutput out;
  const std::string wanted = in.status.value_or("FINISHED");
  const auto max = static_cast<std::size_t>(in.max_results.value_or(100));
  kernel::ScanOptions options;
  if (in.next_token) {
    const auto key = aws::decode_page_token("ListStatements", *in.next_token);
    if (!key) throw ValidationException("NextToken is not valid.");
    options.after = *key;
  }
  std::string last;
  txn.scan<OrderRecord>({}, options, [&](OrderRecord& order, const std::string& key) {
    const auto record = txn.peek<StatementRecord>(order.id);
    if (!record) return true;
    if (wanted != "ALL" && wanted != status_name(record->status)) return true;
    if (in.statement_name && !record->name.starts_with(*in.statement_name)) return true;
    if (in.cluster_identifier && record->cluster != *in.cluster_identifier) return true;
    if (in.database && record->database != *in.database) return true;
    if (out.statements.size() == max) {
      out.next_token = aws::encode_page_token("ListStatements", last);
      return false;
    }
    out.statements.push_back(shown_in_list(*record));
    last = key;
    return true;
  });
  return out;
}

}  // namespace tarn::redshift_data
