// SPDX-License-Identifier: Apache-2.0
// Fn::ForEach of the AWS::LanguageExtensions transform: loops are written out before a template is
// read, so that nothing after knows them. Pure.
#pragma once
#include <functional>

#include "base/json.hpp"

namespace tarn::cloudformation {

// `collection` evaluates a loop's list (a literal, a Ref to a list parameter, a Fn::FindInMap).
// Throws TemplateError for malformed loops and when the result grows beyond bounds.
Json expand_loops(const Json& value, const std::function<Json(const Json&)>& collection);
// Whether there is a loop anywhere inside.
bool has_loops(const Json& value);

// With AWS::LanguageExtensions the names in Ref and Fn::GetAtt may be functions themselves:
// `evaluate` makes texts of them.
Json compute_names(const Json& value, const std::function<Json(const Json&)>& evaluate);
bool has_computed_names(const Json& value);

}  // namespace tarn::cloudformation
