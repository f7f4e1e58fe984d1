// SPDX-License-Identifier: Apache-2.0
// A secret's rules: its name and ARN, its versions, and how staging labels move between them. No
// AWS wire types, no store. Pure functions over records.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "services/secretsmanager/records.hpp"

namespace tarn::secretsmanager {

inline constexpr std::string_view k_current = "AWSCURRENT";
inline constexpr std::string_view k_previous = "AWSPREVIOUS";
inline constexpr std::size_t k_versions_max = 100;

// Throws ValidationException.
void check_name(const std::string& name);
// The name and six random characters: a secret made anew under an old name has another ARN.
std::string new_arn(std::string_view region, std::string_view account, const std::string& name,
                    Random& random);

// What a SecretId may mean: a name, a whole ARN, or an ARN without its six characters.
struct SecretReference {
  struct Candidate {
    std::string name;
    std::string arn;  // when not empty, the secret's must be this one
  };
  std::vector<Candidate> candidates;  // in order
  std::string account, region;        // of an ARN; empty for a name
  static SecretReference parse(const std::string& id);
};

const VersionInfo* find_version(const SecretRecord& secret, std::string_view id);
std::vector<std::string> stages_of(const SecretRecord& secret, std::string_view version);
// The label comes off its version and on this one. AWSPREVIOUS follows AWSCURRENT.
void move_stage(SecretRecord& secret, const std::string& stage, const std::string& version);
// Drops the oldest versions without a label beyond what a secret may have; returns their ids.
std::vector<std::string> drop_deprecated(SecretRecord& secret);
// Times of access are kept to the day, as AWS shows them.
Timestamp day_of(Timestamp time);

}  // namespace tarn::secretsmanager
