// SPDX-License-Identifier: Apache-2.0
// Amazon resource names: arn:partition:service:region:account:resource. Plain values.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace tarn::aws {

struct Arn {
  std::string partition = "aws";
  std::string service;
  std::string region;
  std::string account;
  std::string resource;  // everything behind the fifth colon: "function:name:alias"

  // Six parts, the first of them "arn"; service and resource are not empty.
  static std::optional<Arn> parse(std::string_view text);
  std::string text() const;

  // "function" of "function:name", "role" of "role/path/name"; empty where there is no type.
  std::string_view resource_type() const;
  // What follows the type: "name:alias", "path/name".
  std::string_view resource_id() const;

  bool operator==(const Arn&) const = default;
};

std::string make_arn(std::string_view service, std::string_view region, std::string_view account,
                     std::string_view resource);

}  // namespace tarn::aws
