// SPDX-License-Identifier: Apache-2.0
// Filters of DescribeParameters and GetParametersByPath. All filters must hold; one of a filter's
// values is enough. Pure functions with AWS's messages.
#pragma once
#include <string>
#include <vector>

#include "services/ssm/records.hpp"

namespace tarn::ssm {

struct ParameterFilter {
  std::string key, option;
  std::vector<std::string> values;
};

enum class FilterPlace { describe, by_path };

// Fills in default options; throws InvalidFilterKey, InvalidFilterOption, InvalidFilterValue or
// ValidationException.
std::vector<ParameterFilter> check_filters(std::vector<ParameterFilter> filters, FilterPlace place);

// Labels are not judged here: they choose a version, see `labelled_version`.
bool matches(const ParameterRecord& parameter, const std::vector<ParameterFilter>& filters);

// The version that the label filters ask for; 0: they rule the parameter out; the current one when
// there is no such filter.
std::int64_t labelled_version(const ParameterRecord& parameter,
                              const std::vector<ParameterFilter>& filters);

}  // namespace tarn::ssm
