// SPDX-License-Identifier: Apache-2.0
// SET, RESET and SHOW. Only settings of the list exist; those that would change results are
// accepted only at the value that is really in force.
#include "base/strings.hpp"
#include "engines/sql/session.hpp"

namespace tarn::sql {

namespace {

struct Setting {
  const char* fallback;
  // Values that are in force (lower case, separated by |); null: any, without effect on results.
  const char* allowed;
};

const std::map<std::string, Setting>& known_settings() {
  static const std::map<std::string, Setting> k_settings = {
      {"application_name", {"", nullptr}},
      {"autocommit", {"on", "on|true"}},
      {"client_encoding", {"UTF8", "utf8|utf-8|unicode|utf_8"}},
      {"client_min_messages", {"notice", nullptr}},
      {"datestyle", {"ISO, MDY", "iso|iso, mdy|iso,mdy|mdy"}},
      {"default_transaction_isolation", {"serializable", nullptr}},
      {"default_transaction_read_only", {"off", "off|false"}},
      {"enable_case_sensitive_identifier", {"off", "off|false"}},
      {"enable_result_cache_for_session", {"on", nullptr}},
      {"extra_float_digits", {"0", nullptr}},
      {"integer_datetimes", {"on", "on"}},
      {"intervalstyle", {"postgres", "postgres"}},
      {"is_superuser", {"on", "on"}},
      {"max_index_keys", {"32", "32"}},
      {"query_group", {"default", nullptr}},
      {"search_path", {"$user, public", nullptr}},
      {"server_encoding", {"UTF8", "utf8"}},
      {"server_version", {"8.0.2", "8.0.2"}},
      {"session_authorization", {"", nullptr}},
      {"standard_conforming_strings", {"off", "off"}},
      {"statement_timeout", {"0", nullptr}},
      {"timezone", {"UTC", "utc|etc/utc|gmt|etc/gmt|z|zulu|universal|+00|0|default"}},
      {"transaction_isolation", {"serializable", nullptr}},
      {"wlm_query_slot_count", {"1", nullptr}},
  };
  return k_settings;
}

}  // namespace

std::optional<std::string> SessionImpl::setting(const std::string& name) const {
  const std::string key = to_lower(name);
  const auto known = known_settings().find(key);
  if (known == known_settings().end()) return std::nullopt;
  const auto changed = settings_.find(key);
  if (changed != settings_.end()) return changed->second;
  if (key == "session_authorization") return options_.user;
  if (key == "application_name") return options_.application;
  return known->second.fallback;
}

Answer SessionImpl::set(const SetVariable& set) {
  const std::string name = to_lower(set.name);
  const auto known = known_settings().find(name);
  if (known == known_settings().end()) {
    throw SqlError(sqlstate::k_undefined_object,
                   "unrecognized configuration parameter \"" + set.name + "\"");
  }
  if (set.to_default) {
    settings_.erase(name);
    if (name == "search_path") search_path_ = {"$user", "public"};
  } else {
    const std::string value = join(set.values, ", ");
    if (known->second.allowed) {
      const auto allowed = split(known->second.allowed, '|');
      if (std::find(allowed.begin(), allowed.end(), to_lower(value)) == allowed.end()) {
        not_supported(name + " = \"" + value + "\"");
      }
    } else if (name == "statement_timeout" && !parse_uint(value)) {
      throw SqlError(sqlstate::k_invalid_parameter_value,
                     "parameter \"statement_timeout\" requires a numeric value");
    }
    settings_[name] = value;
    if (name == "search_path") {
      search_path_.clear();
      for (const auto& one : set.values) {
        for (const auto& part : split(one, ',')) {  // also one string with commas
          search_path_.emplace_back(replace_all(trim(part), "\"", ""));
        }
      }
    }
  }
  if (name == "search_path") apply_search_path();
  return {set.to_default ? "RESET" : "SET"};
}

Answer SessionImpl::show(const ShowVariable& show) {
  const auto value = setting(show.name);
  if (!value) {
    throw SqlError(sqlstate::k_undefined_object,
                   "unrecognized configuration parameter \"" + show.name + "\"");
  }
  Answer answer;
  answer.tag = "SHOW";
  answer.columns = {{show.name, {oid::k_varchar, -1}}};
  answer.rows = text_rows(connection(), show.name, {*value});
  return answer;
}

// Schemas that do not exist are passed over, as in PostgreSQL.
void SessionImpl::apply_search_path() {
  const auto rows = query_internal(
      "SELECT schema_name FROM duckdb_schemas() WHERE database_name "
      "= " +
      quote_literal(database_->name()));
  std::set<std::string> existing;
  for (std::size_t i = 0; i < rows->RowCount(); ++i) {
    existing.insert(rows->GetValue(0, i).ToString());
  }
  existing.erase("main");
  existing.erase(k_internal_schema);
  std::string path;
  facts_->schema.clear();
  for (const auto& name : search_path_) {
    const std::string schema = name == "$user" ? to_lower(options_.user) : name;
    if (!existing.contains(schema)) continue;
    if (facts_->schema.empty()) facts_->schema = schema;
    path += (path.empty() ? "" : ",") + quote_identifier(database_->name()) + "." +
            quote_identifier(schema);
  }
  // An empty path would mean DuckDB's own default.
  if (path.empty()) path = quote_identifier(database_->name()) + "." + k_internal_schema;
  execute_internal("SET search_path = " + quote_literal(path));
}

}  // namespace tarn::sql
