// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/types.hpp"

namespace tarn::sql {

std::int16_t ColumnType::size() const {
  switch (oid) {
    case oid::k_bool:
    case oid::k_char: return 1;
    case oid::k_int2: return 2;
    case oid::k_int4:
    case oid::k_float4:
    case oid::k_date:
    case oid::k_oid: return 4;
    case oid::k_int8:
    case oid::k_float8:
    case oid::k_timestamp:
    case oid::k_timestamptz:
    case oid::k_time: return 8;
    case oid::k_timetz: return 12;
    case oid::k_interval: return 16;
    case oid::k_name: return 128;
    case oid::k_unknown: return -2;
    default: return -1;
  }
}

int ColumnType::precision() const {
  switch (oid) {
    case oid::k_bool: return 1;
    case oid::k_int2: return 5;
    case oid::k_int4: return 10;
    case oid::k_int8: return 19;
    case oid::k_float4: return 8;
    case oid::k_float8: return 17;
    case oid::k_numeric: return typmod < 4 ? 38 : ((typmod - 4) >> 16) & 0xffff;
    case oid::k_varchar:
    case oid::k_bpchar: return typmod < 4 ? 65535 : typmod - 4;
    case oid::k_date: return 13;
    case oid::k_timestamp: return 29;
    case oid::k_timestamptz: return 35;
    default: return size() > 0 ? size() : 65535;
  }
}

int ColumnType::scale() const {
  switch (oid) {
    case oid::k_numeric: return typmod < 4 ? 0 : (typmod - 4) & 0xffff;
    case oid::k_float4: return 8;
    case oid::k_float8: return 17;
    case oid::k_timestamp:
    case oid::k_timestamptz: return 6;
    default: return 0;
  }
}

std::string_view ColumnType::name() const {
  switch (oid) {
    case oid::k_bool: return "bool";
    case oid::k_char: return "char";
    case oid::k_name: return "name";
    case oid::k_int8: return "int8";
    case oid::k_int2: return "int2";
    case oid::k_int4: return "int4";
    case oid::k_text: return "text";
    case oid::k_oid: return "oid";
    case oid::k_float4: return "float4";
    case oid::k_float8: return "float8";
    case oid::k_bpchar: return "bpchar";
    case oid::k_varchar: return "varchar";
    case oid::k_date: return "date";
    case oid::k_time: return "time";
    case oid::k_timetz: return "timetz";
    case oid::k_timestamp: return "timestamp";
    case oid::k_timestamptz: return "timestamptz";
    case oid::k_interval: return "interval";
    case oid::k_numeric: return "numeric";
    case oid::k_super: return "super";
    case oid::k_varbyte: return "varbyte";
    case oid::k_int2_array: return "_int2";
    case oid::k_int4_array: return "_int4";
    case oid::k_int8_array: return "_int8";
    case oid::k_text_array: return "_text";
    case oid::k_varchar_array: return "_varchar";
    default: return "unknown";
  }
}

}  // namespace tarn::sql
