// SPDX-License-Identifier: Apache-2.0
#include "services/secretsmanager/secret_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "aws/secretsmanager/errors.hpp"
#include "base/strings.hpp"

namespace tarn::secretsmanager {
namespace {

// "myApp/db-Password" → my app db password: a change to upper case begins a word, too.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false, lower_before = false;
  for (const char raw : text) {
    const auto c = static_cast<unsigned char>(raw);
    if (std::string_view("/-_+=.@ ").find(raw) != std::string_view::npos) {
      inside = lower_before = false;
      continue;
    }
    if (!inside || (lower_before && std::isupper(c))) words.emplace_back();
    words.back() += static_cast<char>(std::tolower(c));
    inside = true;
    lower_before = std::islower(c) || std::isdigit(c);
  }
  return words;
}

// Every word of the pattern begins some word of the text.
bool words_match(const std::string& text, std::string_view pattern) {
  const auto wanted = words_of(pattern);
  const auto words = words_of(text);
  return !wanted.empty() && std::ranges::all_of(wanted, [&](const std::string& start) {
    return std::ranges::any_of(words, [&](const auto& word) { return word.starts_with(start); });
  });
}

bool any_tag(const TagMap& tags, auto test) { return std::ranges::any_of(tags, test); }

bool value_matches(const SecretRecord& secret, const std::string& key, std::string_view value,
                   const std::string& region) {
  if (key == "name") return secret.name.starts_with(value);
  if (key == "description") return words_match(secret.description, value);
  if (key == "tag-key") {
    return any_tag(secret.tags, [&](const auto& tag) { return tag.first.starts_with(value); });
  }
  if (key == "tag-value") {
    return any_tag(secret.tags, [&](const auto& tag) { return tag.second.starts_with(value); });
  }
  if (key == "primary-region") return region.starts_with(value);
  if (key == "owning-service") return value.empty();  // none is made by a service
  // all
  return words_match(secret.name, value) || words_match(secret.description, value) ||
         any_tag(secret.tags, [&](const auto& tag) {
           return words_match(tag.first, value) || words_match(tag.second, value);
         });
}

}  // namespace

void check_filters(const std::vector<SecretFilter>& filters) {
  for (const auto& filter : filters) {
    if (filter.key.empty()) throw InvalidParameterException("Invalid filter key");
    if (filter.values.empty()) {
      throw InvalidParameterException(fmt::format("Invalid filter values for key: {}", filter.key));
    }
  }
}

bool matches(const SecretRecord& secret, const std::vector<SecretFilter>& filters,
             const std::string& region) {
  return std::ranges::all_of(filters, [&](const SecretFilter& filter) {
    return std::ranges::any_of(filter.values, [&](std::string_view value) {
      const bool negated = value.starts_with('!');
      if (negated) value.remove_prefix(1);
      return value_matches(secret, filter.key, value, region) != negated;
    });
  });
}

}  // namespace tarn::secretsmanager
