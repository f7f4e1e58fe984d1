// SPDX-License-Identifier: Apache-2.0
// ListSecrets: filters, order, pages.
#include <algorithm>
#include <tuple>

#include "aws/secretsmanager/errors.hpp"
#include "base/strings.hpp"
#include "services/secretsmanager/secret_filter.hpp"
#include "services/secretsmanager/service.hpp"

namespace tarn::secretsmanager {
namespace {

std::vector<SecretFilter> read_filters(const std::optional<std::vector<Filter>>& shapes) {
  std::vector<SecretFilter> filters;
  if (!shapes) return filters;
  for (const auto& shape : *shapes) {
    filters.push_back({shape.key.value_or(""), shape.values.value_or(std::vector<std::string>{})});
  }
  check_filters(filters);
  return filters;
}

void sort(std::vector<SecretRecord>& secrets, const ListSecretsInput& in) {
  const std::string by = in.sort_by.value_or("created-date");
  const auto time = [&](const SecretRecord& secret) {
    if (by == "name") return Timestamp();
    if (by == "last-accessed-date") return secret.accessed.value_or(Timestamp());
    if (by == "last-changed-date") return secret.changed;
    return secret.created;
  };
  std::ranges::sort(secrets, [&](const auto& left, const auto& right) {
    return std::make_tuple(time(left), std::string_view(left.name)) <
           std::make_tuple(time(right), std::string_view(right.name));
  });
  // Newest first, unless asked otherwise.
  if (in.sort_order.value_or("desc") == "desc") std::ranges::reverse(secrets);
}

SecretListEntry shown(const SecretRecord& secret) {
  SecretListEntry entry;
  entry.arn = secret.arn;
  entry.name = secret.name;
  if (!secret.description.empty()) entry.description = secret.description;
  if (!secret.kms_key.empty()) entry.kms_key_id = secret.kms_key;
  entry.last_changed_date = secret.changed;
  entry.last_accessed_date = secret.accessed;
  entry.deleted_date = secret.deletion;
  entry.created_date = secret.created;
  entry.tags.emplace();
  for (const auto& [key, value] : secret.tags) entry.tags->push_back({.key = key, .value = value});
  entry.secret_versions_to_stages.emplace();
  for (const auto& [stage, version] : secret.stages) {
    (*entry.secret_versions_to_stages)[version].push_back(stage);
  }
  return entry;
}

}  // namespace

void SecretsManager::listing_operations(platform::OpTable& t) {
  t.op<ListSecrets>(&SecretsManager::list_secrets);
}

ListSecretsOutput SecretsManager::list_secrets(Call& call, const ListSecretsInput& in) {
  const auto filters = read_filters(in.filters);
  auto txn = store_.begin(call.scope());
  auto secrets = txn.list<SecretRecord>();
  std::erase_if(secrets, [&](const SecretRecord& secret) {
    return (secret.deletion && !in.include_planned_deletion.value_or(false)) ||
           !matches(secret, filters, call.region());
  });
  sort(secrets, in);
  auto first = secrets.begin();
  if (in.next_token) {
    // The token names the last secret shown; where that is gone, the client must begin again.
    const auto last = from_base64(*in.next_token);
    first = last ? std::ranges::find(secrets, *last, &SecretRecord::name) : secrets.end();
    if (first == secrets.end()) throw InvalidNextTokenException("The NextToken value is invalid.");
    ++first;
  }
  const auto max = static_cast<std::ptrdiff_t>(in.max_results.value_or(100));
  ListSecretsOutput out;
  out.secret_list.emplace();
  const auto end = secrets.end() - first > max ? first + max : secrets.end();
  for (auto secret = first; secret != end; ++secret) out.secret_list->push_back(shown(*secret));
  if (end != secrets.end()) out.next_token = to_base64((end - 1)->name);
  return out;
}

}  // namespace tarn::secretsmanager
