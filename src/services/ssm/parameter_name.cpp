// SPDX-License-Identifier: Apache-2.0
#include "services/ssm/parameter_name.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "aws/arn.hpp"
#include "aws/ssm/errors.hpp"
#include "base/strings.hpp"

namespace tarn::ssm {
namespace {

constexpr std::size_t k_levels_max = 15;
constexpr std::size_t k_name_max = 1011;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool is_reserved(std::string_view lower) {
  return lower.starts_with("aws") || lower.starts_with("ssm");
}

[[noreturn]] void refuse(const char* reserved) {
  throw aws::validation_error(fmt::format(
      "Parameter name: can't be prefixed with {} (case-insensitive). If formed as a path, it can "
      "consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of "
      "letters, numbers and the following 3 symbols .-_",
      reserved));
}

}  // namespace

void check_new_name(const std::string& name) {
  const bool is_path = name.find('/') != std::string::npos;
  if (is_path && !name.starts_with('/')) {
    throw aws::validation_error("Parameter name must be a fully qualified name.");
  }
  const std::string lower = to_lower(name.substr(is_path ? 1 : 0));
  if (lower.starts_with("aws") && is_path) {
    throw aws::ApiError("AccessDeniedException",
                        fmt::format("No access to reserved parameter name: {}.", name));
  }
  if (is_reserved(lower)) {
    if (is_path) refuse("\"ssm\"");
    throw aws::validation_error(
        "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).");
  }
  const auto parts = split(is_path ? name.substr(1) : name, '/');
  for (const auto& part : parts) {
    if (part.empty() || !std::ranges::all_of(part, is_name_character)) refuse("\"ssm\"");
  }
  if (parts.size() > k_levels_max) {
    throw HierarchyLevelLimitExceededException(
        "A hierarchy can have a maximum of 15 levels. For more information, see Requirements and "
        "constraints for parameter names in the AWS Systems Manager User Guide.");
  }
  if (name.size() > k_name_max) {
    throw aws::validation_error(
        fmt::format("Parameter name can't be longer than {} characters.", k_name_max));
  }
}

ParameterReference ParameterReference::parse(const std::string& text) {
  ParameterReference reference;
  std::string rest = text;
  if (text.starts_with("arn:")) {
    const auto arn = aws::Arn::parse(text);
    constexpr std::string_view k_kind = "parameter/";
    if (!arn || arn->service != "ssm" || !arn->resource.starts_with(k_kind)) {
      throw aws::validation_error("Invalid parameter ARN: " + text);
    }
    rest = arn->resource.substr(k_kind.size() - 1);
  }
  const auto colon = rest.find(':');
  reference.name = rest.substr(0, colon);
  if (text.starts_with("arn:") && std::ranges::count(reference.name, '/') == 1) {
    reference.other_name = reference.name.substr(1);
  }
  if (colon == std::string::npos) return reference;
  reference.selector = rest.substr(colon);
  const std::string what = rest.substr(colon + 1);
  if (what.empty() || what.find(':') != std::string::npos) {
    throw aws::validation_error("Invalid parameter selector: " + text);
  }
  if (what.find_first_not_of("0123456789") == std::string::npos) {
    // More digits than fit are a version that cannot exist.
    reference.version = parse_int(what).value_or(0);
  } else {
    reference.label = what;
  }
  return reference;
}

std::string parameter_arn(std::string_view region, std::string_view account,
                          std::string_view name) {
  return fmt::format("arn:aws:ssm:{}:{}:parameter{}{}", region, account,
                     name.starts_with('/') ? "" : "/", name);
}

bool is_below(std::string_view name, std::string_view path, bool recursive) {
  if (name.starts_with('/')) name.remove_prefix(1);
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  if (!path.empty()) {
    if (!name.starts_with(path) || name.size() <= path.size() || name[path.size()] != '/') {
      return false;
    }
    name.remove_prefix(path.size() + 1);
  }
  return recursive || name.find('/') == std::string_view::npos;
}

void check_path(const std::string& path) {
  const std::string lower = to_lower(path.substr(std::min<std::size_t>(1, path.size())));
  if (path.starts_with('/') && is_reserved(lower)) {
    throw aws::validation_error(
        "Filters for common parameters can't be prefixed with \"aws\" or \"ssm\" "
        "(case-insensitive). When using global parameters, please specify within a global "
        "namespace.");
  }
  const bool characters =
      std::ranges::all_of(path, [](char c) { return c == '/' || is_name_character(c); });
  if (!path.starts_with('/') || path.find("//") != std::string::npos || !characters) {
    throw aws::validation_error(
        "The parameter doesn't meet the parameter name requirements. The parameter name must "
        "begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" "
        "(case-insensitive). It must use only letters, numbers, or the following symbols: . "
        "(period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, "
        "if specified, must use the forward slash symbol \"/\". Valid example: "
        "/get/parameters2-/by1./path0_.");
  }
}

bool is_valid_label(std::string_view label) {
  if (label.empty() || label.size() > 100) return false;
  if (label.front() >= '0' && label.front() <= '9') return false;
  return std::ranges::all_of(label, is_name_character) && !is_reserved(to_lower(label));
}

}  // namespace tarn::ssm
