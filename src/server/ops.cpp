// SPDX-License-Identifier: Apache-2.0
#include "server/ops.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "server/parts.hpp"
#include "server/temporary_directory.hpp"

namespace tarn::server {
namespace {

void print_json(const std::vector<const platform::OpRow*>& rows,
                const platform::ResourceTypes& types) {
  JsonArray operations;
  for (const auto* row : rows) {
    JsonObject entry{{"service", row->operation->service->id}, {"operation", row->operation->name}};
    if (!row->partial_note.empty()) entry["partial"] = row->partial_note;
    operations.push_back(std::move(entry));
  }
  JsonArray names;
  for (const auto& name : types.names()) names.emplace_back(name);
  const JsonObject all{{"operations", std::move(operations)}, {"resourceTypes", std::move(names)}};
  fmt::print("{}\n", dump_json_pretty(all));
}

void print_text(const std::vector<const platform::OpRow*>& rows,
                const platform::ResourceTypes& types) {
  std::string_view service;
  for (const auto* row : rows) {
    if (row->operation->service->id != service) {
      service = row->operation->service->id;
      fmt::print("{}\n", service);
    }
    fmt::print("  {}{}\n", row->operation->name,
               row->partial_note.empty() ? "" : "  (partial: " + row->partial_note + ")");
  }
  fmt::print("\nresource types\n");
  for (const auto& name : types.names()) fmt::print("  {}\n", name);
  fmt::print("\n{} operations, {} resource types\n", rows.size(), types.names().size());
}

}  // namespace

int print_operations(bool as_json) {
  const TemporaryDirectory directory;  // services want a place; nothing is kept there
  Options options;
  options.data_directory = directory.path();
  const Parts parts(options, true);
  std::vector<const platform::OpRow*> rows;
  for (const auto& row : parts.registry.rows()) rows.push_back(&row);
  std::ranges::sort(rows, {}, [](const platform::OpRow* row) {
    return std::pair(row->operation->service->id, row->operation->name);
  });
  as_json ? print_json(rows, parts.resource_types) : print_text(rows, parts.resource_types);
  return 0;
}

}  // namespace tarn::server
