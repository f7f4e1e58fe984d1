// SPDX-License-Identifier: Apache-2.0
// AWS's schemas of the implemented resource types, in the compact form that type_description.hpp
// tells. The definition is generated at build time by codegen/cfn_schemas.py.
#pragma once
#include <string_view>

namespace tarn::cloudformation {

// JSON text; empty for a type without a schema (Custom::…).
std::string_view type_schema(std::string_view type);

}  // namespace tarn::cloudformation
