// SPDX-License-Identifier: Apache-2.0
// Functions of the session: who, where, when. Time comes from Tarn's clock, so that a moved clock
// moves GETDATE(); it stands still within a statement (SYSDATE: within a transaction).
#include "duckdb/execution/expression_executor_state.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engines/sql/date_parts.hpp"
#include "engines/sql/engine.hpp"

namespace tarn::sql {

SessionFacts& SessionFacts::of(duckdb::ClientContext& context) {
  auto facts = context.registered_state->Get<SessionFacts>(k_key);
  if (!facts) raise(sqlstate::k_internal, "not inside of a session");
  return *facts;
}

namespace {

using duckdb::DataChunk;
using duckdb::ExpressionState;
using duckdb::LogicalType;
using duckdb::Value;
using duckdb::Vector;

template <Value (*F)(SessionFacts&)>
void run(DataChunk&, ExpressionState& state, Vector& out) {
  out.Reference(F(SessionFacts::of(state.GetContext())));
}

Value user(SessionFacts& facts) { return Value(facts.user); }
Value database(SessionFacts& facts) { return Value(facts.database); }
Value schema(SessionFacts& facts) { return Value(facts.schema); }
Value process_id(SessionFacts& facts) { return Value::INTEGER(facts.process_id); }
Value last_copy_count(SessionFacts& facts) { return Value::BIGINT(facts.last_copy_count); }
Value last_unload_count(SessionFacts& facts) { return Value::BIGINT(facts.last_unload_count); }
Value statement_second(SessionFacts& facts) {
  return Value::TIMESTAMP(
      duckdb::timestamp_t(date_trunc(DatePart::second, facts.statement_micros.load())));
}
Value transaction_time(SessionFacts& facts) {
  return Value::TIMESTAMP(duckdb::timestamp_t(facts.transaction_micros.load()));
}
Value transaction_time_zoned(SessionFacts& facts) {
  return Value::TIMESTAMPTZ(duckdb::timestamp_tz_t(facts.transaction_micros.load()));
}

}  // namespace

void register_session_functions(duckdb::DatabaseInstance& instance) {
  duckdb::ExtensionLoader loader(instance, "tarn");
  const auto add = [&](const char* name, const LogicalType& type, duckdb::scalar_function_t body) {
    duckdb::ScalarFunction function(name, {}, type, std::move(body));
    function.SetStability(duckdb::FunctionStability::CONSISTENT_WITHIN_QUERY);
    loader.RegisterFunction(std::move(function));
  };
  add("tarn_user", LogicalType::VARCHAR, run<user>);
  add("tarn_database", LogicalType::VARCHAR, run<database>);
  add("tarn_schema", LogicalType::VARCHAR, run<schema>);
  add("tarn_process_id", LogicalType::INTEGER, run<process_id>);
  add("tarn_last_copy_count", LogicalType::BIGINT, run<last_copy_count>);
  add("tarn_last_unload_count", LogicalType::BIGINT, run<last_unload_count>);
  add("tarn_getdate", LogicalType::TIMESTAMP, run<statement_second>);
  add("tarn_sysdate", LogicalType::TIMESTAMP, run<transaction_time>);
  add("tarn_now", LogicalType::TIMESTAMP_TZ, run<transaction_time_zoned>);
}

void register_functions(duckdb::DatabaseInstance& instance) {
  register_text_functions(instance);
  register_time_functions(instance);
  register_number_functions(instance);
  register_session_functions(instance);
  register_casts(instance);
}

}  // namespace tarn::sql
