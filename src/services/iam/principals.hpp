// SPDX-License-Identifier: Apache-2.0
// What users, groups, roles and policies share: look-up with IAM's messages, names and ids, inline
// and attached policies, tags, pages. Templates over the record, so that each rule stands once.
#pragma once
#include <algorithm>

#include <fmt/format.h>

#include "aws/iam/errors.hpp"
#include "aws/iam/operations.hpp"
#include "aws/policy.hpp"
#include "base/ids.hpp"
#include "base/strings.hpp"
#include "kernel/store.hpp"
#include "platform/call.hpp"
#include "services/iam/managed_policies.hpp"
#include "services/iam/records.hpp"

namespace tarn::iam {

template <class R>
constexpr std::string_view noun() {
  if constexpr (std::same_as<R, UserRecord>) return "user";
  if constexpr (std::same_as<R, GroupRecord>) return "group";
  if constexpr (std::same_as<R, RoleRecord>) return "role";
  if constexpr (std::same_as<R, InstanceProfileRecord>) return "instance profile";
  if constexpr (std::same_as<R, PolicyRecord>) return "policy";
}

inline std::string capital(std::string_view word) {
  std::string text(word);
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

// The word in an ARN.
template <class R>
constexpr std::string_view arn_kind() {
  return std::same_as<R, InstanceProfileRecord> ? "instance-profile" : noun<R>();
}

template <class R>
[[noreturn]] void throw_missing(const std::string& name) {
  if constexpr (std::same_as<R, InstanceProfileRecord>) {
    throw NoSuchEntityException(fmt::format("Instance Profile {} cannot be found.", name));
  } else if constexpr (std::same_as<R, PolicyRecord>) {
    throw NoSuchEntityException(fmt::format("Policy {} was not found.", name));
  } else {
    throw NoSuchEntityException(
        fmt::format("The {} with name {} cannot be found.", noun<R>(), name));
  }
}

template <class R>
R require(kernel::Txn& txn, const std::string& name) {
  auto record = txn.peek<R>(name);
  if (!record) throw_missing<R>(name);
  return *std::move(record);
}

template <class R>
R require_for_update(kernel::Txn& txn, const std::string& name) {
  auto record = txn.find_for_update<R>(name);
  if (!record) throw_missing<R>(name);
  return *std::move(record);
}

template <class R>
void require_absent(kernel::Txn& txn, const std::string& name) {
  if (!txn.find_for_update<R>(name)) return;
  std::string what = capital(noun<R>());
  if constexpr (std::same_as<R, InstanceProfileRecord>) what = "Instance Profile";
  throw EntityAlreadyExistsException(fmt::format("{} with name {} already exists.", what, name));
}

// AIDA… for users, AROA… for roles, as AWS's ids begin.
inline std::string make_id(Random& random, std::string_view prefix) {
  return std::string(prefix) + random.text(17, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
}

inline std::string make_arn(const std::string& account, std::string_view kind,
                            const std::string& path, const std::string& name) {
  return fmt::format("arn:aws:iam::{}:{}{}{}", account, kind, path, name);
}

constexpr std::size_t k_attached_max = 10;
constexpr std::size_t k_groups_max = 10;
constexpr std::size_t k_managed_size_max = 6144;
constexpr std::size_t k_trust_size_max = 2048;

// IAM's quotas count what is not white space.
inline std::size_t document_size(const std::string& document) {
  return static_cast<std::size_t>(std::count_if(
      document.begin(), document.end(), [](unsigned char c) { return std::isspace(c) == 0; }));
}

// The document of an identity policy. Throws MalformedPolicyDocument with IAM's text.
inline void check_document(const std::string& document) {
  try {
    aws::Policy::parse(document).check_identity();
  } catch (const aws::PolicyError& error) {
    throw MalformedPolicyDocumentException(error.what());
  }
}

inline void check_managed_document(const std::string& document) {
  check_document(document);
  if (document_size(document) <= k_managed_size_max) return;
  throw LimitExceededException(
      fmt::format("Cannot exceed quota for PolicySize: {}", k_managed_size_max));
}

// A role's trust policy: principals, actions of STS, no resources.
inline void check_trust_document(const std::string& document) {
  try {
    aws::Policy::parse(document).check_resource();
  } catch (const aws::PolicyError& error) {
    throw MalformedPolicyDocumentException(error.what());
  }
  const auto check = [](const Json& statement) {
    for (const char* field : {"Resource", "NotResource"}) {
      if (!find_member(statement, field)) continue;
      throw MalformedPolicyDocumentException(fmt::format("Has prohibited field {}", field));
    }
    const auto check_action = [](const Json& action) {
      if (to_lower(json_text(action.get_string())).starts_with("sts:")) return;
      throw MalformedPolicyDocumentException(
          "AssumeRole policy may only specify STS AssumeRole actions.");
    };
    const Json* actions = find_member(statement, "Action");
    if (!actions) return;
    if (!actions->is_array()) return check_action(*actions);
    for (const auto& action : actions->get_array()) check_action(action);
  };
  const Json value = parse_json(document);
  const Json& statements = *find_member(value, "Statement");
  if (statements.is_array()) {
    for (const auto& statement : statements.get_array()) check(statement);
  } else {
    check(statements);
  }
  if (document_size(document) <= k_trust_size_max) return;
  throw LimitExceededException(
      fmt::format("Cannot exceed quota for ACLSizePerRole: {}", k_trust_size_max));
}

inline std::string encoded_document(const std::string& document) { return uri_encode(document); }

template <class R>
[[noreturn]] void throw_no_inline(const std::string& name) {
  throw NoSuchEntityException(
      fmt::format("The {} policy with name {} cannot be found.", noun<R>(), name));
}

// All inline policies of a principal together.
template <class R>
void check_inline_size(const R& record) {
  constexpr std::size_t k_max = std::same_as<R, UserRecord>    ? 2048
                                : std::same_as<R, GroupRecord> ? 5120
                                                               : 10'240;
  std::size_t size = 0;
  for (const auto& [name, document] : record.inlined) size += document_size(document);
  if (size <= k_max) return;
  throw LimitExceededException(fmt::format("Maximum policy size of {} bytes exceeded for {} {}",
                                           k_max, noun<R>(), record.name));
}

inline void require_managed(kernel::Txn& txn, const std::string& arn) {
  if (find_aws_managed_policy(arn) || txn.find<PolicyRecord>(arn)) return;
  throw NoSuchEntityException(fmt::format("Policy {} does not exist or is not attachable.", arn));
}

// "arn:aws:iam::…:policy/path/Name" → Name.
inline std::string policy_name_of(const std::string& arn) { return arn.substr(arn.rfind('/') + 1); }

inline std::string policy_path_of(const std::string& arn) {
  const auto at = arn.find(":policy") + 7;
  return arn.substr(at, arn.rfind('/') + 1 - at);
}

inline void require_no_policies(const Principal& principal) {
  if (!principal.attached.empty()) {
    throw DeleteConflictException("Cannot delete entity, must detach all policies first.");
  }
  if (!principal.inlined.empty()) {
    throw DeleteConflictException("Cannot delete entity, must delete policies first.");
  }
}

// One page of what is sorted by `name_of`: IAM's Marker, MaxItems (100 by default), IsTruncated.
template <class T, class Output, class Input, class NameOf>
std::vector<T> page(std::vector<T> all, const Input& in, Output& out, NameOf name_of) {
  std::sort(all.begin(), all.end(),
            [&](const T& a, const T& b) { return name_of(a) < name_of(b); });
  if (in.marker) {
    const auto after = from_base64(*in.marker);
    if (!after) throw InvalidInputException("Invalid Marker: " + *in.marker);
    std::erase_if(all, [&](const T& item) { return !(*after < name_of(item)); });
  }
  const auto max = static_cast<std::size_t>(in.max_items.value_or(100));
  out.is_truncated = all.size() > max;
  if (all.size() > max) {
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(max), all.end());
    out.marker = to_base64(std::string(name_of(all.back())));
  }
  return all;
}

template <class Tags>
TagMap tag_map(const Tags& tags) {
  TagMap map;
  for (const auto& tag : tags) map[tag.key] = tag.value;
  if (map.size() > 50) {
    throw LimitExceededException("The number of tags has reached the maximum limit.");
  }
  return map;
}

inline void merge_tags(TagMap& into, const TagMap& from) {
  for (const auto& [key, value] : from) into[key] = value;
  if (into.size() > 50) {
    throw LimitExceededException("The number of tags has reached the maximum limit.");
  }
}

template <class TagShape>
std::vector<TagShape> tag_list(const TagMap& tags) {
  std::vector<TagShape> list;
  for (const auto& [key, value] : tags) list.push_back(TagShape{.key = key, .value = value});
  return list;
}

}  // namespace tarn::iam
