// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/session.hpp"

#include "base/log.hpp"
#include "base/strings.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/main/pending_query_result.hpp"
#include "duckdb/main/prepared_statement_data.hpp"
#include "duckdb/parser/statement/explain_statement.hpp"
#include "duckdb/parser/statement/insert_statement.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "engines/sql/results.hpp"

namespace tarn::sql {

SessionImpl::SessionImpl(ClusterContext& cluster, std::shared_ptr<Database> database,
                         SessionOptions options, std::int32_t process_id, std::int32_t cancel_key,
                         std::shared_ptr<void> keep)
    : cluster_(cluster),
      keep_(std::move(keep)),
      database_(std::move(database)),
      options_(std::move(options)),
      process_id_(process_id),
      cancel_key_(cancel_key),
      facts_(std::make_shared<SessionFacts>()) {
  facts_->user = options_.user;
  facts_->database = database_->name();
  facts_->schema = "public";
  facts_->process_id = process_id_;
}

SessionImpl::~SessionImpl() {
  if (timeout_) cluster_.clock.cancel(*timeout_);
  cluster_.locks.release(process_id_);
  cluster_.forget(process_id_);
  connection_.reset();
  database_->touch(to_micros(cluster_.clock.now()));
  engine_.reset();
}

duckdb::Connection& SessionImpl::connection() {
  if (connection_) return *connection_;
  engine_ = database_->open(to_micros(cluster_.clock.now()));
  auto opened = std::make_unique<duckdb::Connection>(*engine_);
  {
    std::lock_guard lock(running_mutex_);  // `cancel` looks at it from other threads
    connection_ = std::move(opened);
  }
  // DuckDB's pointer that shares ownership with ours.
  connection_->context->registered_state->Insert(
      SessionFacts::k_key, duckdb::shared_ptr<duckdb::ClientContextState>(
                               std::shared_ptr<duckdb::ClientContextState>(facts_)));
  execute_internal("USE " + quote_identifier(database_->name()) + ".public");
  apply_search_path();
  return *connection_;
}

LowerOptions SessionImpl::lower_options(bool in_view) const {
  LowerOptions options;
  options.database = database_->name();
  options.in_view = in_view;
  return options;
}

// ---- compiling

Task<StatementPtr> SessionImpl::prepare(std::string text, std::vector<std::uint32_t> oids) {
  auto self = shared_from_this();
  {
    std::lock_guard lock(running_mutex_);
    cancel_wanted_ = false;
  }
  auto work = [self, text = std::move(text), oids = std::move(oids)] {
    try {
      auto compiled = self->compile(text, oids);
      self->check_cancelled();
      return compiled;
    } catch (...) {
      self->fail();  // any error ends the transaction, also one of syntax
      throw;
    }
  };
  StatementPtr statement = co_await run_on(cluster_.pool, std::move(work));
  co_return statement;
}

namespace {

std::string kind_of(const Syntax& syntax) {
  struct Visitor {
    std::string operator()(const Nothing&) { return ""; }
    std::string operator()(const Query& q) { return q.kind; }
    std::string operator()(const CreateTable& c) {
      return c.query.empty() ? "CREATE TABLE" : "CREATE TABLE AS";
    }
    std::string operator()(const CreateView&) { return "CREATE VIEW"; }
    std::string operator()(const CreateSchema&) { return "CREATE SCHEMA"; }
    std::string operator()(const CreateDatabase&) { return "CREATE DATABASE"; }
    std::string operator()(const Drop& d) { return "DROP " + d.kind; }
    std::string operator()(const AlterTable& a) { return a.view ? "ALTER VIEW" : "ALTER TABLE"; }
    std::string operator()(const AlterSchema&) { return "ALTER SCHEMA"; }
    std::string operator()(const Truncate&) { return "TRUNCATE TABLE"; }
    std::string operator()(const Comment&) { return "COMMENT"; }
    std::string operator()(const TransactionControl& t) { return t.tag; }
    std::string operator()(const SetVariable& s) { return s.to_default ? "RESET" : "SET"; }
    std::string operator()(const ShowVariable&) { return "SHOW"; }
    std::string operator()(const Lock&) { return "LOCK TABLE"; }
    std::string operator()(const Grant& g) { return g.revoke ? "REVOKE" : "GRANT"; }
    std::string operator()(const NoEffect& n) { return n.tag; }
    std::string operator()(const Explain&) { return "EXPLAIN"; }
    std::string operator()(const CopyFrom&) { return "COPY"; }
    std::string operator()(const Unload&) { return "UNLOAD"; }
  };
  return std::visit(Visitor(), syntax);
}

}  // namespace

StatementPtr SessionImpl::compile(std::string text, const std::vector<std::uint32_t>& oids) {
  auto compiled = std::make_shared<Compiled>();
  compiled->source = std::move(text);
  compiled->tokens = tokenize(compiled->source);
  TokenCursor cursor(compiled->tokens, compiled->source);
  compiled->syntax = parse_statement(cursor);
  compiled->kind_name = kind_of(compiled->syntax);
  if (const auto* control = std::get_if<TransactionControl>(&compiled->syntax)) {
    compiled->ends = control->action != TransactionControl::Action::begin;
  }
  if (status_ == TransactionStatus::failed && !compiled->ends && !compiled->is_empty()) {
    throw SqlError(sqlstate::k_in_failed_transaction,
                   "current transaction is aborted, commands ignored until end of transaction "
                   "block");
  }
  if (std::holds_alternative<Query>(compiled->syntax) ||
      std::holds_alternative<Explain>(compiled->syntax)) {
    compile_query(*compiled, oids);
  } else if (const auto* show = std::get_if<ShowVariable>(&compiled->syntax)) {
    if (!setting(show->name)) {
      throw SqlError(sqlstate::k_undefined_object,
                     "unrecognized configuration parameter \"" + show->name + "\"");
    }
    compiled->rows = true;
    compiled->result_columns = {{show->name, {oid::k_varchar, -1}}};
  }
  return compiled;
}

void SessionImpl::compile_query(Compiled& compiled, const std::vector<std::uint32_t>& oids) {
  if (const auto open = open_result_.lock()) open->detach();
  const auto* query = std::get_if<Query>(&compiled.syntax);
  const auto range = query ? query->text : std::get<Explain>(compiled.syntax).query;
  compiled.query_text = write_query(compiled.source, compiled.tokens, range);
  LowerOptions options = lower_options(false);
  options.parameter_oids = oids;
  compiled.query = lower_query(compiled.query_text, options);
  check_relations(*compiled.query);
  bind(compiled, oids);
  if (!query) {
    compiled.rows = true;
    compiled.result_columns = {{"QUERY PLAN", {oid::k_varchar, -1}}};
  }
}

// DuckDB would look for a file of an unknown name.
void SessionImpl::check_relations(const Lowered& lowered) {
  for (const auto* uses : {&lowered.reads, &lowered.writes}) {
    for (const auto& use : *uses) {
      const ObjectName name{use.database, use.schema, use.name, use.position};
      if (find(name)) continue;
      if (!use.schema.empty() && !schema_exists(use.schema)) {
        throw SqlError(sqlstate::k_undefined_schema, "schema \"" + use.schema + "\" does not exist",
                       use.position);
      }
      throw SqlError(sqlstate::k_undefined_table,
                     "relation \"" + (use.schema.empty() ? "" : use.schema + ".") + use.name +
                         "\" does not exist",
                     use.position);
    }
  }
}

duckdb::unique_ptr<duckdb::PreparedStatement> SessionImpl::plan(const Compiled& compiled,
                                                                const std::vector<std::uint32_t>&) {
  auto& duck = connection();
  auto prepared = duck.Prepare(compiled.query->statement->Copy());
  if (prepared->HasError()) throw translate(prepared->error, &compiled.query_text);
  return prepared;
}

// Where nothing tells the type of a parameter, it is a text, as in PostgreSQL.
duckdb::unique_ptr<duckdb::PreparedStatement> SessionImpl::plan_with_types(
    Compiled& compiled, const std::vector<std::uint32_t>& oids) {
  auto prepared = plan(compiled, oids);
  const auto is_open = [](duckdb::PreparedStatement& statement) {
    const auto& types = statement.GetTypes();
    return types.size() == 1 && types[0].id() == duckdb::LogicalTypeId::UNKNOWN;
  };
  if (!is_open(*prepared)) return prepared;
  LowerOptions options = lower_options(false);
  options.parameter_oids = oids;
  options.untyped_are_text = true;
  std::optional<Lowered> before = std::move(compiled.query);
  compiled.query = lower_query(compiled.query_text, options);
  try {
    auto again = plan(compiled, oids);
    if (!is_open(*again)) return again;
  } catch (const SqlError&) {}  // a text does not fit there: its value will tell
  if (compiled.query->statement->type == duckdb::StatementType::SELECT_STATEMENT) {
    throw SqlError("42P18", "could not determine data type of a parameter: cast it to its type");
  }
  compiled.query = std::move(before);
  return prepared;
}

void SessionImpl::bind(Compiled& compiled, const std::vector<std::uint32_t>& oids) {
  const auto prepared = plan_with_types(compiled, oids);
  compiled.rows = compiled.query->statement->type == duckdb::StatementType::SELECT_STATEMENT;
  const auto expected = prepared->GetExpectedParameterTypes();
  for (std::size_t i = 0; i < compiled.query->parameters; ++i) {
    ColumnType parameter{oid::k_varchar, -1};
    if (i < oids.size() && oids[i] != 0 && oids[i] != oid::k_unknown) {
      parameter.oid = oids[i];
    } else if (const auto found = expected.find(std::to_string(i + 1));
               found != expected.end() && found->second.id() != duckdb::LogicalTypeId::UNKNOWN) {
      parameter = column_type(found->second);
    }
    compiled.parameter_types.push_back(parameter);
  }
  if (!compiled.rows) return;
  const auto& types = prepared->GetTypes();
  const auto& names = prepared->GetNames();
  for (std::size_t i = 0; i < types.size(); ++i) {
    compiled.result_columns.push_back({names[i], column_type(types[i])});
  }
}

// ---- executing

Task<ResultPtr> SessionImpl::execute(StatementPtr statement, std::vector<ParameterValue> parameters,
                                     ExecuteOptions options) {
  auto self = shared_from_this();
  auto compiled = std::static_pointer_cast<const Compiled>(statement);
  {
    std::lock_guard lock(running_mutex_);
    running_ = true;
    cancel_wanted_ = false;
  }
  std::exception_ptr failure;
  std::shared_ptr<ResultImpl> result;
  try {
    auto keys_of = [self, compiled] { return self->lock_keys(*compiled); };
    std::vector<std::string> keys = co_await run_on(cluster_.pool, keys_of);
    if (!keys.empty()) co_await cluster_.locks.acquire(process_id_, std::move(keys));
    auto work = [self, compiled, parameters = std::move(parameters), options] {
      return std::make_shared<ResultImpl>(self, self->run(*compiled, parameters, options));
    };
    result = co_await run_on(cluster_.pool, std::move(work));
    open_result_ = result;
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure && !statement->is_empty()) {
    auto undo = [self] { self->fail(); };
    co_await run_on(cluster_.pool, undo);
  }
  if (status_ != TransactionStatus::in_transaction) cluster_.locks.release(process_id_);
  {
    std::lock_guard lock(running_mutex_);
    running_ = false;
    if (timeout_) cluster_.clock.cancel(*timeout_);
    timeout_.reset();
  }
  if (failure) std::rethrow_exception(failure);
  co_return result;
}

Task<void> SessionImpl::fail_transaction() {
  if (status_ != TransactionStatus::in_transaction) co_return;
  auto self = shared_from_this();
  auto undo = [self] { self->fail(); };
  co_await run_on(cluster_.pool, undo);
  cluster_.locks.release(process_id_);
}

std::vector<std::string> SessionImpl::lock_keys(const Compiled& compiled) {
  if (status_ == TransactionStatus::failed) return {};
  std::vector<std::string> keys;
  const auto add = [&](const ObjectName& name) {
    const auto relation = find(name);
    if (relation && !relation->temporary())
      keys.push_back(database_->name() + "." + relation->key());
  };
  if (compiled.query && !std::holds_alternative<Explain>(compiled.syntax)) {
    for (const auto& use : compiled.query->writes) add({use.database, use.schema, use.name, 0});
  } else if (const auto* drop = std::get_if<Drop>(&compiled.syntax)) {
    if (drop->kind == "TABLE" || drop->kind == "VIEW") {
      for (const auto& name : drop->names) add(name);
    }
  } else if (const auto* alter = std::get_if<AlterTable>(&compiled.syntax)) {
    add(alter->name);
  } else if (const auto* truncate = std::get_if<Truncate>(&compiled.syntax)) {
    add(truncate->name);
  } else if (const auto* copy = std::get_if<CopyFrom>(&compiled.syntax)) {
    add(copy->table);
  } else if (const auto* lock = std::get_if<Lock>(&compiled.syntax)) {
    for (const auto& name : lock->names) add(name);
  }
  return keys;
}

void SessionImpl::check_cancelled() {
  std::lock_guard lock(running_mutex_);
  if (cancel_wanted_) {
    throw SqlError(sqlstate::k_query_canceled, "Query cancelled on user's request");
  }
}

void SessionImpl::start_statement() {
  const std::int64_t now = to_micros(cluster_.clock.now());
  facts_->statement_micros = now;
  if (status_ == TransactionStatus::idle) facts_->transaction_micros = now;
  database_->touch(now);
  check_cancelled();
  std::lock_guard lock(running_mutex_);
  const auto limit = settings_.find("statement_timeout");
  const auto millis = limit == settings_.end() ? std::nullopt : parse_int(limit->second);
  if (millis && *millis > 0) {
    timeout_ = cluster_.clock.call_at(cluster_.clock.now() + Milliseconds(*millis),
                                      [weak = weak_from_this()] {
                                        if (const auto self = weak.lock()) self->cancel();
                                      });
  }
}

Answer SessionImpl::run(const Compiled& compiled, const std::vector<ParameterValue>& parameters,
                        const ExecuteOptions& options) {
  if (compiled.is_empty()) return {};
  if (status_ == TransactionStatus::failed && !compiled.ends) {
    throw SqlError(sqlstate::k_in_failed_transaction,
                   "current transaction is aborted, commands ignored until end of transaction "
                   "block");
  }
  start_statement();
  if (const auto open = open_result_.lock()) open->detach();
  if (const auto* control = std::get_if<TransactionControl>(&compiled.syntax)) {
    return run_transaction(*control);
  }
  if (!options.effect_id.empty() && !compiled.rows) {
    return run_once(compiled, parameters, options.effect_id);
  }
  return run_syntax(compiled, parameters);
}

Answer SessionImpl::run_syntax(const Compiled& compiled,
                               const std::vector<ParameterValue>& parameters) {
  begin_if_needed();
  const Syntax& syntax = compiled.syntax;
  if (std::holds_alternative<Query>(syntax)) return run_query(compiled, parameters);
  if (std::holds_alternative<Explain>(syntax)) return run_explain(compiled);
  if (const auto* s = std::get_if<SetVariable>(&syntax)) return set(*s);
  if (const auto* s = std::get_if<ShowVariable>(&syntax)) return show(*s);
  if (const auto* s = std::get_if<CreateDatabase>(&syntax)) {
    if (status_ != TransactionStatus::idle) {
      throw SqlError(sqlstate::k_active_transaction,
                     "CREATE DATABASE cannot run inside a transaction block");
    }
    cluster_.create_database(s->name);
    return {compiled.kind_name};
  }
  if (const auto* s = std::get_if<NoEffect>(&syntax)) {
    if (s->tag == "VACUUM" && status_ != TransactionStatus::idle) {
      throw SqlError(sqlstate::k_active_transaction,
                     "VACUUM cannot run inside a transaction block");
    }
    if (s->table) require(*s->table);
    return {s->tag};
  }
  // The rest changes the catalog or rows in several steps: all of them or none.
  const bool own = status_ == TransactionStatus::idle && !begun_;
  if (own) {
    connection().BeginTransaction();
    begun_ = true;
  }
  Answer answer;
  if (const auto* s = std::get_if<CreateTable>(&syntax))
    answer = create_table(compiled, *s);
  else if (const auto* v = std::get_if<CreateView>(&syntax))
    answer = create_view(compiled, *v);
  else if (const auto* c = std::get_if<CreateSchema>(&syntax))
    answer = create_schema(*c);
  else if (const auto* d = std::get_if<Drop>(&syntax))
    answer = drop(*d);
  else if (const auto* a = std::get_if<AlterTable>(&syntax))
    answer = alter_table(compiled, *a);
  else if (const auto* t = std::get_if<Truncate>(&syntax))
    answer = truncate(*t);
  else if (const auto* m = std::get_if<Comment>(&syntax))
    answer = comment(*m);
  else if (const auto* f = std::get_if<CopyFrom>(&syntax))
    answer = copy(*f);
  else if (const auto* u = std::get_if<Unload>(&syntax))
    answer = unload(*u);
  else if (const auto* g = std::get_if<Grant>(&syntax)) {
    execute_internal("INSERT INTO " + quote_identifier(database_->name()) +
                     ".tarn.grants VALUES (" + quote_literal(g->text) + ", " +
                     quote_literal(options_.user) + ", tarn_getdate())");
    answer = {compiled.kind_name};
  } else if (std::holds_alternative<Lock>(syntax)) {
    if (status_ == TransactionStatus::idle) {
      throw SqlError("25P01", "LOCK can only be used in transaction blocks");
    }
    answer = {compiled.kind_name};
  } else {
    not_supported(compiled.kind_name);
  }
  if (own && begun_) end_transaction(true);
  return answer;
}

void SessionImpl::begin_if_needed() {
  if (status_ == TransactionStatus::in_transaction && !begun_) {
    connection().BeginTransaction();
    begun_ = true;
  }
}

void SessionImpl::end_transaction(bool commit) {
  if (!begun_) return;
  begun_ = false;
  try {
    if (commit)
      connection().Commit();
    else
      connection().Rollback();
  } catch (const duckdb::Exception&) {
    if (!commit) return;  // nothing is left to undo
    rethrow_translated(nullptr);
  }
}

void SessionImpl::fail() {
  if (begun_) {
    if (const auto open = open_result_.lock()) {
      try {
        open->detach();
      } catch (const SqlError&) {}
    }
    end_transaction(false);
    if (connection_) apply_search_path();
  }
  if (status_ == TransactionStatus::in_transaction) status_ = TransactionStatus::failed;
}

Answer SessionImpl::run_transaction(const TransactionControl& control) {
  using Action = TransactionControl::Action;
  if (control.action == Action::begin) {
    if (status_ == TransactionStatus::in_transaction) {
      Answer answer{control.tag};
      answer.notices.push_back("WARNING:there is already a transaction in progress");
      return answer;
    }
    // DuckDB's begins with the first statement, whose locks come before its snapshot.
    status_ = TransactionStatus::in_transaction;
    return {control.tag};
  }
  const bool failed = status_ == TransactionStatus::failed;
  const bool outside = status_ == TransactionStatus::idle;
  status_ = TransactionStatus::idle;
  end_transaction(control.action == Action::commit && !failed);
  if (connection_) apply_search_path();
  Answer answer{failed ? "ROLLBACK" : control.tag};
  if (outside) answer.notices.push_back("WARNING:there is no transaction in progress");
  return answer;
}

namespace {

duckdb::LogicalType expected_type(const duckdb::case_insensitive_map_t<duckdb::LogicalType>& types,
                                  std::size_t index) {
  const auto found = types.find(std::to_string(index + 1));
  return found == types.end() ? duckdb::LogicalType(duckdb::LogicalTypeId::INVALID) : found->second;
}

std::int64_t count_of(duckdb::QueryResult& result) {
  auto& rows = result.Cast<duckdb::MaterializedQueryResult>();
  if (rows.RowCount() == 0 || rows.ColumnCount() == 0) return 0;
  const auto value = rows.GetValue(0, 0);
  return value.IsNull() ? 0 : value.GetValue<std::int64_t>();
}

}  // namespace

duckdb::case_insensitive_map_t<duckdb::BoundParameterData> SessionImpl::parameter_values(
    const Compiled& compiled, const std::vector<ParameterValue>& parameters,
    duckdb::PreparedStatement& prepared) {
  const auto types = prepared.GetExpectedParameterTypes();
  duckdb::case_insensitive_map_t<duckdb::BoundParameterData> values;
  for (std::size_t i = 0; i < compiled.query->parameters; ++i) {
    const std::string name = std::to_string(i + 1);
    if (!prepared.named_param_map.contains(name)) continue;
    values[name] = duckdb::BoundParameterData(parameter_value(*connection().context, parameters[i],
                                                              compiled.parameter_types[i].oid,
                                                              expected_type(types, i)));
  }
  return values;
}

// MERGE may not change one row twice.
void SessionImpl::check_matches(const Compiled& compiled,
                                const std::vector<ParameterValue>& parameters) {
  auto prepared = connection().Prepare(compiled.query->several_matches->Copy());
  if (prepared->HasError()) throw translate(prepared->error, &compiled.query_text);
  auto values = parameter_values(compiled, parameters, *prepared);
  auto result = prepared->Execute(values, false);
  if (result->HasError()) throw translate(result->GetErrorObject(), &compiled.query_text);
  if (result->Cast<duckdb::MaterializedQueryResult>().RowCount() > 0) {
    throw SqlError("21000", "Found multiple matches to update the same tuple.");
  }
}

Answer SessionImpl::run_query(const Compiled& compiled,
                              const std::vector<ParameterValue>& parameters) {
  if (parameters.size() < compiled.query->parameters) {
    throw SqlError(sqlstate::k_protocol_violation,
                   "bind message supplies " + std::to_string(parameters.size()) +
                       " parameters, but prepared statement requires " +
                       std::to_string(compiled.query->parameters));
  }
  check_identity(compiled);
  const bool own = compiled.query->several_matches && status_ == TransactionStatus::idle && !begun_;
  Answer answer;
  try {
    if (own) {  // both see the same rows
      connection().BeginTransaction();
      begun_ = true;
    }
    if (compiled.query->several_matches) check_matches(compiled, parameters);
    const auto prepared = plan(compiled, {});
    auto values = parameter_values(compiled, parameters, *prepared);
    auto pending = prepared->PendingQuery(values, compiled.rows);
    if (pending->HasError()) throw translate(pending->GetErrorObject(), &compiled.query_text);
    check_cancelled();  // from here on DuckDB keeps an interrupt; before, it forgets it
    auto result = pending->Execute();
    if (result->HasError()) throw translate(result->GetErrorObject(), &compiled.query_text);
    if (compiled.rows) {
      answer.tag = "SELECT";
      for (std::size_t i = 0; i < result->types.size(); ++i) {
        answer.columns.push_back({result->names[i], column_type(result->types[i])});
      }
      answer.rows = std::move(result);
    } else {
      answer.count = count_of(*result);
      answer.tag = compiled.kind_name + (compiled.kind_name == "INSERT" ? " 0 " : " ") +
                   std::to_string(answer.count);
    }
  } catch (const duckdb::Exception&) {
    rethrow_translated(&compiled.query_text);
  }
  if (own) end_transaction(true);
  return answer;
}

// An IDENTITY column takes no value from the user.
void SessionImpl::check_identity(const Compiled& compiled) {
  if (compiled.query->statement->type != duckdb::StatementType::INSERT_STATEMENT) return;
  auto& insert = compiled.query->statement->Cast<duckdb::InsertStatement>();
  const auto relation = find({insert.catalog, insert.schema, insert.table, 0});
  if (!relation || relation->view) return;
  const auto tags = tags_of(*relation);
  for (const auto& [tag, value] : tags) {
    if (!tag.starts_with("identity:") || value == "default") continue;
    const std::string column = tag.substr(9);
    for (const auto& named : insert.columns) {
      if (named == column) {
        throw SqlError(sqlstate::k_feature_not_supported,
                       "cannot set an identity column to a value");
      }
    }
    if (insert.columns.empty() && !insert.default_values) {
      throw SqlError(sqlstate::k_feature_not_supported,
                     "INSERT into a table with an identity column needs a list of columns");
    }
  }
}

Answer SessionImpl::run_explain(const Compiled& compiled) {
  auto explain = duckdb::make_uniq<duckdb::ExplainStatement>(compiled.query->statement->Copy());
  auto result = connection().Query(std::move(explain));
  if (result->HasError()) throw translate(result->GetErrorObject(), &compiled.query_text);
  std::vector<std::string> lines;
  for (std::size_t row = 0; row < result->RowCount(); ++row) {
    for (const auto& line : split(result->GetValue(1, row).ToString(), '\n')) {
      if (!line.empty()) lines.push_back(line);
    }
  }
  Answer answer;
  answer.tag = "EXPLAIN";
  answer.columns = compiled.result_columns;
  answer.rows = text_rows(connection(), "QUERY PLAN", lines);
  return answer;
}

// ---- effects

Answer SessionImpl::run_once(const Compiled& compiled,
                             const std::vector<ParameterValue>& parameters,
                             const std::string& effect_id) {
  if (status_ != TransactionStatus::idle) {
    throw SqlError(sqlstate::k_active_transaction,
                   "an effect id needs a statement outside of a transaction block");
  }
  const std::string table = quote_identifier(database_->name()) + ".tarn.applied";
  connection().BeginTransaction();
  begun_ = true;
  const auto stored = query_internal("SELECT answer FROM " + table +
                                     " WHERE effect_id = " + quote_literal(effect_id));
  if (stored->RowCount() > 0) {
    const std::string text = stored->GetValue(0, 0).ToString();
    const std::size_t bar = text.find('|');
    end_transaction(false);
    Answer answer{text.substr(bar + 1)};
    answer.count = parse_int(text.substr(0, bar)).value_or(-1);
    return answer;
  }
  Answer answer = run_syntax(compiled, parameters);
  if (!begun_) {  // TRUNCATE and such committed on their own
    connection().BeginTransaction();
    begun_ = true;
  }
  execute_internal("INSERT INTO " + table + " VALUES (" + quote_literal(effect_id) + ", " +
                   quote_literal(std::to_string(answer.count) + "|" + answer.tag) +
                   ", tarn_getdate())");
  end_transaction(true);
  return answer;
}

Task<std::optional<std::string>> SessionImpl::applied(std::string effect_id) {
  auto self = shared_from_this();
  auto work = [self, effect_id]() -> std::optional<std::string> {
    self->connection();
    const auto stored =
        self->query_internal("SELECT answer FROM " + quote_identifier(self->database_->name()) +
                             ".tarn.applied WHERE effect_id = " + quote_literal(effect_id));
    if (stored->RowCount() == 0) return std::nullopt;
    return stored->GetValue(0, 0).ToString();
  };
  std::optional<std::string> answer = co_await run_on(cluster_.pool, work);
  co_return answer;
}

Task<void> SessionImpl::mark_applied(std::string effect_id, std::string answer) {
  auto self = shared_from_this();
  auto work = [self, effect_id, answer] {
    if (self->status_ != TransactionStatus::in_transaction) {
      throw SqlError(sqlstate::k_internal, "an effect is marked inside of a transaction block");
    }
    self->begin_if_needed();
    self->execute_internal("INSERT INTO " + quote_identifier(self->database_->name()) +
                           ".tarn.applied VALUES (" + quote_literal(effect_id) + ", " +
                           quote_literal(answer) + ", tarn_getdate())");
  };
  co_await run_on(cluster_.pool, work);
}

// ---- plumbing

duckdb::unique_ptr<duckdb::MaterializedQueryResult> SessionImpl::query_internal(
    const std::string& sql) {
  auto result = connection().Query(sql);
  if (result->HasError()) throw translate(result->GetErrorObject(), nullptr);
  return result;
}

std::int64_t SessionImpl::execute_internal(const std::string& sql) {
  const auto result = query_internal(sql);
  if (result->properties.return_type != duckdb::StatementReturnType::CHANGED_ROWS) return 0;
  return count_of(*result);
}

std::int64_t SessionImpl::execute_tree(duckdb::unique_ptr<duckdb::SQLStatement> statement,
                                       const QueryText* text) {
  try {
    const auto result = connection().Query(std::move(statement));
    if (result->HasError()) throw translate(result->GetErrorObject(), text);
    if (result->properties.return_type != duckdb::StatementReturnType::CHANGED_ROWS) return 0;
    return count_of(*result);
  } catch (const duckdb::Exception&) {
    rethrow_translated(text);
  }
}

duckdb::unique_ptr<duckdb::QueryResult> text_rows(duckdb::Connection& connection,
                                                  const std::string& column,
                                                  const std::vector<std::string>& rows) {
  std::string sql = "SELECT * FROM (VALUES ";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    sql += (i ? ", (" : "(") + quote_literal(rows[i]) + ")";
  }
  if (rows.empty()) sql += "(NULL::VARCHAR)";
  sql += ") AS t(" + quote_identifier(column) + ")";
  if (rows.empty()) sql += " WHERE false";
  auto result = connection.Query(sql);
  if (result->HasError()) throw translate(result->GetErrorObject(), nullptr);
  return std::move(result);
}

void SessionImpl::cancel() {
  cluster_.locks.cancel(process_id_);
  std::lock_guard lock(running_mutex_);
  cancel_wanted_ = true;
  if (connection_) connection_->Interrupt();
}

Task<void> SessionImpl::close() {
  auto self = shared_from_this();
  auto work = [self] {
    if (const auto open = self->open_result_.lock()) {
      try {
        open->detach();
      } catch (const SqlError&) {}
    }
    self->end_transaction(false);
    self->status_ = TransactionStatus::idle;
    {
      std::lock_guard lock(self->running_mutex_);
      self->connection_.reset();
    }
    self->engine_.reset();
    self->database_->touch(to_micros(self->cluster_.clock.now()));
  };
  co_await run_on(cluster_.pool, work);
  cluster_.locks.release(process_id_);
}

}  // namespace tarn::sql
