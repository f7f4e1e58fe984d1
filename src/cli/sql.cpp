// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

#include "cli/client.hpp"
#include "cli/commands.hpp"

namespace tarn::cli {
namespace {

struct Table {
  std::vector<std::string> columns;
  std::vector<bool> numeric;
  std::vector<JsonArray> rows;  // of fields as the Data API gives them
};

bool is_null(const Json& field) { return find_member(field, "isNull") != nullptr; }

std::string text_of(const Json& field) {
  if (is_null(field)) return {};
  const auto& [key, value] = *field.as_object().begin();
  if (value.is_string()) return std::string(json_text(value.get_string()));
  return dump_json(value);
}

Json value_of(const Json& field) {
  return is_null(field) ? Json() : field.as_object().begin()->value();
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

void print_csv(const Table& table) {
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    fmt::print("{}{}", i ? "," : "", csv_text(table.columns[i]));
  }
  fmt::print("\n");
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      fmt::print("{}{}", i ? "," : "", csv_text(text_of(row[i])));
    }
    fmt::print("\n");
  }
}

void print_json(const Table& table) {
  JsonArray all;
  for (const auto& row : table.rows) {
    JsonObject object;
    for (std::size_t i = 0; i < row.size(); ++i) object[table.columns[i]] = value_of(row[i]);
    all.push_back(std::move(object));
  }
  fmt::print("{}\n", dump_json_pretty(all));
}

// Columns are counted in code points, so that accented names line up.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

void print_table(const Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t width = width_of(table.columns[i]);
    for (const auto& row : table.rows) width = std::max(width, width_of(text_of(row[i])));
    widths.push_back(width);
  }
  const auto line = [&](const auto& cell, bool align) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string text = cell(i);
      const std::string pad(widths[i] - width_of(text), ' ');
      const bool right = align && table.numeric[i];
      fmt::print("{} {}{} ", i ? "|" : "", right ? pad : text, right ? text : pad);
    }
    fmt::print("\n");
  };
  line([&](std::size_t i) { return table.columns[i]; }, false);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    fmt::print("{}{}", i ? "+" : "", std::string(widths[i] + 2, '-'));
  }
  fmt::print("\n");
  for (const auto& row : table.rows) line([&](std::size_t i) { return text_of(row[i]); }, true);
  fmt::print("({} row{})\n", table.rows.size(), table.rows.size() == 1 ? "" : "s");
}

volatile std::sig_atomic_t interrupted = 0;

// Ctrl-C stops the statement too: a second one stops only waiting for that.
Json wait_for(const JsonService& service, const std::string& id) {
  std::signal(SIGINT, [](int) {
    interrupted = 1;
    std::signal(SIGINT, SIG_DFL);
  });
  auto pause = std::chrono::milliseconds(5);
  while (true) {
    if (interrupted == 1) {
      interrupted = 2;
      service.call("CancelStatement", JsonObject{{"Id", id}});
    }
    Json description = service.call("DescribeStatement", JsonObject{{"Id", id}});
    const std::string status = string_or(description, "Status");
    if (status == "FINISHED") return description;
    if (status == "FAILED" || status == "ABORTED") {
      throw std::runtime_error(string_or(description, "Error", status));
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(200));
  }
}

Table fetch(const JsonService& service, const std::string& id) {
  Table table;
  JsonObject request{{"Id", id}};
  while (true) {
    const Json page = service.call("GetStatementResult", request);
    if (table.columns.empty()) {
      for (const Json& column : page.at("ColumnMetadata").as_array()) {
        table.columns.push_back(string_or(column, "name"));
        const std::string type = string_or(column, "typeName");
        table.numeric.push_back(type.starts_with("int") || type.starts_with("float") ||
                                type == "numeric");
      }
    }
    for (const Json& row : page.at("Records").as_array()) table.rows.push_back(row.as_array());
    const auto token = find_string(page, "NextToken");
    if (!token) return table;
    request["NextToken"] = *token;
  }
}

}  // namespace

int sql(const DataDirectory& data, const SqlOptions& options) {
  Client client(find_connection(data));
  const JsonService service = redshift_data(client);
  const std::string database = options.database.empty() ? "dev" : options.database;
  JsonObject request{
      {"ClusterIdentifier", options.cluster}, {"Database", database}, {"Sql", options.query}};
  if (options.cluster == "dev") request["DbUser"] = "awsuser";
  const std::string id = string_or(service.call("ExecuteStatement", request), "Id");
  Json done;
  try {
    done = wait_for(service, id);
  } catch (const std::exception&) {
    if (interrupted == 0) throw;
    fmt::print(stderr, "tarn: cancelled\n");
    return 130;
  }
  const Json* has_result = find_member(done, "HasResultSet");
  if (!has_result || !has_result->is_bool() || !has_result->get_bool()) {
    const Json* rows = find_member(done, "ResultRows");
    const auto count = rows ? rows->to_number<std::int64_t>() : -1;
    if (count >= 0) fmt::print("{} row{}\n", count, count == 1 ? "" : "s");
    return 0;
  }
  const Table table = fetch(service, id);
  if (options.format == "csv") {
    print_csv(table);
  } else if (options.format == "json") {
    print_json(table);
  } else {
    print_table(table);
  }
  return 0;
}

}  // namespace tarn::cli
