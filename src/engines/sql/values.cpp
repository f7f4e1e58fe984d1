// SPDX-License-Identifier: Apache-2.0
// DuckDB's vectors as what clients read: text as Redshift prints it, and PostgreSQL's binary forms.
#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "base/strings.hpp"
#include "duckdb/common/types/date.hpp"
#include "duckdb/common/types/decimal.hpp"
#include "duckdb/common/types/hugeint.hpp"
#include "duckdb/common/types/time.hpp"
#include "duckdb/common/types/timestamp.hpp"
#include "engines/sql/date_parts.hpp"
#include "engines/sql/engine.hpp"

namespace tarn::sql {

namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

constexpr std::int64_t k_day_micros = 86'400'000'000;
constexpr std::int32_t k_epoch_days = 10957;  // 2000-01-01
constexpr std::int64_t k_epoch_micros = k_epoch_days * k_day_micros;

template <class T>
void put_big(std::string& out, T value) {
  using U = std::make_unsigned_t<T>;
  const U bits = static_cast<U>(value);
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((bits >> shift) & 0xff));
  }
}

std::string real_text(double value, bool single) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return single ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
}

void put_fraction(std::string& out, int micros) {
  if (micros == 0) return;
  std::string digits = fmt::format(".{:06}", micros);
  while (digits.back() == '0') digits.pop_back();
  out += digits;
}

void put_date(std::string& out, const CivilTime& t) {
  const std::int64_t year = t.year > 0 ? t.year : 1 - t.year;
  out += fmt::format("{:04}-{:02}-{:02}", year, t.month, t.day);
}

void put_time(std::string& out, std::int64_t micros) {
  const std::int64_t seconds = micros / 1'000'000;
  out += fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  put_fraction(out, static_cast<int>(micros % 1'000'000));
}

void put_timestamp(std::string& out, std::int64_t micros, bool zoned) {
  if (micros == duckdb::timestamp_t::infinity().value) return void(out += "infinity");
  if (micros == duckdb::timestamp_t::ninfinity().value) return void(out += "-infinity");
  const CivilTime t = CivilTime::from_micros(micros);
  put_date(out, t);
  out += fmt::format(" {:02}:{:02}:{:02}", t.hour, t.minute, t.second);
  put_fraction(out, t.microsecond);
  if (zoned) out += "+00";
  if (t.year <= 0) out += " BC";
}

void put_interval(std::string& out, const duckdb::interval_t& value) {
  std::string text;
  const auto unit = [&](std::int64_t amount, const char* name) {
    if (amount == 0) return;
    if (!text.empty()) text += ' ';
    text += fmt::format("{} {}{}", amount, name, amount == 1 ? "" : "s");
  };
  unit(value.months / 12, "year");
  unit(value.months % 12, "mon");
  unit(value.days, "day");
  if (value.micros != 0 || text.empty()) {
    if (!text.empty()) text += ' ';
    if (value.micros < 0) text += '-';
    put_time(text, std::abs(value.micros));
  }
  out += text;
}

// A decimal's digits as PostgreSQL's base-10000 words.
void put_numeric(std::string& out, std::string_view text) {
  const bool negative = text.starts_with("-");
  if (negative) text.remove_prefix(1);
  const std::size_t dot = text.find('.');
  std::string whole(text.substr(0, dot));
  std::string fraction(dot == std::string_view::npos ? "" : text.substr(dot + 1));
  const auto scale = static_cast<std::int16_t>(fraction.size());
  whole.insert(0, (4 - whole.size() % 4) % 4, '0');
  fraction.append((4 - fraction.size() % 4) % 4, '0');
  std::vector<std::int16_t> words;
  for (const std::string* part : {&whole, &fraction}) {
    for (std::size_t i = 0; i < part->size(); i += 4) {
      words.push_back(static_cast<std::int16_t>(*parse_int(part->substr(i, 4))));
    }
  }
  auto weight = static_cast<std::int16_t>(whole.size() / 4 - 1);
  std::size_t first = 0;
  while (first < words.size() && words[first] == 0) ++first, --weight;
  while (words.size() > first && words.back() == 0) words.pop_back();
  if (words.size() == first) weight = 0;
  put_big<std::int16_t>(out, static_cast<std::int16_t>(words.size() - first));
  put_big<std::int16_t>(out, weight);
  put_big<std::int16_t>(out, negative ? 0x4000 : 0);
  put_big<std::int16_t>(out, scale);
  for (std::size_t i = first; i < words.size(); ++i) put_big(out, words[i]);
}

