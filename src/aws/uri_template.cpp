// SPDX-License-Identifier: Apache-2.0
#include "aws/uri_template.hpp"

namespace tarn::aws {

std::pair<std::string_view, std::string_view> split_uri_template(std::string_view uri) {
  const auto question = uri.find('?');
  if (question == std::string_view::npos) return {uri, {}};
  return {uri.substr(0, question), uri.substr(question + 1)};
}

namespace {

// Takes the first segment, without its slash, off `path`.
std::string_view take_segment(std::string_view& path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  const auto slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
  return segment;
}

// Takes what a greedy label may have: all but what the literal or label segments behind it need.
std::optional<std::string_view> take_greedy(std::string_view rest_of_template,
                                            std::string_view& path) {
  std::string_view taken = path;
  while (!rest_of_template.empty()) {
    take_segment(rest_of_template);
    const auto slash = taken.rfind('/');
    if (slash == std::string_view::npos) return std::nullopt;
    taken = taken.substr(0, slash);
  }
  path = path.substr(taken.size());
  if (taken.starts_with('/')) taken.remove_prefix(1);
  if (taken.empty()) return std::nullopt;
  return taken;
}

}  // namespace

std::optional<std::vector<UriLabel>> match_uri(std::string_view path_template,
                                               std::string_view path) {
  std::vector<UriLabel> labels;
  while (path_template.ends_with('/')) path_template.remove_suffix(1);
  while (!path_template.empty()) {
    const std::string_view wanted = take_segment(path_template);
    if (wanted.starts_with('{') && wanted.ends_with("+}")) {
      const auto value = take_greedy(path_template, path);
      if (!value) return std::nullopt;
      labels.push_back({wanted.substr(1, wanted.size() - 3), *value});
      continue;
    }
    if (path.empty()) return std::nullopt;
    const std::string_view segment = take_segment(path);
    if (wanted.starts_with('{')) {
      if (segment.empty()) return std::nullopt;
      labels.push_back({wanted.substr(1, wanted.size() - 2), segment});
    } else if (segment != wanted) {
      return std::nullopt;
    }
  }
  if (!path.empty() && path != "/") return std::nullopt;
  return labels;
}

}  // namespace tarn::aws
