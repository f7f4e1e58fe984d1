// SPDX-License-Identifier: Apache-2.0
// HTTP messages as the AWS layer sees them: no sockets, no framing. The gateway makes requests and
// writes responses; tests make both by hand. Plain values, not thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/stream.hpp"

namespace tarn::aws {

using Headers = std::vector<std::pair<std::string, std::string>>;

// The first header of that name, case ignored.
std::optional<std::string_view> find_header(const Headers& headers, std::string_view name);
void set_header(Headers& headers, std::string_view name, std::string value);

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // as received: path?query
  std::string path;    // still percent-encoded
  std::string query;   // still percent-encoded, without '?'
  Headers headers;
  ByteSourcePtr body;  // null or empty when there is none
  std::string remote;  // the client's address
  bool tls = false;

  std::optional<std::string_view> header(std::string_view name) const {
    return find_header(headers, name);
  }
};

struct HttpResponse {
  int status = 200;
  Headers headers;
  std::string body;
  ByteSourcePtr stream;  // when set, sent instead of `body`
  // The length of `stream` where it does not know it itself.
  std::optional<std::uint64_t> length;

  std::optional<std::string_view> header(std::string_view name) const {
    return find_header(headers, name);
  }
  void set(std::string_view name, std::string value) {
    set_header(headers, name, std::move(value));
  }
};

// The decoded pairs of a query string or form body, in order. A key without '=' has an empty value
// and `bare` set.
struct QueryPair {
  std::string key, value;
  bool bare = false;
};
std::vector<QueryPair> parse_query(std::string_view query);

}  // namespace tarn::aws
