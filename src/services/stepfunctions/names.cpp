// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "aws/arn.hpp"
#include "aws/stepfunctions/errors.hpp"
#include "base/strings.hpp"

namespace tarn::stepfunctions {
namespace {

constexpr std::string_view k_token_mark = "page:";

}  // namespace

std::optional<ResourceName> find_name(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() < 7 || parts[0] != "arn" || parts[2] != "states" || parts[3].empty() ||
      parts[4].empty() || parts[6].empty()) {
    return std::nullopt;
  }
  ResourceName out;
  out.scope = {parts[4], parts[3]};
  out.kind = parts[5];
  out.name = parts[6];
  if (out.kind == "execution" || out.kind == "express") {
    if (parts.size() < 8 || parts[7].empty()) return std::nullopt;
    out.execution = parts[7];
  } else if (parts.size() == 8) {
    out.qualifier = parts[7];
  } else if (parts.size() > 8) {
    return std::nullopt;
  }
  return out;
}

ResourceName parse_name(std::string_view arn, std::string_view kinds) {
  if (!arn.starts_with("arn:")) {
    throw InvalidArn(fmt::format("Invalid Arn: 'Invalid ARN prefix: {}'", arn));
  }
  const auto out = find_name(arn);
  if (!out) throw InvalidArn(fmt::format("Invalid Arn: '{}'", arn));
  const auto allowed = split(kinds, '|');
  if (std::find(allowed.begin(), allowed.end(), out->kind) == allowed.end()) {
    throw InvalidArn(
        fmt::format("Invalid Arn: 'Resource type not valid in this context: {}'", out->kind));
  }
  return *out;
}

std::string machine_arn(const kernel::Scope& scope, std::string_view name) {
  return aws::make_arn("states", scope.region, scope.account, fmt::format("stateMachine:{}", name));
}

std::string execution_arn(const kernel::Scope& scope, std::string_view machine,
                          std::string_view name) {
  return aws::make_arn("states", scope.region, scope.account,
                       fmt::format("execution:{}:{}", machine, name));
}

// White space, wildcards, brackets, special and control characters are not allowed.
void check_name(std::string_view name) {
  bool fits = !name.empty();
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    if (c <= 0x20 || c == 0x7F) fits = false;
    if (std::string_view("?*<>{}[]\"#%\\^|~`$&,;:/").find(static_cast<char>(c)) !=
        std::string_view::npos) {
      fits = false;
    }
    // C1 controls, U+0080 to U+009F, in UTF-8
    if (c == 0xC2 && i + 1 < name.size() && static_cast<unsigned char>(name[i + 1]) < 0xA0) {
      fits = false;
    }
  }
  if (!fits) throw InvalidName(fmt::format("Invalid Name: '{}'", name));
}

std::string page_token(std::string_view last_key) {
  return to_base64(fmt::format("{}{}", k_token_mark, last_key));
}

kernel::ScanOptions page_options(const std::optional<std::string>& token) {
  kernel::ScanOptions options;
  if (!token) return options;
  const auto key = from_base64(*token);
  if (!key || !key->starts_with(k_token_mark) || key->size() == k_token_mark.size()) {
    throw InvalidToken(fmt::format("Invalid Token: '{}'", *token));
  }
  options.after = key->substr(k_token_mark.size());
  return options;
}

}  // namespace tarn::stepfunctions
