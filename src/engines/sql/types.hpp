// SPDX-License-Identifier: Apache-2.0
// Column types as Redshift's clients know them: an object id, a type modifier, a size. Plain data,
// no engine types, so that the wire protocol and the Data API share one vocabulary.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::sql {

namespace oid {
inline constexpr std::uint32_t k_bool = 16, k_bytea = 17, k_char = 18, k_name = 19, k_int8 = 20,
                               k_int2 = 21, k_int4 = 23, k_regproc = 24, k_text = 25, k_oid = 26,
                               k_float4 = 700, k_float8 = 701, k_unknown = 705, k_int2_array = 1005,
                               k_int4_array = 1007, k_text_array = 1009, k_int8_array = 1016,
                               k_varchar_array = 1015, k_bpchar = 1042, k_varchar = 1043,
                               k_date = 1082, k_time = 1083, k_timestamp = 1114,
                               k_timestamptz = 1184, k_interval = 1186, k_timetz = 1266,
                               k_numeric = 1700, k_super = 4000, k_varbyte = 6551;
}  // namespace oid

struct ColumnType {
  std::uint32_t oid = oid::k_unknown;
  std::int32_t typmod = -1;

  std::int16_t size() const;  // pg_type.typlen: -1 varying
  int precision() const;      // digits of numerics and integers; length of strings
  int scale() const;
  std::string_view name() const;  // pg_type.typname: int4, varchar, numeric, …
  bool operator==(const ColumnType&) const = default;
};

inline std::int32_t numeric_typmod(int precision, int scale) {
  return ((precision << 16) | scale) + 4;
}
inline std::int32_t length_typmod(int length) { return length + 4; }

struct Column {
  std::string name;
  ColumnType type;
  bool nullable = true;
};

}  // namespace tarn::sql