class Batch : public RowBatch {
 public:
  Batch(duckdb::unique_ptr<duckdb::DataChunk> chunk, const std::vector<ColumnType>& types)
      : chunk_(std::move(chunk)),
        types_(types) {
    chunk_->Flatten();
  }

  std::size_t rows() const override { return chunk_->size(); }
  bool is_null(std::size_t column, std::size_t row) const override {
    return duckdb::FlatVector::IsNull(chunk_->data[column], row);
  }

  void text(std::size_t column, std::size_t row, std::string& out) const override {
    const auto& vector = chunk_->data[column];
    const LogicalType& type = vector.GetType();
    switch (type.id()) {
      case LogicalTypeId::BOOLEAN: out += get<bool>(vector, row) ? "t" : "f"; return;
      case LogicalTypeId::VARCHAR: {
        const auto& value = get<duckdb::string_t>(vector, row);
        out.append(value.GetData(), value.GetSize());
        return;
      }
      case LogicalTypeId::BLOB: {
        const auto& value = get<duckdb::string_t>(vector, row);
        out += to_hex({value.GetData(), value.GetSize()});
        return;
      }
      case LogicalTypeId::FLOAT: out += real_text(get<float>(vector, row), true); return;
      case LogicalTypeId::DOUBLE: out += real_text(get<double>(vector, row), false); return;
      case LogicalTypeId::DECIMAL: out += decimal_text(column, row); return;
      case LogicalTypeId::HUGEINT:
      case LogicalTypeId::UHUGEINT:
      case LogicalTypeId::UBIGINT: out += decimal_text(column, row); return;
      case LogicalTypeId::DATE: {
        const auto days = get<duckdb::date_t>(vector, row).days;
        const CivilTime t = CivilTime::from_micros(days * k_day_micros);
        put_date(out, t);
        if (t.year <= 0) out += " BC";
        return;
      }
      case LogicalTypeId::TIME: return put_time(out, get<std::int64_t>(vector, row));
      case LogicalTypeId::TIMESTAMP:
      case LogicalTypeId::TIMESTAMP_TZ:
        return put_timestamp(out, get<std::int64_t>(vector, row),
                             type.id() == LogicalTypeId::TIMESTAMP_TZ);
      case LogicalTypeId::INTERVAL: return put_interval(out, get<duckdb::interval_t>(vector, row));
      case LogicalTypeId::LIST: {
        std::string list;
        for (const auto& value : duckdb::ListValue::GetChildren(chunk_->GetValue(column, row))) {
          list += (list.empty() ? "" : ",") + (value.IsNull() ? "NULL" : value.ToString());
        }
        out += '{' + list + '}';
        return;
      }
      default:
        if (type.IsIntegral())
          out += std::to_string(integer(column, row));
        else
          out += chunk_->GetValue(column, row).ToString();
    }
  }

