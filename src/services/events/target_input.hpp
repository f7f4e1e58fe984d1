// SPDX-License-Identifier: Apache-2.0
// What a target gets of an event: all of it, a part (InputPath), a constant (Input), or a template
// filled from it (InputTransformer). Pure functions.
#pragma once
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace tarn::events {

// $.detail.items[0]['x-y']; null where nothing is there. Throws BadPath.
class BadPath : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
std::optional<Json> select(const Json& event, std::string_view path);

struct RuleNames {
  std::string arn, name, ingestion_time;
};

// Fills <name> from `paths`, and the reserved <aws.events.…>. Outside of quotes a value is written
// as JSON, inside as text; what is not there leaves nothing.
std::string fill_template(std::string_view text, const std::map<std::string, std::string>& paths,
                          const Json& event, const RuleNames& rule);

// The InputPathsMap of an InputTransformer, and a <name> of its template that nothing defines.
std::map<std::string, std::string> transformer_paths(const Json& transformer);
std::optional<std::string> unknown_placeholder(std::string_view text,
                                               const std::map<std::string, std::string>& paths);

// `target` is SDK-shaped.
std::string target_input(const Json& target, const Json& event, const RuleNames& rule);

}  // namespace tarn::events
