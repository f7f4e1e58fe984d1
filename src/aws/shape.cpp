// SPDX-License-Identifier: Apache-2.0
#include "aws/shape.hpp"

namespace tarn::aws {

constinit const Shape k_string_shape{.kind = Kind::string, .name = "String"};
constinit const Shape k_blob_shape{.kind = Kind::blob, .name = "Blob"};
constinit const Shape k_integer_shape{.kind = Kind::integer, .name = "Integer"};
constinit const Shape k_long_shape{.kind = Kind::long_, .name = "Long"};
constinit const Shape k_float_shape{.kind = Kind::float_, .name = "Float"};
constinit const Shape k_double_shape{.kind = Kind::double_, .name = "Double"};
constinit const Shape k_boolean_shape{.kind = Kind::boolean, .name = "Boolean"};
constinit const Shape k_timestamp_shape{.kind = Kind::timestamp, .name = "Timestamp"};
constinit const Shape k_document_shape{.kind = Kind::document, .name = "Document"};
constinit const Shape k_stream_shape{.kind = Kind::stream, .name = "Stream"};

const Member* find_member(const Shape& structure, std::string_view name) {
  for (const Member& member : structure.members) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

}  // namespace tarn::aws
