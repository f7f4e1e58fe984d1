// SPDX-License-Identifier: Apache-2.0
// The models' request URIs: "/{Bucket}/{Key+}?acl". Literal segments, labels of one segment, at
// most one greedy label. Pure; views point into the template and the path given.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tarn::aws {

struct UriLabel {
  std::string_view name;
  std::string_view value;  // still percent-encoded
};

// The template's path and its literal query ("acl", "list-type=2").
std::pair<std::string_view, std::string_view> split_uri_template(std::string_view uri);

// The labels, if the path fits; a trailing slash is ignored unless a greedy label takes it. A label
// is never empty.
std::optional<std::vector<UriLabel>> match_uri(std::string_view path_template,
                                               std::string_view path);

}  // namespace tarn::aws
