// SPDX-License-Identifier: Apache-2.0
// Recorded Step Functions cases (../shared/conformance/stepfunctions): finding them, and comparing
// what was recorded with what happened. For tests.
#pragma once
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/json.hpp"

namespace tarn::stepfunctions::testing {

std::filesystem::path cases_directory();
std::string read_file(const std::filesystem::path& path);
// Name → reason, from tests/conformance/`file`.
std::map<std::string, std::string> expected_failures(const std::string& file);

// Recorded values against ours: <placeholders> and replaced times stand for anything.
class Comparer {
 public:
  explicit Comparer(const Json& test);
  bool equal(const Json& expected, const Json& actual) const;
  // Where they differ, for people; empty if they do not.
  std::string difference(const Json& expected, const Json& actual,
                         const std::string& path = "") const;
  // Members that are left out wherever they occur.
  std::set<std::string> ignored;

 private:
  bool text_equal(const std::string& expected, const std::string& actual) const;
  std::set<std::string> wild_;
};

// Histories: in order, or without order where branches interleave. Empty: equal.
std::string history_difference(const Json& test, const Comparer& comparer, JsonArray expected,
                               JsonArray actual);

}  // namespace tarn::stepfunctions::testing
