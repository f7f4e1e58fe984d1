// SPDX-License-Identifier: Apache-2.0
// Type names: https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html
#include "base/strings.hpp"
#include "engines/sql/syntax.hpp"

namespace tarn::sql {

namespace {

TypeSpec plain(std::uint32_t oid, const char* storage) { return {{oid, -1}, storage, 0}; }

TypeSpec string_type(const std::string& name, const std::vector<std::int64_t>& modifiers,
                     bool in_table, std::size_t position) {
  const bool fixed = name == "char" || name == "character" || name == "nchar" || name == "bpchar" ||
                     name == "tarn_char";
  const bool text = name == "text" || name == "name" || name == "bpchar";
  const std::int64_t max = fixed ? 4096 : 65535;
  std::int64_t length = 0;
  if (!modifiers.empty()) {
    length = modifiers[0];
    if (length < 1) {
      throw SqlError(sqlstate::k_invalid_parameter_value,
                     "length for type " + name + " must be at least 1", position);
    }
    if (length > max) {
      throw SqlError(sqlstate::k_invalid_parameter_value,
                     "length for type " + name + " cannot exceed " + std::to_string(max), position);
    }
  } else if (in_table) {
    length = fixed && !text ? 1 : 256;
  } else if (fixed && !text) {
    length = 1;
  }
  const auto id = fixed ? oid::k_bpchar : oid::k_varchar;
  return {{id, length > 0 ? length_typmod(static_cast<int>(length)) : -1},
          "VARCHAR",
          static_cast<int>(length)};
}

TypeSpec numeric_type(const std::vector<std::int64_t>& modifiers, std::size_t position) {
  const std::int64_t precision = modifiers.empty() ? 18 : modifiers[0];
  const std::int64_t scale = modifiers.size() > 1 ? modifiers[1] : 0;
  if (precision < 1 || precision > 38) {
    throw SqlError(sqlstate::k_invalid_parameter_value,
                   "DECIMAL precision " + std::to_string(precision) + " must be between 1 and 38",
                   position);
  }
  if (scale < 0 || scale > precision || scale > 37) {
    throw SqlError(sqlstate::k_invalid_parameter_value,
                   "DECIMAL scale " + std::to_string(scale) + " must be between 0 and precision " +
                       std::to_string(precision),
                   position);
  }
  return {{oid::k_numeric, numeric_typmod(static_cast<int>(precision), static_cast<int>(scale))},
          "DECIMAL(" + std::to_string(precision) + "," + std::to_string(scale) + ")",
          0};
}

}  // namespace

TypeSpec resolve_type(const std::string& name, const std::vector<std::int64_t>& modifiers,
                      bool in_table, std::size_t position) {
  static const std::map<std::string, TypeSpec> k_plain = {
      {"smallint", plain(oid::k_int2, "SMALLINT")},
      {"int2", plain(oid::k_int2, "SMALLINT")},
      {"integer", plain(oid::k_int4, "INTEGER")},
      {"int", plain(oid::k_int4, "INTEGER")},
      {"int4", plain(oid::k_int4, "INTEGER")},
      {"bigint", plain(oid::k_int8, "BIGINT")},
      {"int8", plain(oid::k_int8, "BIGINT")},
      {"real", plain(oid::k_float4, "FLOAT")},
      {"float4", plain(oid::k_float4, "FLOAT")},
      {"double", plain(oid::k_float8, "DOUBLE")},
      {"double precision", plain(oid::k_float8, "DOUBLE")},
      {"float8", plain(oid::k_float8, "DOUBLE")},
      {"boolean", plain(oid::k_bool, "BOOLEAN")},
      {"bool", plain(oid::k_bool, "BOOLEAN")},
      {"date", plain(oid::k_date, "DATE")},
      {"time", plain(oid::k_time, "TIME")},
      {"time without time zone", plain(oid::k_time, "TIME")},
      {"timestamp", plain(oid::k_timestamp, "TIMESTAMP")},
      {"timestamp without time zone", plain(oid::k_timestamp, "TIMESTAMP")},
      {"timestamptz", plain(oid::k_timestamptz, "TIMESTAMP WITH TIME ZONE")},
      {"timestamp with time zone", plain(oid::k_timestamptz, "TIMESTAMP WITH TIME ZONE")},
      {"varbyte", plain(oid::k_varbyte, "BLOB")},
      {"varbinary", plain(oid::k_varbyte, "BLOB")},
      {"oid", plain(oid::k_int8, "BIGINT")},
  };
  static const std::vector<std::string> k_strings = {
      "varchar", "nvarchar",  "text",  "name",   "character varying",
      "char",    "character", "nchar", "bpchar", "tarn_char"};
  if (const auto found = k_plain.find(name); found != k_plain.end()) {
    return found->second;
  }
  if (std::find(k_strings.begin(), k_strings.end(), name) != k_strings.end()) {
    return string_type(name, modifiers, in_table, position);
  }
  if (name == "decimal" || name == "numeric") return numeric_type(modifiers, position);
  if (name == "float") {
    return !modifiers.empty() && modifiers[0] <= 24 ? plain(oid::k_float4, "FLOAT")
                                                    : plain(oid::k_float8, "DOUBLE");
  }
  if (name == "interval" && !in_table) return plain(oid::k_interval, "INTERVAL");
  static const std::vector<std::string> k_refused = {
      "super",    "hllsketch", "geometry", "geography", "timetz", "time with time zone",
      "interval", "json",      "uuid",     "bytea"};
  if (std::find(k_refused.begin(), k_refused.end(), name) != k_refused.end()) {
    not_supported("type \"" + name + "\"", position);
  }
  throw SqlError(sqlstate::k_undefined_object, "type \"" + name + "\" does not exist", position);
}

TypeSpec parse_type(TokenCursor& cursor, bool in_table) {
  const std::size_t position = cursor.peek().begin + 1;
  std::string name = cursor.name();
  if (name == "pg_catalog" && cursor.accept_op(".")) name = cursor.name();
  if (name == "double" && cursor.accept("precision")) name = "double precision";
  if (name == "character" && cursor.accept("varying")) name = "character varying";
  if (name == "binary" && cursor.accept("varying")) name = "varbyte";
  std::vector<std::int64_t> modifiers;
  if (cursor.accept_op("(")) {
    if (cursor.accept("max")) {
      modifiers.push_back(65535);
    } else {
      do {
        modifiers.push_back(cursor.integer());
      } while (cursor.accept_op(","));
    }
    cursor.expect_op(")");
  }
  if (name == "timestamp" || name == "time") {
    if (cursor.accept_all({"with", "time", "zone"})) {
      name += " with time zone";
    } else {
      cursor.accept_all({"without", "time", "zone"});
    }
  }
  return resolve_type(name, modifiers, in_table, position);
}

}  // namespace tarn::sql
