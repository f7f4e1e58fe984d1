// SPDX-License-Identifier: Apache-2.0
#include "aws/http.hpp"

#include "base/strings.hpp"

namespace tarn::aws {

std::optional<std::string_view> find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (iequals(key, name)) return value;
  }
  return std::nullopt;
}

void set_header(Headers& headers, std::string_view name, std::string value) {
  for (auto& [key, old] : headers) {
    if (iequals(key, name)) {
      old = std::move(value);
      return;
    }
  }
  headers.emplace_back(std::string(name), std::move(value));
}

std::vector<QueryPair> parse_query(std::string_view query) {
  std::vector<QueryPair> pairs;
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (part.empty()) continue;
    const auto equals = part.find('=');
    QueryPair& pair = pairs.emplace_back();
    pair.key = uri_decode(part.substr(0, equals), true);
    if (equals == std::string_view::npos) {
      pair.bare = true;
    } else {
      pair.value = uri_decode(part.substr(equals + 1), true);
    }
  }
  return pairs;
}

}  // namespace tarn::aws
