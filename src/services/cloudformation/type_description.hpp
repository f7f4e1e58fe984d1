// SPDX-License-Identifier: Apache-2.0
// What the engine knows of a resource type: what Tarn's implementation accepts (platform's
// ResourceType) and what AWS's schema says of types, required and create-only properties.
//
// A schema is a compact form made at build time (codegen/cfn_schemas.py):
//   {"required": [..], "createOnly": ["A", "B/C"], "conditional": [..], "attributes": ["Arn"],
//    "tags": "Tags", "properties": {name: node}, "definitions": {name: node}}
// and a node is "s", "i", "n", "b" (scalars), "j" (anything), {"$": definition},
// {"a": item node}, {"m": value node} (a map), or {"p": {name: node}, "r": [..], "open": true}.
// Pure functions; a TypeDescription is immutable once made.
#pragma once
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace tarn::cloudformation {

struct TypeDescription {
  std::string name;
  // Accepted top-level names. "A.B" entries limit what may stand in the object A.
  std::set<std::string> properties;
  bool any_property = false;  // custom resources take whatever the template gives
  std::set<std::string> required;
  std::set<std::string> replacing;  // top-level names
  Json schema;                      // null: none is known
};

// Null for a type that does not exist. Custom:: types are the catalog's business, too.
using TypeCatalog = std::function<const TypeDescription*(std::string_view type)>;

enum class Recreation { never, conditionally, always };

// Throws TemplateError naming the first property that is unsupported, unknown, missing or of the
// wrong kind. Functions inside are passed over, so it may be asked before anything exists.
void check_properties(const TypeDescription& type, const std::string& logical_id,
                      const Json& properties);

// Text to numbers and booleans and back, as the schema wants them; what cannot be converted is left
// for `check_properties` to refuse.
Json convert_properties(const TypeDescription& type, const Json& properties);

// Whether Fn::GetAtt may ask for it, as far as is known beforehand.
bool may_have_attribute(const TypeDescription& type, std::string_view attribute);

// What a change of the top-level property `name` means.
Recreation recreation_of(const TypeDescription& type, const std::string& name, const Json* before,
                         const Json* after);

}  // namespace tarn::cloudformation
