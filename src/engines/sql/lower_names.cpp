// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/lower_names.hpp"

#include <unordered_map>

namespace tarn::sql {

namespace {

using Kind = FunctionRule::Kind;
constexpr int k_many = 1000;

constexpr FunctionRule k_rules[] = {
    // Numbers
    {"abs", 1, 1, nullptr, Kind::scalar},
    {"acos", 1, 1, nullptr, Kind::scalar},
    {"asin", 1, 1, nullptr, Kind::scalar},
    {"atan", 1, 1, nullptr, Kind::scalar},
    {"atan2", 2, 2, nullptr, Kind::scalar},
    {"cos", 1, 1, nullptr, Kind::scalar},
    {"cot", 1, 1, nullptr, Kind::scalar},
    {"sin", 1, 1, nullptr, Kind::scalar},
    {"tan", 1, 1, nullptr, Kind::scalar},
    {"degrees", 1, 1, nullptr, Kind::scalar},
    {"radians", 1, 1, nullptr, Kind::scalar},
    {"exp", 1, 1, nullptr, Kind::scalar},
    {"ln", 1, 1, nullptr, Kind::scalar},
    {"dlog1", 1, 1, "ln", Kind::scalar},
    {"log", 1, 1, "log10", Kind::scalar},
    {"dlog10", 1, 1, "log10", Kind::scalar},
    {"sqrt", 1, 1, nullptr, Kind::scalar},
    {"cbrt", 1, 1, nullptr, Kind::scalar},
    {"pi", 0, 0, nullptr, Kind::scalar},
    {"power", 2, 2, "pow", Kind::scalar},
    {"pow", 2, 2, nullptr, Kind::scalar},
    {"sign", 1, 1, nullptr, Kind::scalar},
    {"ceil", 1, 1, nullptr, Kind::scalar},
    {"ceiling", 1, 1, "ceil", Kind::scalar},
    {"floor", 1, 1, nullptr, Kind::scalar},
    {"round", 1, 2, nullptr, Kind::scalar},
    {"random", 0, 0, nullptr, Kind::scalar},
    {"mod", 2, 2, "tarn_mod", Kind::scalar},
    {"trunc", 1, 2, "tarn_trunc", Kind::scalar},
    {"greatest", 1, k_many, nullptr, Kind::scalar},
    {"least", 1, k_many, nullptr, Kind::scalar},
    // Text
    {"upper", 1, 1, nullptr, Kind::scalar},
    {"lower", 1, 1, nullptr, Kind::scalar},
    {"length", 1, 1, nullptr, Kind::scalar},
    {"len", 1, 1, "length", Kind::scalar},
    {"char_length", 1, 1, "length", Kind::scalar},
    {"character_length", 1, 1, "length", Kind::scalar},
    {"textlen", 1, 1, "length", Kind::scalar},
    {"octet_length", 1, 1, "strlen", Kind::scalar},
    {"trim", 1, 2, nullptr, Kind::scalar},
    {"btrim", 1, 2, "trim", Kind::scalar},
    {"ltrim", 1, 2, nullptr, Kind::scalar},
    {"rtrim", 1, 2, nullptr, Kind::scalar},
    {"replace", 3, 3, nullptr, Kind::scalar},
    {"repeat", 2, 2, nullptr, Kind::scalar},
    {"replicate", 2, 2, "repeat", Kind::scalar},
    {"reverse", 1, 1, nullptr, Kind::scalar},
    {"strpos", 2, 2, nullptr, Kind::scalar},
    {"position", 2, 2, "strpos", Kind::scalar},
    {"left", 2, 2, nullptr, Kind::scalar},
    {"right", 2, 2, nullptr, Kind::scalar},
    {"ascii", 1, 1, nullptr, Kind::scalar},
    {"chr", 1, 1, nullptr, Kind::scalar},
    {"translate", 3, 3, nullptr, Kind::scalar},
    {"md5", 1, 1, nullptr, Kind::scalar},
    {"sha1", 1, 1, nullptr, Kind::scalar},
    {"func_sha1", 1, 1, "sha1", Kind::scalar},
    {"sha", 1, 1, "sha1", Kind::scalar},
    {"initcap", 1, 1, "tarn_initcap", Kind::scalar},
    {"split_part", 3, 3, "tarn_split_part", Kind::scalar},
    {"substring", 2, 3, "tarn_substring", Kind::scalar},
    {"substr", 2, 3, "tarn_substring", Kind::scalar},
    {"quote_ident", 1, 1, "tarn_quote_ident", Kind::scalar},
    {"quote_literal", 1, 1, "tarn_quote_literal", Kind::scalar},
    {"json_array_length", 1, 1, nullptr, Kind::scalar},
    {"is_valid_json", 1, 1, "json_valid", Kind::scalar},
    // Time
    {"getdate", 0, 0, "tarn_getdate", Kind::scalar},
    {"now", 0, 0, "tarn_now", Kind::scalar},
    {"add_months", 2, 2, "tarn_add_months", Kind::scalar},
    {"months_between", 2, 2, "tarn_months_between", Kind::scalar},
    {"next_day", 2, 2, "tarn_next_day", Kind::scalar},
    {"to_char", 2, 2, "tarn_to_char", Kind::scalar},
    {"to_date", 2, 3, "tarn_to_date", Kind::scalar},
    {"to_timestamp", 2, 2, "tarn_to_timestamp", Kind::scalar},
    // Aggregates
    {"count", 0, 1, nullptr, Kind::aggregate},
    {"count_star", 0, 0, nullptr, Kind::aggregate},
    {"sum", 1, 1, "tarn_sum", Kind::aggregate},
    {"avg", 1, 1, "tarn_avg", Kind::aggregate},
    {"min", 1, 1, nullptr, Kind::aggregate},
    {"max", 1, 1, nullptr, Kind::aggregate},
    {"stddev", 1, 1, "stddev_samp", Kind::aggregate},
    {"stddev_samp", 1, 1, nullptr, Kind::aggregate},
    {"stddev_pop", 1, 1, nullptr, Kind::aggregate},
    {"variance", 1, 1, "var_samp", Kind::aggregate},
    {"var_samp", 1, 1, nullptr, Kind::aggregate},
    {"var_pop", 1, 1, nullptr, Kind::aggregate},
    {"median", 1, 1, nullptr, Kind::aggregate},
    {"bool_and", 1, 1, nullptr, Kind::aggregate},
    {"bool_or", 1, 1, nullptr, Kind::aggregate},
    {"bit_and", 1, 1, nullptr, Kind::aggregate},
    {"bit_or", 1, 1, nullptr, Kind::aggregate},
    {"any_value", 1, 1, nullptr, Kind::aggregate},
    {"quantile_cont", 1, 2, nullptr, Kind::aggregate},  // percentile_cont(…) within group (…)
    {"quantile_disc", 1, 2, nullptr, Kind::aggregate},
    // Windows
    {"row_number", 0, 0, nullptr, Kind::window},
    {"rank", 0, 0, nullptr, Kind::window},
    {"dense_rank", 0, 0, nullptr, Kind::window},
    {"percent_rank", 0, 0, nullptr, Kind::window},
    {"cume_dist", 0, 0, nullptr, Kind::window},
    {"ntile", 1, 1, nullptr, Kind::window},
    {"lag", 1, 3, nullptr, Kind::window},
    {"lead", 1, 3, nullptr, Kind::window},
    {"first_value", 1, 1, nullptr, Kind::window},
    {"last_value", 1, 1, nullptr, Kind::window},
    {"nth_value", 2, 2, nullptr, Kind::window},
    {"ratio_to_report", 1, 1, nullptr, Kind::window},
    // Catalog: macros of tarn_system
    {"version", 0, 0, nullptr, Kind::catalog},
    {"current_database", 0, 0, nullptr, Kind::catalog},
    {"current_catalog", 0, 0, "current_database", Kind::catalog},
    {"current_schema", 0, 0, nullptr, Kind::catalog},
    {"current_schemas", 1, 1, nullptr, Kind::catalog},
    {"current_user_id", 0, 0, nullptr, Kind::catalog},
    {"pg_backend_pid", 0, 0, nullptr, Kind::catalog},
    {"pg_last_copy_count", 0, 0, nullptr, Kind::catalog},
    {"pg_last_unload_count", 0, 0, nullptr, Kind::catalog},
    {"pg_get_userbyid", 1, 1, nullptr, Kind::catalog},
    {"format_type", 2, 2, nullptr, Kind::catalog},
    {"has_table_privilege", 2, 3, nullptr, Kind::catalog},
    {"has_schema_privilege", 2, 3, nullptr, Kind::catalog},
    {"has_database_privilege", 2, 3, nullptr, Kind::catalog},
    {"pg_table_is_visible", 1, 1, nullptr, Kind::catalog},
    {"pg_function_is_visible", 1, 1, nullptr, Kind::catalog},
    {"pg_type_is_visible", 1, 1, nullptr, Kind::catalog},
    {"pg_collation_is_visible", 1, 1, nullptr, Kind::catalog},
    {"pg_get_expr", 2, 3, nullptr, Kind::catalog},
    {"obj_description", 1, 2, nullptr, Kind::catalog},
    {"shobj_description", 2, 2, nullptr, Kind::catalog},
    {"col_description", 2, 2, nullptr, Kind::catalog},
    {"pg_get_viewdef", 1, 2, nullptr, Kind::catalog},
    {"pg_get_indexdef", 1, 3, nullptr, Kind::catalog},
    {"pg_get_constraintdef", 1, 2, nullptr, Kind::catalog},
    {"pg_encoding_to_char", 1, 1, nullptr, Kind::catalog},
    {"json_build_object", 0, k_many, "json_object", Kind::scalar},  // clients' catalog queries
    {"array_to_string", 2, 2, nullptr, Kind::scalar},
    {"to_regclass", 1, 1, nullptr, Kind::catalog},
};

}  // namespace

const FunctionRule* find_function(const std::string& name) {
  static const auto* k_index = [] {
    auto* index = new std::unordered_map<std::string, const FunctionRule*>;
    for (const auto& rule : k_rules) index->emplace(rule.name, &rule);
    return index;
  }();
  const auto found = k_index->find(name);
  return found == k_index->end() ? nullptr : found->second;
}

}  // namespace tarn::sql
