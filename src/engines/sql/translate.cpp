// SPDX-License-Identifier: Apache-2.0
// DuckDB's errors in Redshift's words. Clients match on these texts; what has no counterpart keeps
// DuckDB's text under a fitting SQLSTATE.
#include <re2/re2.h>

#include "base/json.hpp"
#include "base/strings.hpp"
#include "engines/sql/engine.hpp"

namespace tarn::sql {

namespace {

struct Pattern {
  const char* expression;
  const char* state;
  const char* message;  // \1, \2: groups
};

// First match wins; matched anywhere in DuckDB's text.
constexpr Pattern k_patterns[] = {
    {R"(NOT NULL constraint failed: (?:.*\.)?([^.]+)$)", sqlstate::k_not_null,
     "Cannot insert a NULL value into column \\1"},
    {R"(Table with name \"?([^\" ]+)\"? does not exist)", sqlstate::k_undefined_table,
     "relation \"\\1\" does not exist"},
    {R"(View with name \"?([^\" ]+)\"? does not exist)", sqlstate::k_undefined_table,
     "relation \"\\1\" does not exist"},
    {R"((?:Table|View) with name \"([^\"]+)\" already exists)", sqlstate::k_duplicate_table,
     "Relation \"\\1\" already exists"},
    {R"(Schema with name \"?([^\" !]+)\"? does not exist)", sqlstate::k_undefined_schema,
     "schema \"\\1\" does not exist"},
    {R"(No (?:catalog|schema|catalog \+ schema) named \"([^\"]+)\")", sqlstate::k_undefined_schema,
     "schema \"\\1\" does not exist"},
    {R"(Schema with name \"?([^\" !]+)\"? already exists)", sqlstate::k_duplicate_schema,
     "Schema \"\\1\" already exists"},
    {R"(Referenced column \"([^\"]+)\" (?:was )?not found)", sqlstate::k_undefined_column,
     "column \"\\1\" does not exist"},
    {R"(Referenced table \"([^\"]+)\" not found)", sqlstate::k_undefined_table,
     "missing FROM-clause entry for table \"\\1\""},
    {R"(Table \"([^\"]+)\" does not have a column (?:named|with name) \"([^\"]+)\")",
     sqlstate::k_undefined_column, "column \"\\2\" of relation \"\\1\" does not exist"},
    {R"(Values list \"([^\"]+)\" does not have a column named \"([^\"]+)\")",
     sqlstate::k_undefined_column, "column \\1.\\2 does not exist"},
    {R"(Column with name \"?([^\" ]+)\"? already exists)", sqlstate::k_duplicate_column,
     "column \"\\1\" of relation already exists"},
    {R"(Ambiguous reference to column name \"([^\"]+)\")", sqlstate::k_ambiguous_column,
     "column reference \"\\1\" is ambiguous"},
    {R"(column \"([^\"]+)\" must appear in the GROUP BY)", sqlstate::k_grouping_error,
     "column \"\\1\" must appear in the GROUP BY clause or be used in an aggregate function"},
    {R"(No function matches the given name and argument types '([^']*)')",
     sqlstate::k_undefined_function, "function \\1 does not exist"},
    {R"(Could not choose a best candidate function for the function call \"([^\"]*)\")", "42725",
     "function \\1 is not unique"},
    {R"(table (\S+) has (\d+) columns but (\d+) values were supplied)", sqlstate::k_syntax_error,
     "table \\1 has \\2 columns but \\3 values were supplied"},
    {R"(Could not convert string ['\"](.*)['\"] to (?:INT|UINT)\w*)",
     sqlstate::k_invalid_text_representation, "invalid input syntax for integer: \"\\1\""},
    {R"(Could not convert string ['\"](.*)['\"] to (?:DECIMAL|DOUBLE|FLOAT).*)",
     sqlstate::k_invalid_text_representation, "invalid input syntax for type numeric: \"\\1\""},
    {R"(Could not convert string ['\"](.*)['\"] to BOOL\w*)",
     sqlstate::k_invalid_text_representation, "invalid input syntax for type boolean: \"\\1\""},
    {R"(Could not convert string '(.*)' to DATE)", sqlstate::k_invalid_datetime,
     "invalid input syntax for type date: \"\\1\""},
    {R"(Could not convert string '(.*)' to TIMESTAMP)", sqlstate::k_invalid_datetime,
     "invalid input syntax for type timestamp: \"\\1\""},
    {R"(invalid date field format: \"(.*)\",)", sqlstate::k_invalid_datetime,
     "invalid input syntax for type date: \"\\1\""},
    {R"(date field value out of range: \"(.*)\")", "22008",
     "date/time field value out of range: \"\\1\""},
    {R"(invalid timestamp field format: \"(.*)\",)", sqlstate::k_invalid_datetime,
     "invalid input syntax for type timestamp: \"\\1\""},
    {R"(timestamp field value out of range: \"(.*)\")", "22008",
     "date/time field value out of range: \"\\1\""},
    {R"(Could not cast value .* to DECIMAL)", sqlstate::k_numeric_out_of_range,
     "Numeric data overflow (result precision)"},
    {R"(Overflow in .* of (?:INT|DECIMAL|HUGEINT))", sqlstate::k_numeric_out_of_range,
     "Numeric data overflow"},
    {R"(out of range for the destination type (\w+))", sqlstate::k_numeric_out_of_range,
     "Value out of range for \\1"},
    {R"(syntax error at end of input)", sqlstate::k_syntax_error, "syntax error at end of input"},
    {R"(syntax error at or near \"([^\"]*)\")", sqlstate::k_syntax_error,
     "syntax error at or near \"\\1\""},
    {R"((?:Conflict on|write-write conflict|conflicting|Transaction conflict|another transaction))",
     sqlstate::k_serialization,
     "could not complete because of conflict with concurrent transaction"},
    {R"(Can only update base table)", sqlstate::k_wrong_object_type, "cannot change a view"},
};

// In the signatures of functions that do not exist.
constexpr std::pair<const char*, const char*> k_words[] = {{"tarn_add(", "+("},
                                                           {"tarn_subtract(", "-("},
                                                           {"tarn_multiply(", "*("},
                                                           {"tarn_div(", "/("},
                                                           {"tarn_mod(", "%("},
                                                           {"tarn_date_diff(", "datediff("},
                                                           {"tarn_date_add(", "dateadd("},
                                                           {"tarn_", ""},
                                                           {"STRING_LITERAL", "unknown"},
                                                           {"INTEGER_LITERAL", "INTEGER"}};

const char* state_of(duckdb::ExceptionType type) {
  using duckdb::ExceptionType;
  switch (type) {
    case ExceptionType::PARSER:
    case ExceptionType::SYNTAX: return sqlstate::k_syntax_error;
    case ExceptionType::CATALOG: return sqlstate::k_undefined_object;
    case ExceptionType::BINDER: return sqlstate::k_syntax_error;
    case ExceptionType::CONVERSION: return sqlstate::k_invalid_text_representation;
    case ExceptionType::MISMATCH_TYPE:
    case ExceptionType::INVALID_TYPE: return sqlstate::k_datatype_mismatch;
    case ExceptionType::OUT_OF_RANGE: return sqlstate::k_numeric_out_of_range;
    case ExceptionType::CONSTRAINT: return "23000";
    case ExceptionType::TRANSACTION: return sqlstate::k_serialization;
    case ExceptionType::INTERRUPT: return sqlstate::k_query_canceled;
    case ExceptionType::OUT_OF_MEMORY: return sqlstate::k_out_of_memory;
    case ExceptionType::NOT_IMPLEMENTED: return sqlstate::k_feature_not_supported;
    case ExceptionType::DEPENDENCY: return sqlstate::k_dependent_objects;
    case ExceptionType::PERMISSION: return sqlstate::k_insufficient_privilege;
    case ExceptionType::INVALID_INPUT: return sqlstate::k_invalid_parameter_value;
    case ExceptionType::IO: return "58030";
    default: return sqlstate::k_internal;
  }
}

std::size_t position_of(const duckdb::unordered_map<std::string, std::string>& info,
                        const QueryText* text) {
  if (!text) return 0;
  const auto found = info.find("position");
  if (found == info.end()) return 0;
  const auto offset = parse_uint(found->second);
  return offset ? text->original_position(*offset) : 0;
}

}  // namespace

SqlError translate(const duckdb::ErrorData& error, const QueryText* text) {
  std::string raw = error.RawMessage();
  std::size_t position = position_of(error.ExtraInfo(), text);
  if (raw.starts_with("{\"exception_type\"")) {  // sessions ask for JSON: it keeps the position
    try {
      const Json json = parse_json(raw);
      duckdb::unordered_map<std::string, std::string> info;
      info["position"] = string_or(json, "position");
      position = position_of(info, text);
      raw = string_or(json, "exception_message", raw);
    } catch (const JsonError&) {}
  }
  static const RE2 k_ours(R"(TARN(\w{5}) ([^\n]*))");
  std::string state, message;
  if (RE2::PartialMatch(raw, k_ours, &state, &message)) {
    if (message.ends_with(")") && raw.find("CHECK constraint failed") != std::string::npos) {
      message.pop_back();  // DuckDB puts ours in parentheses
    }
    return SqlError(state, message, position);
  }
  if (error.Type() == duckdb::ExceptionType::INTERRUPT) {
    return SqlError(sqlstate::k_query_canceled, "Query cancelled on user's request");
  }
  static const RE2 k_csv(R"(CSV Error on Line: (\d+)[^\n]*\n(?:Original Line:[^\n]*\n)?([^\n]*))");
  std::string line, reason;
  if (RE2::PartialMatch(raw, k_csv, &line, &reason)) {
    return SqlError(sqlstate::k_internal, "line " + line + ": " + reason, 0, raw);
  }
  static const auto* k_compiled = [] {
    auto* compiled = new std::vector<std::unique_ptr<RE2>>;
    for (const auto& pattern : k_patterns) {
      compiled->push_back(std::make_unique<RE2>(std::string("(?s)") + pattern.expression));
    }
    return compiled;
  }();
  for (std::size_t i = 0; i < k_compiled->size(); ++i) {
    const RE2& expression = *(*k_compiled)[i];
    re2::StringPiece groups[3];
    if (!expression.Match(raw, 0, raw.size(), RE2::UNANCHORED, groups,
                          expression.NumberOfCapturingGroups() + 1)) {
      continue;
    }
    std::string out = k_patterns[i].message;
    for (int g = 1; g < 3; ++g) {
      out = replace_all(out, "\\" + std::to_string(g),
                        std::string_view(groups[g].data(), groups[g].size()));
    }
    if (out.starts_with("function ")) {
      for (const auto& [from, to] : k_words) out = replace_all(out, from, to);
    }
    return SqlError(k_patterns[i].state, out, position);
  }
  // Only the first paragraph: the rest are DuckDB's hints.
  const std::string first = raw.substr(0, raw.find("\n"));
  return SqlError(state_of(error.Type()), first.empty() ? raw : first, position);
}

void rethrow_translated(const QueryText* text) {
  try {
    throw;
  } catch (const SqlError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw SqlError(sqlstate::k_out_of_memory, "out of memory");
  } catch (const std::exception& error) {
    throw translate(duckdb::ErrorData(error), text);
  }
}

}  // namespace tarn::sql
