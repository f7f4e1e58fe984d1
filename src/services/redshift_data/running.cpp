// SPDX-License-Identifier: Apache-2.0
// The job behind a statement, and the catalog operations, which ask the warehouse directly.
#include <algorithm>

#include <fmt/format.h>

#include "aws/paging.hpp"
#include "aws/redshift_data/errors.hpp"
#include "base/strings.hpp"
#include "services/redshift_data/service.hpp"
#include "services/redshift_data/shown.hpp"

namespace tarn::redshift_data {
namespace {

constexpr std::size_t k_page_bytes = 512 * 1024;
constexpr std::int64_t k_result_bytes_max = 500LL * 1024 * 1024;

std::string error_text(const sql::SqlError& error) {
  std::string text = fmt::format("ERROR: {}", error.message());
  if (error.position > 0) text += fmt::format("\n  Position: {}", error.position);
  if (!error.detail.empty()) text += "\n  Detail: " + error.detail;
  return text;
}

// `:name` parameters as numbers, with the values in that order.
std::string numbered(const StatementRecord& record, const std::string& sql,
                     std::vector<sql::ParameterValue>& values) {
  std::vector<std::string> names;
  std::string text = sql::number_parameters(sql, names);
  if (record.parameters.empty()) return sql;
  for (const auto& name : names) {
    const auto found = std::ranges::find(record.parameters, name,
                                         [](const auto& parameter) { return parameter.first; });
    if (found == record.parameters.end()) {
      throw sql::SqlError(sql::sqlstate::k_invalid_parameter_value,
                          fmt::format("there is no parameter :{}", name));
    }
    values.push_back({.bytes = found->second});
  }
  return text;
}

// Ends a session whichever way its task ends.
class Registered {
 public:
  Registered(std::mutex& mutex, std::map<std::string, sql::SessionPtr>& running, std::string id,
             sql::SessionPtr session)
      : mutex_(mutex),
        running_(running),
        id_(std::move(id)) {
    std::lock_guard lock(mutex_);
    running_[id_] = std::move(session);
  }
  ~Registered() {
    std::lock_guard lock(mutex_);
    running_.erase(id_);
  }

 private:
  std::mutex& mutex_;
  std::map<std::string, sql::SessionPtr>& running_;
  const std::string id_;
};

}  // namespace

sql::SessionPtr RedshiftData::open_session(const kernel::Scope& scope, const std::string& cluster,
                                           const std::string& user, const std::string& database) {
  const std::string key = scope.account + "/" + scope.region + "/" + cluster;
  const auto warehouse = warehouses_.find(key);
  if (!warehouse) {
    throw sql::SqlError(sql::sqlstate::k_undefined_object,
                        fmt::format("cluster {} not found", cluster));
  }
  sql::SessionOptions options;
  const std::string name = user == "IAM" ? warehouse->options().admin_user : user;
  if (const auto login = warehouses_.login(key, name, database)) options = login->session;
  options.user = name;
  options.database = database;
  options.cluster_id = key;
  options.application = "Redshift Data API";
  return warehouse->connect(std::move(options));
}

Task<void> RedshiftData::run(kernel::JobContextPtr job) {
  std::optional<StatementRecord> record;
  {
    auto txn = store_.begin(job->scope());
    record = txn.peek<StatementRecord>(job->id());
  }
  const kernel::Scope scope = job->scope();
  if (!record || record->status == Status::finished || record->status == Status::failed ||
      record->status == Status::aborted) {
    co_return;  // it had ended when the process did
  }
  Status outcome = Status::finished;
  std::string error;
  try {
    if (record->cancel_requested) throw sql::SqlError(sql::sqlstate::k_query_canceled, "cancelled");
    const auto session =
        open_session(scope, record->cluster, record->session_user, record->database);
    const Registered registered(mutex_, running_, record->id, session);
    record->status = Status::started;
    record->process_id = session->process_id();
    store_.transact(scope, [&](kernel::Txn& txn) { txn.put(*record); });
    co_await run_parts(scope, *record, session);
    co_await session->close();
  } catch (const sql::SqlError& failure) {
    const bool cancelled = failure.state == sql::sqlstate::k_query_canceled;
    outcome = cancelled ? Status::aborted : Status::failed;
    error = cancelled ? "" : error_text(failure);
  }
  finish(scope, *record, outcome, error);
  if (record->with_event) co_await announce(scope, *record);
}

Task<void> RedshiftData::run_parts(kernel::Scope scope, StatementRecord& record,
                                   sql::SessionPtr session) {
  if (!record.batch) {
    co_await run_part(scope, record, 0, session, record.id);
    co_return;
  }
  std::string begin = "BEGIN", commit = "COMMIT";
  // After a crash: the whole batch was committed, or nothing of it.
  const auto done = co_await session->applied(record.id);
  if (done) {
    const Json rows = parse_json(*done);
    for (std::size_t i = 0; i < record.parts.size(); ++i) {
      record.parts[i].status = Status::finished;
      record.parts[i].rows = rows.at(i).to_number<std::int64_t>();
    }
    co_return;
  }
  co_await session->run(begin);
  JsonArray rows;
  for (std::size_t i = 0; i < record.parts.size(); ++i) {
    co_await run_part(scope, record, i, session, "");
    rows.emplace_back(record.parts[i].rows);
  }
  std::string answer = dump_json(rows);
  co_await session->mark_applied(record.id, answer);
  co_await session->run(commit);
}

Task<void> RedshiftData::run_part(kernel::Scope scope, StatementRecord& record, std::size_t index,
                                  sql::SessionPtr session, std::string effect_id) {
  Part& part = record.parts[index];
  const auto begin = std::chrono::steady_clock::now();
  const auto end_part = [&](Status status) {
    part.status = status;
    part.updated = environment_.clock.now();
    part.duration_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                           std::chrono::steady_clock::now() - begin)
                           .count();
  };
  part.status = Status::started;
  try {
    std::vector<sql::ParameterValue> values;
    std::string text = numbered(record, part.sql, values);
    std::vector<std::uint32_t> types;
    const auto statement = co_await session->prepare(text, types);
    sql::ExecuteOptions options;
    if (!statement->returns_rows()) options.effect_id = effect_id;
    const auto result = co_await session->execute(statement, values, options);
    part.has_result = !result->columns().empty();
    co_await store_rows(scope, record, part, static_cast<std::int32_t>(index), result);
    part.rows = result->row_count();
    end_part(Status::finished);
  } catch (const sql::SqlError& failure) {
    end_part(failure.state == sql::sqlstate::k_query_canceled ? Status::aborted : Status::failed);
    part.error = error_text(failure);
    throw;
  }
}

