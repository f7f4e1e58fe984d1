// SPDX-License-Identifier: Apache-2.0
// A parameter's name: what a new one may be, and how a request refers to an existing one (by name
// or ARN, with a version or label behind a colon). Pure functions; AWS's rules and messages:
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-parameter-name-constraints.html
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tarn::ssm {

// Throws what PutParameter answers for a name that a new parameter may not have.
void check_new_name(const std::string& name);

// "name", "name:3", "name:label", or the same behind an ARN's prefix.
struct ParameterReference {
  std::string name;
  // An ARN does not tell "name" from "/name": this one is tried when `name` is not there.
  std::string other_name;
  std::optional<std::int64_t> version;
  std::string label;
  std::string selector;  // as it stood there, with the colon
  static ParameterReference parse(const std::string& text);
};

// "/a/b" and "a" give …:parameter/a/b and …:parameter/a.
std::string parameter_arn(std::string_view region, std::string_view account, std::string_view name);

// Is `name` below `path` ("/", "/a", "/a/")? Directly, or anywhere when recursive. A name without
// a slash in front stands at the root.
bool is_below(std::string_view name, std::string_view path, bool recursive);

// Throws ValidationException when text is no path to search in.
void check_path(const std::string& path);

// A label that AWS takes: letters, digits and ".-_", no digit in front, not "aws…" or "ssm…".
bool is_valid_label(std::string_view label);

}  // namespace tarn::ssm
