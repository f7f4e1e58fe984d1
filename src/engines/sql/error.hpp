// SPDX-License-Identifier: Apache-2.0
// What a SQL client is told when a statement fails: SQLSTATE, message, and where.
//
// Messages are Redshift's (or PostgreSQL 8.0's), because drivers and dbt match on their text.
// `position` counts characters of the statement's own text from 1; 0: unknown. Avoids: engine
// internals (DuckDB's texts are translated in translate.cpp before they get here).
#pragma once
#include <stdexcept>
#include <string>

namespace tarn::sql {

namespace sqlstate {
inline constexpr const char* k_feature_not_supported = "0A000";
inline constexpr const char* k_syntax_error = "42601";
inline constexpr const char* k_undefined_table = "42P01";
inline constexpr const char* k_undefined_column = "42703";
inline constexpr const char* k_undefined_function = "42883";
inline constexpr const char* k_undefined_object = "42704";
inline constexpr const char* k_undefined_schema = "3F000";
inline constexpr const char* k_undefined_database = "3D000";
inline constexpr const char* k_duplicate_table = "42P07";
inline constexpr const char* k_duplicate_schema = "42P06";
inline constexpr const char* k_duplicate_database = "42P04";
inline constexpr const char* k_duplicate_column = "42701";
inline constexpr const char* k_dependent_objects = "2BP01";
inline constexpr const char* k_datatype_mismatch = "42804";
inline constexpr const char* k_ambiguous_column = "42702";
inline constexpr const char* k_grouping_error = "42803";
inline constexpr const char* k_invalid_parameter_value = "22023";
inline constexpr const char* k_invalid_text_representation = "22P02";
inline constexpr const char* k_invalid_datetime = "22007";
inline constexpr const char* k_numeric_out_of_range = "22003";
inline constexpr const char* k_string_too_long = "22001";
inline constexpr const char* k_division_by_zero = "22012";
inline constexpr const char* k_not_null = "23502";
inline constexpr const char* k_serialization = "40001";
inline constexpr const char* k_deadlock = "40P01";
inline constexpr const char* k_in_failed_transaction = "25P02";
inline constexpr const char* k_active_transaction = "25001";
inline constexpr const char* k_insufficient_privilege = "42501";
inline constexpr const char* k_wrong_object_type = "42809";
inline constexpr const char* k_query_canceled = "57014";
inline constexpr const char* k_admin_shutdown = "57P01";
inline constexpr const char* k_out_of_memory = "53200";
inline constexpr const char* k_disk_full = "53100";
inline constexpr const char* k_protocol_violation = "08P01";
inline constexpr const char* k_internal = "XX000";
}  // namespace sqlstate

class SqlError : public std::runtime_error {
 public:
  SqlError(std::string state, const std::string& message, std::size_t position = 0,
           std::string detail = {}, std::string hint = {})
      : std::runtime_error(message),
        state(std::move(state)),
        position(position),
        detail(std::move(detail)),
        hint(std::move(hint)) {}
  std::string message() const { return what(); }
  std::string state;
  std::size_t position;
  std::string detail;
  std::string hint;
};

// Refuses what is outside the listed subset, naming it.
[[noreturn]] inline void not_supported(const std::string& what, std::size_t position = 0) {
  throw SqlError(sqlstate::k_feature_not_supported, what + " is not supported", position);
}

}  // namespace tarn::sql