Task<void> RedshiftData::store_rows(kernel::Scope scope, const StatementRecord& record, Part& part,
                                    std::int32_t index, sql::ResultPtr result) {
  part.columns.clear();
  part.bytes = 0;
  for (const auto& column : result->columns()) part.columns.push_back(result_column(column));
  std::string page = "[";
  std::int32_t number = 0;
  const auto store_page = [&] {
    page += "]";
    ResultPage stored{record.id, index, number++, std::move(page)};
    store_.transact(scope, [&](kernel::Txn& txn) { txn.put(stored); });
    page = "[";
  };
  while (true) {
    const auto batch = co_await result->next();
    if (!batch) break;
    for (std::size_t row = 0; row < batch->rows(); ++row) {
      if (page.size() > 1) page += ",";
      const std::size_t before = page.size();
      dump_json(row_json(*batch, result->columns(), row), page);
      part.bytes += static_cast<std::int64_t>(page.size() - before);
      if (part.bytes > k_result_bytes_max) {
        throw sql::SqlError(sql::sqlstate::k_out_of_memory,
                            "the result is larger than 500 MB, the most that the Data API returns");
      }
      if (page.size() >= k_page_bytes) store_page();
    }
  }
  if (part.has_result && (page.size() > 1 || number == 0)) store_page();
  part.pages = number;
}

void RedshiftData::finish(const kernel::Scope& scope, StatementRecord& record, Status status,
                          const std::string& error) {
  record.status = status;
  record.error = error;
  record.updated = environment_.clock.now();
  // The rest of a batch that failed never ran.
  for (auto& part : record.parts) {
    if (status != Status::finished && part.status != Status::failed) part.status = Status::aborted;
  }
  store_.transact(scope, [&](kernel::Txn& txn) { txn.put(record); });
}

