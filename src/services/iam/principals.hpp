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
}

template <class R>
[[noreturn]] void throw_missing(const std::string& name) {
  if constexpr (std::same_as<R, InstanceProfileRecord>) {
    throw NoSuchEntityException(fmt::format("Instance Profile {} cannot be found.", name));
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
  std::string what(noun<R>());
  what[0] = static_cast<char>(what[0] - 'a' + 'A');
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

// Throws MalformedPolicyDocument with IAM's text.
inline void check_document(const std::string& document) {
  try {
    aws::Policy::parse(document);
  } catch (const aws::PolicyError& error) {
    throw MalformedPolicyDocumentException(error.what());
  }
}

inline std::string encoded_document(const std::string& document) { return uri_encode(document); }

template <class R>
void put_inline(kernel::Txn& txn, const std::string& owner, const std::string& name,
                const std::string& document) {
  check_document(document);
  R record = require_for_update<R>(txn, owner);
  record.inlined[name] = document;
  txn.put(record);
  txn.commit();
}

template <class R>
std::string get_inline(kernel::Txn& txn, const std::string& owner, const std::string& name) {
  const R record = require<R>(txn, owner);
  const auto found = record.inlined.find(name);
  if (found == record.inlined.end()) {
    throw NoSuchEntityException(
        fmt::format("The {} policy with name {} cannot be found.", noun<R>(), name));
  }
  return encoded_document(found->second);
}

template <class R>
void delete_inline(kernel::Txn& txn, const std::string& owner, const std::string& name) {
  R record = require_for_update<R>(txn, owner);
  if (record.inlined.erase(name) == 0) {
    throw NoSuchEntityException(
        fmt::format("The {} policy with name {} cannot be found.", noun<R>(), name));
  }
  txn.put(record);
  txn.commit();
}

inline void require_managed(kernel::Txn& txn, const std::string& arn) {
  if (find_aws_managed_policy(arn) || txn.find<PolicyRecord>(arn)) return;
  throw NoSuchEntityException(fmt::format("Policy {} does not exist or is not attachable.", arn));
}

template <class R>
void attach(kernel::Txn& txn, const std::string& owner, const std::string& arn) {
  R record = require_for_update<R>(txn, owner);
  require_managed(txn, arn);
  record.attached.insert(arn);
  txn.put(record);
  txn.commit();
}

// An empty ARN takes the boundary away.
template <class R>
void put_boundary(kernel::Txn& txn, const std::string& owner, const std::string& arn) {
  R record = require_for_update<R>(txn, owner);
  if (!arn.empty()) require_managed(txn, arn);
  record.boundary = arn;
  txn.put(record);
  txn.commit();
}

// "arn:aws:iam::…:policy/path/Name" → Name.
inline std::string policy_name_of(const std::string& arn) { return arn.substr(arn.rfind('/') + 1); }

inline std::vector<AttachedPolicy> attached_list(const Principal& principal) {
  std::vector<AttachedPolicy> list;
  for (const auto& arn : principal.attached) {
    list.push_back({.policy_name = policy_name_of(arn), .policy_arn = arn});
  }
  return list;
}

template <class R>
void detach(kernel::Txn& txn, const std::string& owner, const std::string& arn) {
  R record = require_for_update<R>(txn, owner);
  if (record.attached.erase(arn) == 0) {
    throw NoSuchEntityException(fmt::format("Policy {} was not found.", arn));
  }
  txn.put(record);
  txn.commit();
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

template <class Output, class Input>
std::vector<std::string> page_names(const std::map<std::string, std::string>& by_name,
                                    const Input& in, Output& out) {
  std::vector<std::string> names;
  for (const auto& [name, document] : by_name) names.push_back(name);
  return page(std::move(names), in, out, [](const std::string& name) { return name; });
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
