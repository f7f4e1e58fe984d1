// SPDX-License-Identifier: Apache-2.0
#include "services/secretsmanager/random_password.hpp"

#include <vector>

#include "aws/secretsmanager/errors.hpp"

namespace tarn::secretsmanager {
namespace {

// Uniform: what would favour the first characters is drawn again.
std::size_t below(Random& random, std::size_t bound) {
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t drawn = random.next64();
  while (drawn >= limit) drawn = random.next64();
  return drawn % bound;
}

std::string without(std::string_view characters, const std::string& excluded) {
  std::string left;
  for (const char c : characters) {
    if (excluded.find(c) == std::string::npos) left += c;
  }
  return left;
}

std::vector<std::string> classes_of(const PasswordRules& rules) {
  std::vector<std::string> classes;
  const auto add = [&](bool wanted, std::string_view characters) {
    if (!wanted) return;
    std::string left = without(characters, rules.exclude);
    if (left.empty() && rules.require_each) {
      throw InvalidParameterException(
          "The password can't be generated: ExcludeCharacters leaves nothing of an included "
          "character type.");
    }
    if (!left.empty()) classes.push_back(std::move(left));
  };
  add(rules.lower, "abcdefghijklmnopqrstuvwxyz");
  add(rules.upper, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  add(rules.numbers, "0123456789");
  add(rules.punctuation, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
  add(rules.space, " ");
  if (classes.empty()) {
    throw InvalidParameterException(
        "The password can't be generated: every character type is excluded.");
  }
  return classes;
}

}  // namespace

std::string random_password(const PasswordRules& rules, Random& random) {
  const auto classes = classes_of(rules);
  if (rules.require_each && rules.length < classes.size()) {
    throw InvalidParameterException(
        "The password length is too short for the required character types.");
  }
  std::string all;
  for (const auto& characters : classes) all += characters;
  std::string password;
  if (rules.require_each) {
    for (const auto& characters : classes) {
      password += characters[below(random, characters.size())];
    }
  }
  while (password.size() < rules.length) password += all[below(random, all.size())];
  for (std::size_t i = password.size(); i > 1; --i) {
    std::swap(password[i - 1], password[below(random, i)]);
  }
  return password;
}

}  // namespace tarn::secretsmanager
