// SPDX-License-Identifier: Apache-2.0
// What the batch operations share: the checks of the list as a whole, and an entry's failure as a
// value of the answer.
#pragma once
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "aws/sqs/errors.hpp"
#include "aws/sqs/shape_BatchResultErrorEntry.hpp"
#include "services/sqs/queue.hpp"

namespace tarn::sqs {

template <class Entry>
void check_batch(const std::vector<Entry>& entries, std::string_view what) {
  if (entries.empty()) {
    throw EmptyBatchRequest(fmt::format("There should be at least one {} in the request.", what));
  }
  if (entries.size() > k_batch_max) {
    throw TooManyEntriesInBatchRequest(
        fmt::format("Maximum number of entries per request are {}. You have sent {}.", k_batch_max,
                    entries.size()));
  }
  std::set<std::string> ids;
  for (const auto& entry : entries) {
    const bool plain = !entry.id.empty() && entry.id.size() <= 80 &&
                       std::all_of(entry.id.begin(), entry.id.end(), [](unsigned char c) {
                         return std::isalnum(c) || c == '-' || c == '_';
                       });
    if (!plain) {
      throw InvalidBatchEntryId(
          "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It "
          "can be at most 80 letters long.");
    }
    if (!ids.insert(entry.id).second) {
      throw BatchEntryIdsNotDistinct(fmt::format("Id {} repeated.", entry.id));
    }
  }
}

inline BatchResultErrorEntry batch_error(const std::string& id, const aws::ApiError& error) {
  return {
      .id = id, .sender_fault = error.sender_fault, .code = error.code, .message = error.message};
}

}  // namespace tarn::sqs