  void binary(std::size_t column, std::size_t row, NumericFormat numeric,
              std::string& out) const override {
    const auto& vector = chunk_->data[column];
    switch (types_[column].oid) {
      case oid::k_bool: out.push_back(get<bool>(vector, row) ? 1 : 0); return;
      case oid::k_int2: return put_big(out, static_cast<std::int16_t>(integer(column, row)));
      case oid::k_int4: return put_big(out, static_cast<std::int32_t>(integer(column, row)));
      case oid::k_oid: return put_big(out, static_cast<std::uint32_t>(integer(column, row)));
      case oid::k_int8: return put_big(out, integer(column, row));
      case oid::k_float4:
        return put_big(out, std::bit_cast<std::uint32_t>(get<float>(vector, row)));
      case oid::k_float8:
        return put_big(out, std::bit_cast<std::uint64_t>(get<double>(vector, row)));
      case oid::k_date: return put_big(out, get<duckdb::date_t>(vector, row).days - k_epoch_days);
      case oid::k_time: return put_big(out, get<std::int64_t>(vector, row));
      case oid::k_timestamp:
      case oid::k_timestamptz: return put_big(out, get<std::int64_t>(vector, row) - k_epoch_micros);
      case oid::k_interval: {
        const auto& value = get<duckdb::interval_t>(vector, row);
        if (numeric == NumericFormat::scaled_integer) {  // Redshift's own has no days
          constexpr std::int64_t k_day = 24ll * 3600 * 1'000'000;
          put_big(out, value.micros + value.days * k_day);
          return put_big(out, value.months);
        }
        put_big(out, value.micros);
        put_big(out, value.days);
        return put_big(out, value.months);
      }
      case oid::k_numeric:
        if (numeric == NumericFormat::postgres) return put_numeric(out, decimal_text(column, row));
        return put_scaled(out, column, row);
      default: return text(column, row, out);
    }
  }

  bool boolean(std::size_t column, std::size_t row) const override {
    return get<bool>(chunk_->data[column], row);
  }
  std::int64_t integer(std::size_t column, std::size_t row) const override {
    const auto& vector = chunk_->data[column];
    switch (vector.GetType().InternalType()) {
      case duckdb::PhysicalType::INT8: return get<std::int8_t>(vector, row);
      case duckdb::PhysicalType::UINT8: return get<std::uint8_t>(vector, row);
      case duckdb::PhysicalType::INT16: return get<std::int16_t>(vector, row);
      case duckdb::PhysicalType::UINT16: return get<std::uint16_t>(vector, row);
      case duckdb::PhysicalType::INT32: return get<std::int32_t>(vector, row);
      case duckdb::PhysicalType::UINT32: return get<std::uint32_t>(vector, row);
      default: return get<std::int64_t>(vector, row);
    }
  }
  double real(std::size_t column, std::size_t row) const override {
    const auto& vector = chunk_->data[column];
    return vector.GetType().id() == LogicalTypeId::FLOAT ? get<float>(vector, row)
                                                         : get<double>(vector, row);
  }

 private:
  template <class T>
  static const T& get(const duckdb::Vector& vector, std::size_t row) {
    return duckdb::FlatVector::GetData<T>(vector)[row];
  }

  duckdb::hugeint_t unscaled(std::size_t column, std::size_t row) const {
    const auto& vector = chunk_->data[column];
    switch (vector.GetType().InternalType()) {
      case duckdb::PhysicalType::INT128: return get<duckdb::hugeint_t>(vector, row);
      case duckdb::PhysicalType::UINT64:
        return duckdb::hugeint_t(static_cast<std::int64_t>(0), get<std::uint64_t>(vector, row));
      default: return duckdb::hugeint_t(integer(column, row));
    }
  }

  std::string decimal_text(std::size_t column, std::size_t row) const {
    const LogicalType& type = chunk_->data[column].GetType();
    if (type.id() == LogicalTypeId::DECIMAL) {
      return duckdb::Decimal::ToString(unscaled(column, row), duckdb::DecimalType::GetWidth(type),
                                       duckdb::DecimalType::GetScale(type));
    }
    if (type.id() == LogicalTypeId::UHUGEINT) return chunk_->GetValue(column, row).ToString();
    return duckdb::Hugeint::ToString(unscaled(column, row));
  }

  void put_scaled(std::string& out, std::size_t column, std::size_t row) const {
    const auto value = unscaled(column, row);
    if (types_[column].precision() > 18) put_big(out, value.upper);
    put_big(out, value.lower);
  }

