// SPDX-License-Identifier: Apache-2.0
#include "aws/arn.hpp"

#include <array>

#include <fmt/format.h>

namespace tarn::aws {

std::optional<Arn> Arn::parse(std::string_view text) {
  std::array<std::string_view, 5> parts;
  for (auto& part : parts) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    part = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (parts[0] != "arn" || parts[1].empty() || parts[2].empty() || text.empty()) {
    return std::nullopt;
  }
  return Arn{std::string(parts[1]), std::string(parts[2]), std::string(parts[3]),
             std::string(parts[4]), std::string(text)};
}

std::string Arn::text() const {
  return fmt::format("arn:{}:{}:{}:{}:{}", partition, service, region, account, resource);
}

std::string_view Arn::resource_type() const {
  const auto end = resource.find_first_of(":/");
  return end == std::string::npos ? std::string_view{} : std::string_view(resource).substr(0, end);
}

std::string_view Arn::resource_id() const {
  const auto end = resource.find_first_of(":/");
  return end == std::string::npos ? std::string_view(resource)
                                  : std::string_view(resource).substr(end + 1);
}

std::string make_arn(std::string_view service, std::string_view region, std::string_view account,
                     std::string_view resource) {
  return fmt::format("arn:aws:{}:{}:{}:{}", service, region, account, resource);
}

}  // namespace tarn::aws