Task<void> RedshiftData::announce(kernel::Scope scope, const StatementRecord& record) {
  const std::string arn =
      fmt::format("arn:aws:redshift:{}:{}:cluster:{}", scope.region, scope.account, record.cluster);
  const JsonObject detail{{"principal", record.principal_arn},
                          {"statementName", record.name},
                          {"statementId", record.id},
                          {"redshiftQueryId", 0},
                          {"state", status_name(record.status)},
                          {"rows", record.parts.back().rows},
                          {"expireAt", to_millis(record.created) / 1000 + 86'400}};
  JsonObject entry{{"Source", "aws.redshift-data"},
                   {"DetailType", "Redshift Data Statement Status Change"},
                   {"Resources", JsonArray{Json(arn)}},
                   {"Detail", dump_json(Json(detail))}};
  const auto identity =
      platform::service_identity("redshift-data.amazonaws.com", scope.account, arn);
  const auto call = environment_.call_as(identity, scope.region);
  Json input = JsonObject{{"Entries", JsonArray{Json(std::move(entry))}}};
  co_await call->invoke_json("events", "PutEvents", std::move(input));
}

Task<std::vector<std::vector<std::string>>> RedshiftData::query_texts(
    sql::SessionPtr session, std::string sql, std::vector<std::string> parameters) {
  std::vector<std::vector<std::string>> rows;
  std::vector<sql::ParameterValue> values;
  for (auto& parameter : parameters) values.push_back({.bytes = std::move(parameter)});
  sql::ExecuteOptions options;
  try {
    const auto result = co_await session->run(sql, values, options);
    while (true) {
      const auto batch = co_await result->next();
      if (!batch) break;
      for (std::size_t row = 0; row < batch->rows(); ++row) {
        auto& texts = rows.emplace_back(result->columns().size());
        for (std::size_t i = 0; i < texts.size(); ++i) {
          if (!batch->is_null(i, row)) batch->text(i, row, texts[i]);
        }
      }
    }
  } catch (const sql::SqlError& error) {
    throw ValidationException(error_text(error));
  }
  co_return rows;
}

namespace {

// Leaves the page that was asked for; the token of the next one.
template <class T, class In>
std::optional<std::string> take_page(std::vector<T>& all, const In& in, const char* operation) {
  std::int64_t from = 0;
  if (in.next_token) {
    const auto key = aws::decode_page_token(operation, *in.next_token);
    const auto number = key ? parse_int(*key) : std::nullopt;
    if (!number || *number < 0) throw ValidationException("NextToken is not valid.");
    from = std::min<std::int64_t>(*number, static_cast<std::int64_t>(all.size()));
  }
  all.erase(all.begin(), all.begin() + from);
  const auto max = static_cast<std::size_t>(in.max_results.value_or(1000));
  if (all.size() <= max) return std::nullopt;
  all.resize(max);
  return aws::encode_page_token(operation, std::to_string(from + static_cast<std::int64_t>(max)));
}

}  // namespace

Task<ListDatabasesOutput> RedshiftData::list_databases(CallPtr call, ListDatabasesInput in) {
  const Target target = co_await resolve(call, in);
  const auto warehouse =
      warehouses_.find(call->account() + "/" + call->region() + "/" + target.cluster);
  ListDatabasesOutput out;
  out.databases = warehouse->databases();
  out.next_token = take_page(*out.databases, in, "ListDatabases");
  co_return out;
}

Task<ListSchemasOutput> RedshiftData::list_schemas(CallPtr call, ListSchemasInput in) {
  const Target target = co_await resolve(call, in);
  const auto session =
      open_session(call->scope(), target.cluster, target.session_user, target.database);
  std::string sql =
      "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE $1 ORDER BY 1";
  std::vector<std::string> parameters{in.schema_pattern.value_or("%")};
  ListSchemasOutput out;
  out.schemas.emplace();
  for (auto& row : co_await query_texts(session, sql, parameters)) {
    out.schemas->push_back(std::move(row[0]));
  }
  out.next_token = take_page(*out.schemas, in, "ListSchemas");
  co_return out;
}

Task<ListTablesOutput> RedshiftData::list_tables(CallPtr call, ListTablesInput in) {
  const Target target = co_await resolve(call, in);
  const auto session =
      open_session(call->scope(), target.cluster, target.session_user, target.database);
  std::string sql =
      "SELECT table_name, table_type, table_schema FROM information_schema.tables "
      "WHERE table_schema LIKE $1 AND table_name LIKE $2 ORDER BY 3, 1";
  std::vector<std::string> parameters{in.schema_pattern.value_or("%"),
                                      in.table_pattern.value_or("%")};
  ListTablesOutput out;
  out.tables.emplace();
  for (const auto& row : co_await query_texts(session, sql, parameters)) {
    out.tables->push_back(
        {.name = row[0], .type = row[1] == "BASE TABLE" ? "TABLE" : row[1], .schema = row[2]});
  }
  out.next_token = take_page(*out.tables, in, "ListTables");
  co_return out;
}

Task<DescribeTableOutput> RedshiftData::describe_table(CallPtr call, DescribeTableInput in) {
  const Target target = co_await resolve(call, in);
  const auto session =
      open_session(call->scope(), target.cluster, target.session_user, target.database);
  std::string sql =
      "SELECT column_name, data_type, is_nullable, table_schema FROM information_schema.columns "
      "WHERE table_schema LIKE $1 AND table_name = $2 ORDER BY ordinal_position";
  std::vector<std::string> parameters{in.schema.value_or("%"), in.table.value_or("")};
  DescribeTableOutput out;
  out.table_name = in.table;
  out.column_list.emplace();
  for (const auto& row : co_await query_texts(session, sql, parameters)) {
    ColumnMetadata& column = out.column_list->emplace_back();
    column.name = row[0];
    column.label = row[0];
    column.type_name = row[1];
    column.nullable = row[2] == "YES" ? 1 : 0;
    column.schema_name = row[3];
    column.table_name = in.table;
  }
  out.next_token = take_page(*out.column_list, in, "DescribeTable");
  co_return out;
}

}  // namespace tarn::redshift_data