  duckdb::unique_ptr<duckdb::DataChunk> chunk_;
  std::vector<ColumnType> types_;
};

template <class T>
T take_big(std::string_view bytes) {
  if (bytes.size() != sizeof(T)) {
    throw SqlError("22P03", "incorrect binary data format in bind parameter");
  }
  std::make_unsigned_t<T> bits = 0;
  for (const char c : bytes) {
    bits = static_cast<std::make_unsigned_t<T>>((bits << 8) | static_cast<unsigned char>(c));
  }
  return static_cast<T>(bits);
}

std::string numeric_from_binary(std::string_view bytes) {
  const auto word = [&](std::size_t i) { return take_big<std::int16_t>(bytes.substr(i * 2, 2)); };
  if (bytes.size() < 8) throw SqlError("22P03", "incorrect binary data format in bind parameter");
  const int count = word(0), weight = word(1), scale = word(3);
  if (bytes.size() != 8 + static_cast<std::size_t>(count) * 2) {
    throw SqlError("22P03", "incorrect binary data format in bind parameter");
  }
  std::string whole, fraction;
  for (int i = 0; i <= weight; ++i) {
    whole += fmt::format("{:04}", i < count ? word(static_cast<std::size_t>(4 + i)) : 0);
  }
  for (int i = weight + 1; static_cast<int>(fraction.size()) < scale; ++i) {
    fraction +=
        fmt::format("{:04}", i >= 0 && i < count ? word(static_cast<std::size_t>(4 + i)) : 0);
  }
  fraction.resize(static_cast<std::size_t>(scale));
  return (word(2) == 0x4000 ? "-" : "") + (whole.empty() ? "0" : whole) +
         (fraction.empty() ? "" : "." + fraction);
}

duckdb::Value binary_parameter(std::string_view bytes, std::uint32_t oid) {
  using duckdb::Value;
  switch (oid) {
    case oid::k_bool: return Value::BOOLEAN(take_big<std::int8_t>(bytes) != 0);
    case oid::k_int2: return Value::SMALLINT(take_big<std::int16_t>(bytes));
    case oid::k_int4: return Value::INTEGER(take_big<std::int32_t>(bytes));
    case oid::k_int8: return Value::BIGINT(take_big<std::int64_t>(bytes));
    case oid::k_oid: return Value::BIGINT(take_big<std::uint32_t>(bytes));
    case oid::k_float4: return Value::FLOAT(std::bit_cast<float>(take_big<std::uint32_t>(bytes)));
    case oid::k_float8: return Value::DOUBLE(std::bit_cast<double>(take_big<std::uint64_t>(bytes)));
    case oid::k_date:
      return Value::DATE(duckdb::date_t(take_big<std::int32_t>(bytes) + k_epoch_days));
    case oid::k_time: return Value::TIME(duckdb::dtime_t(take_big<std::int64_t>(bytes)));
    case oid::k_timestamp:
      return Value::TIMESTAMP(duckdb::timestamp_t(take_big<std::int64_t>(bytes) + k_epoch_micros));
    case oid::k_timestamptz:
      return Value::TIMESTAMPTZ(
          duckdb::timestamp_tz_t(take_big<std::int64_t>(bytes) + k_epoch_micros));
    case oid::k_numeric: return Value(numeric_from_binary(bytes));
    case oid::k_bytea:
    case oid::k_varbyte:
      return Value::BLOB(reinterpret_cast<duckdb::const_data_ptr_t>(bytes.data()), bytes.size());
    default:
      if (!is_valid_utf8(bytes)) {
        throw SqlError("22021", "invalid byte sequence for encoding \"UTF8\"");
      }
      return Value(std::string(bytes));
  }
}

}  // namespace

RowBatchPtr make_batch(duckdb::unique_ptr<duckdb::DataChunk> chunk,
                       const std::vector<ColumnType>& types) {
  return std::make_shared<Batch>(std::move(chunk), types);
}

