// SPDX-License-Identifier: Apache-2.0
// The list of functions that queries may call: what Redshift has and what it becomes in DuckDB.
// Everything else is refused (0A000). The list is also what docs/services/redshift.md shows.
#pragma once
#include <cstddef>
#include <string>

namespace tarn::sql {

struct FunctionRule {
  const char* name;
  int arguments_min;
  int arguments_max;
  const char* target;  // null: as it is
  enum class Kind { scalar, aggregate, window, catalog } kind;
};

// Null: not in the list.
const FunctionRule* find_function(const std::string& name);

}  // namespace tarn::sql
