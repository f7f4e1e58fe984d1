// SPDX-License-Identifier: Apache-2.0
// Private to the functions: what a bind callback puts in the place of its own function.
#pragma once
#include <string>

#include "duckdb/function/function_binder.hpp"
#include "duckdb/planner/expression.hpp"

namespace tarn::sql {

// The registered function of one argument, called with `argument`.
inline duckdb::unique_ptr<duckdb::Expression> bound_call(
    duckdb::ClientContext& context, const std::string& function,
    duckdb::unique_ptr<duckdb::Expression> argument) {
  duckdb::ErrorData error;
  duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> children;
  children.push_back(std::move(argument));
  auto call = duckdb::FunctionBinder(context).BindScalarFunction(DEFAULT_SCHEMA, function,
                                                                 std::move(children), error);
  if (!call) error.Throw();
  return call;
}

}  // namespace tarn::sql