ColumnType column_type(const LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN: return {oid::k_bool, -1};
    case LogicalTypeId::TINYINT:
    case LogicalTypeId::SMALLINT:
    case LogicalTypeId::UTINYINT: return {oid::k_int2, -1};
    case LogicalTypeId::INTEGER:
    case LogicalTypeId::USMALLINT: return {oid::k_int4, -1};
    case LogicalTypeId::INTEGER_LITERAL: return {oid::k_int4, -1};
    case LogicalTypeId::BIGINT:
    case LogicalTypeId::UINTEGER: return {oid::k_int8, -1};
    case LogicalTypeId::UBIGINT:
    case LogicalTypeId::HUGEINT:
    case LogicalTypeId::UHUGEINT: return {oid::k_numeric, numeric_typmod(38, 0)};
    case LogicalTypeId::FLOAT: return {oid::k_float4, -1};
    case LogicalTypeId::DOUBLE: return {oid::k_float8, -1};
    case LogicalTypeId::DECIMAL:
      return {oid::k_numeric, numeric_typmod(duckdb::DecimalType::GetWidth(type),
                                             duckdb::DecimalType::GetScale(type))};
    case LogicalTypeId::BLOB: return {oid::k_varbyte, -1};
    case LogicalTypeId::DATE: return {oid::k_date, -1};
    case LogicalTypeId::TIME: return {oid::k_time, -1};
    case LogicalTypeId::TIMESTAMP: return {oid::k_timestamp, -1};
    case LogicalTypeId::TIMESTAMP_TZ: return {oid::k_timestamptz, -1};
    case LogicalTypeId::INTERVAL: return {oid::k_interval, -1};
    default: return {oid::k_varchar, -1};
  }
}

LogicalType storage_type(std::uint32_t oid) {
  switch (oid) {
    case oid::k_bool: return LogicalType::BOOLEAN;
    case oid::k_int2: return LogicalType::SMALLINT;
    case oid::k_int4: return LogicalType::INTEGER;
    case oid::k_int8:
    case oid::k_oid: return LogicalType::BIGINT;
    case oid::k_float4: return LogicalType::FLOAT;
    case oid::k_float8: return LogicalType::DOUBLE;
    case oid::k_date: return LogicalType::DATE;
    case oid::k_time: return LogicalType::TIME;
    case oid::k_timestamp: return LogicalType::TIMESTAMP;
    case oid::k_timestamptz: return LogicalType::TIMESTAMP_TZ;
    case oid::k_interval: return LogicalType::INTERVAL;
    case oid::k_bytea:
    case oid::k_varbyte: return LogicalType::BLOB;
    // Texts, numerics and what was not declared take the type that their place asks for.
    default: return LogicalType(LogicalTypeId::INVALID);
  }
}

duckdb::Value parameter_value(duckdb::ClientContext& context, const ParameterValue& value,
                              std::uint32_t oid, const LogicalType& expected) {
  if (!value.bytes) return duckdb::Value(LogicalType(LogicalTypeId::SQLNULL));
  if (value.binary) return binary_parameter(*value.bytes, oid);
  if (!is_valid_utf8(*value.bytes)) {
    throw SqlError("22021", "invalid byte sequence for encoding \"UTF8\"");
  }
  duckdb::Value text(*value.bytes);
  LogicalType target = storage_type(oid);
  if (target.id() == LogicalTypeId::INVALID) target = expected;
  if (target.id() == LogicalTypeId::INVALID || target.id() == LogicalTypeId::UNKNOWN ||
      target.id() == LogicalTypeId::VARCHAR || target.id() == LogicalTypeId::ANY) {
    return text;
  }
  duckdb::Value converted;
  std::string error;
  if (!text.TryCastAs(context, target, converted, &error)) {
    throw translate(duckdb::ErrorData(duckdb::ExceptionType::CONVERSION, error), nullptr);
  }
  return converted;
}

}  // namespace tarn::sql
