// SPDX-License-Identifier: Apache-2.0
// Redshift's date and time functions over date_parts.hpp. Dates act as timestamps, as there.
#include <fmt/format.h>

#include "duckdb/catalog/catalog_entry/scalar_function_catalog_entry.hpp"
#include "duckdb/common/types/date.hpp"
#include "duckdb/common/types/timestamp.hpp"
#include "duckdb/common/vector_operations/generic_executor.hpp"
#include "duckdb/common/vector_operations/ternary_executor.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engines/sql/date_parts.hpp"
#include "engines/sql/engine.hpp"

namespace tarn::sql {

namespace {

using duckdb::DataChunk;
using duckdb::ExpressionState;
using duckdb::LogicalType;
using duckdb::string_t;
using duckdb::timestamp_t;
using duckdb::Vector;

DatePart part_of(string_t name) {
  const auto part = parse_date_part({name.GetData(), name.GetSize()});
  if (!part) {
    raise(sqlstate::k_invalid_parameter_value,
          "timestamp units \"" + name.GetString() + "\" not recognized");
  }
  return *part;
}

std::string_view view(const string_t& text) { return {text.GetData(), text.GetSize()}; }

// SqlError of the pure functions, carried through DuckDB.
template <class F>
auto guarded(F body) {
  try {
    return body();
  } catch (const SqlError& error) {
    raise(error.state.c_str(), error.message());
  }
}

void check_finite(timestamp_t value) {
  if (!duckdb::Timestamp::IsFinite(value)) {
    raise(sqlstate::k_invalid_datetime, "timestamp out of range");
  }
}

void run_date_add(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::TernaryExecutor::Execute<string_t, std::int64_t, timestamp_t, timestamp_t>(
      in.data[0], in.data[1], in.data[2], out, in.size(),
      [](string_t part, std::int64_t amount, timestamp_t time) {
        check_finite(time);
        return timestamp_t(date_add(part_of(part), amount, time.value));
      });
}

void run_date_diff(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::TernaryExecutor::Execute<string_t, timestamp_t, timestamp_t, std::int64_t>(
      in.data[0], in.data[1], in.data[2], out, in.size(),
      [](string_t part, timestamp_t from, timestamp_t to) {
        check_finite(from);
        check_finite(to);
        return date_diff(part_of(part), from.value, to.value);
      });
}

void run_date_trunc(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<string_t, timestamp_t, timestamp_t>(
      in.data[0], in.data[1], out, in.size(), [](string_t part, timestamp_t time) {
        check_finite(time);
        return timestamp_t(date_trunc(part_of(part), time.value));
      });
}

void run_date_part(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<string_t, timestamp_t, double>(
      in.data[0], in.data[1], out, in.size(), [](string_t part, timestamp_t time) {
        check_finite(time);
        return date_part(part_of(part), time.value);
      });
}

void run_add_months(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<timestamp_t, std::int64_t, timestamp_t>(
      in.data[0], in.data[1], out, in.size(), [](timestamp_t time, std::int64_t months) {
        check_finite(time);
        return timestamp_t(add_months(time.value, months));
      });
}

void run_months_between(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<timestamp_t, timestamp_t, double>(
      in.data[0], in.data[1], out, in.size(), [](timestamp_t left, timestamp_t right) {
        check_finite(left);
        check_finite(right);
        return months_between(left.value, right.value);
      });
}

duckdb::date_t to_date(std::int64_t micros) {
  return duckdb::Timestamp::GetDate(timestamp_t(micros));
}

void run_next_day(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<timestamp_t, string_t, duckdb::date_t>(
      in.data[0], in.data[1], out, in.size(), [](timestamp_t time, string_t day) {
        check_finite(time);
        const auto found = next_day(time.value, view(day));
        if (!found) {
          raise(sqlstate::k_invalid_parameter_value, "Invalid day: " + day.GetString());
        }
        return to_date(*found);
      });
}

void run_trunc_day(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::UnaryExecutor::Execute<timestamp_t, duckdb::date_t>(in.data[0], out, in.size(),
                                                              [](timestamp_t time) {
                                                                check_finite(time);
                                                                return to_date(time.value);
                                                              });
}

void run_format_time(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<timestamp_t, string_t, string_t>(
      in.data[0], in.data[1], out, in.size(), [&](timestamp_t time, string_t format) {
        check_finite(time);
        return guarded([&] {
          return duckdb::StringVector::AddString(out, format_time(time.value, view(format)));
        });
      });
}

void run_format_number(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<string_t, string_t, string_t>(
      in.data[0], in.data[1], out, in.size(), [&](string_t number, string_t format) {
        return guarded([&] {
          return duckdb::StringVector::AddString(out, format_number(view(number), view(format)));
        });
      });
}

void run_format_real(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<double, string_t, string_t>(
      in.data[0], in.data[1], out, in.size(), [&](double number, string_t format) {
        return guarded([&] {
          return duckdb::StringVector::AddString(
              out, format_number(fmt::format("{:.15f}", number), view(format)));
        });
      });
}

// Decimals of any shape arrive as their text.
duckdb::unique_ptr<duckdb::FunctionData> bind_as_text(
    duckdb::ClientContext&, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>&) {
  function.arguments = {LogicalType::VARCHAR, LogicalType::VARCHAR};
  return nullptr;
}

// A date acts as the timestamp of its midnight.
duckdb::unique_ptr<duckdb::FunctionData> bind_dates(
    duckdb::ClientContext&, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>&) {
  for (auto& argument : function.arguments) {
    if (argument.id() == duckdb::LogicalTypeId::DATE) argument = LogicalType::TIMESTAMP;
  }
  return nullptr;
}

void run_parse_date(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<string_t, string_t, duckdb::date_t>(
      in.data[0], in.data[1], out, in.size(), [](string_t text, string_t format) {
        return guarded([&] { return to_date(parse_time(view(text), view(format), false)); });
      });
}

void run_parse_date_strict(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::TernaryExecutor::Execute<string_t, string_t, bool, duckdb::date_t>(
      in.data[0], in.data[1], in.data[2], out, in.size(),
      [](string_t text, string_t format, bool strict) {
        return guarded([&] { return to_date(parse_time(view(text), view(format), strict)); });
      });
}

void run_parse_time(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<string_t, string_t, timestamp_t>(
      in.data[0], in.data[1], out, in.size(), [](string_t text, string_t format) {
        return guarded([&] { return timestamp_t(parse_time(view(text), view(format))); });
      });
}

// A place's name as it is; abbreviations as fixed offsets (the sign of Etc/GMT is turned round).
void run_zone(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::UnaryExecutor::Execute<string_t, string_t>(in.data[0], out, in.size(), [&](string_t t) {
    const std::string name = t.GetString();
    if (name.find('/') != std::string::npos) return duckdb::StringVector::AddString(out, name);
    const auto minutes = zone_abbreviation(name);
    if (!minutes) {
      raise(sqlstate::k_feature_not_supported, "time zone \"" + name + "\" is not supported");
    }
    const int hours = *minutes / 60;
    return duckdb::StringVector::AddString(out,
                                           hours == 0 ? "UTC" : fmt::format("Etc/GMT{:+}", -hours));
  });
}

}  // namespace

void register_time_functions(duckdb::DatabaseInstance& database) {
  using duckdb::ScalarFunction;
  duckdb::ExtensionLoader loader(database, "tarn");
  const auto text = LogicalType::VARCHAR;
  const auto time = LogicalType::TIMESTAMP;
  const auto zoned = LogicalType::TIMESTAMP_TZ;
  const auto number = LogicalType::BIGINT;
  const auto add_all = [&](const char* name, std::vector<ScalarFunction> overloads) {
    duckdb::ScalarFunctionSet set(name);
    for (auto& function : overloads) {
      function.SetFallible();
      set.AddFunction(function);
    }
    loader.RegisterFunction(set);
  };
  const auto date = LogicalType::DATE;
  // Both kinds of timestamp are microseconds of UTC: the session's zone is UTC.
  add_all("tarn_date_add", {ScalarFunction({text, number, time}, time, run_date_add),
                            ScalarFunction({text, number, zoned}, zoned, run_date_add),
                            ScalarFunction({text, number, date}, time, run_date_add, bind_dates)});
  add_all("tarn_date_diff",
          {ScalarFunction({text, time, time}, number, run_date_diff),
           ScalarFunction({text, zoned, zoned}, number, run_date_diff),
           ScalarFunction({text, date, date}, number, run_date_diff, bind_dates)});
  add_all("tarn_date_trunc", {ScalarFunction({text, time}, time, run_date_trunc),
                              ScalarFunction({text, zoned}, zoned, run_date_trunc),
                              ScalarFunction({text, date}, time, run_date_trunc, bind_dates)});
  add_all("tarn_date_part",
          {ScalarFunction({text, time}, LogicalType::DOUBLE, run_date_part),
           ScalarFunction({text, zoned}, LogicalType::DOUBLE, run_date_part),
           ScalarFunction({text, date}, LogicalType::DOUBLE, run_date_part, bind_dates)});
  add_all("tarn_add_months", {ScalarFunction({time, number}, time, run_add_months)});
  add_all("tarn_months_between",
          {ScalarFunction({time, time}, LogicalType::DOUBLE, run_months_between)});
  add_all("tarn_next_day", {ScalarFunction({time, text}, LogicalType::DATE, run_next_day)});
  add_all("tarn_to_char", {ScalarFunction({time, text}, text, run_format_time),
                           ScalarFunction({zoned, text}, text, run_format_time),
                           ScalarFunction({date, text}, text, run_format_time, bind_dates),
                           ScalarFunction({number, text}, text, run_format_number, bind_as_text),
                           ScalarFunction({LogicalType(duckdb::LogicalTypeId::DECIMAL), text}, text,
                                          run_format_number, bind_as_text),
                           ScalarFunction({LogicalType::DOUBLE, text}, text, run_format_real)});
  add_all("tarn_to_date", {ScalarFunction({text, text}, LogicalType::DATE, run_parse_date),
                           ScalarFunction({text, text, LogicalType::BOOLEAN}, LogicalType::DATE,
                                          run_parse_date_strict)});
  add_all("tarn_to_timestamp", {ScalarFunction({text, text}, zoned, run_parse_time)});
  add_all("tarn_zone", {ScalarFunction({text}, text, run_zone)});
  add_all("tarn_parse_time", {ScalarFunction({text, text}, time, run_parse_time)});

  // TRUNC is the day of a timestamp and the integral part of a number.
  duckdb::ScalarFunctionSet trunc("tarn_trunc");
  trunc.AddFunction(ScalarFunction({time}, LogicalType::DATE, run_trunc_day));
  duckdb::Connection connection(database);
  connection.context->RunFunctionInTransaction([&] {
    auto& catalog = duckdb::Catalog::GetSystemCatalog(database);
    auto& builtin = catalog.GetEntry<duckdb::ScalarFunctionCatalogEntry>(*connection.context,
                                                                         DEFAULT_SCHEMA, "trunc");
    for (auto& function : builtin.functions.functions) {
      if (function.arguments.size() == 1) trunc.AddFunction(function);
    }
  });
  loader.RegisterFunction(trunc);
}

}  // namespace tarn::sql
