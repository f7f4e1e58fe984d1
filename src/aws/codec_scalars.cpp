// SPDX-License-Identifier: Apache-2.0
// Scalars as text, and what all decoders do around structures.
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "aws/codec_internal.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

void DecodeContext::unreadable(std::string message) const {
  throw ApiError(std::string(service ? service->serialization_code : "SerializationException"),
                 std::move(message));
}

Presence::Presence(const Shape& structure) {
  if (structure.members.size() > 64) many_.resize(structure.members.size() - 64);
}

void finish_structure(DecodeContext& context, const Shape& structure, void* target,
                      const Presence& present, const Path& path) {
  for (std::size_t i = 0; i < structure.members.size(); ++i) {
    const Member& member = structure.members[i];
    if (present.has(i)) continue;
    if (member.idempotency_token && member.shape->kind == Kind::string) {
      SystemRandom fallback;
      Random& random = context.random ? *context.random : fallback;
      as<std::string>(member.create(target)) = random.uuid();
    } else if (member.required && member.shape->kind != Kind::stream && !context.violations.off()) {
      context.violations.missing(path, member.name);
    }
  }
}

namespace {

template <class T>
std::optional<T> parse_integer(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return parse_double(text);
}

std::string real_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return dump_double(value);
}

std::string float_text(float value) {
  if (!std::isfinite(value)) return real_text(value);
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string_view type_name(Kind kind) {
  switch (kind) {
    case Kind::integer: return "Integer";
    case Kind::long_: return "Long";
    case Kind::float_: return "Float";
    case Kind::double_: return "Double";
    case Kind::boolean: return "Boolean";
    case Kind::timestamp: return "Timestamp";
    case Kind::blob: return "Blob";
    default: return "String";
  }
}

}  // namespace

std::string encode_time(Timestamp time, TimeFormat format) {
  const std::int64_t micros = to_micros(time);
  switch (format) {
    case TimeFormat::rfc822: return http_date(time);
    case TimeFormat::unix_time: {
      if (micros % 1'000'000 == 0) return fmt::format("{}", micros / 1'000'000);
      std::string text = fmt::format("{:.3f}", static_cast<double>(to_millis(time)) / 1000.0);
      while (text.ends_with('0')) text.pop_back();
      if (text.ends_with('.')) text.pop_back();
      return text;
    }
    default:
      return iso8601(time, micros % 1'000'000 == 0 ? Precision::seconds : Precision::milliseconds);
  }
}

Timestamp decode_time(const DecodeContext& context, std::string_view text, TimeFormat format) {
  std::optional<Timestamp> time;
  if (format == TimeFormat::rfc822) time = parse_http_date(text);
  // Clients send any of the forms wherever one is asked for; none can be taken for another.
  if (!time) time = parse_iso8601(text);
  if (!time) {
    const auto seconds = parse_double(text);
    if (seconds && std::abs(*seconds) < 1e14) time = from_seconds(*seconds);
  }
  if (!time) time = parse_http_date(text);
  if (!time) context.unreadable(fmt::format("Invalid timestamp: {}", text));
  return *time;
}

void decode_scalar_text(DecodeContext& context, const Member& member, std::string_view text,
                        TimeFormat default_time, void* target) {
  const Kind kind = member.shape->kind;
  const auto refuse = [&]() {
    context.unreadable(
        fmt::format("'{}' is not a valid {} for {}", text, type_name(kind), member.name));
  };
  switch (kind) {
    case Kind::string: as<std::string>(target) = text; break;
    case Kind::blob: {
      auto bytes = from_base64(text);
      if (!bytes) refuse();
      as<std::string>(target) = std::move(*bytes);
      break;
    }
    case Kind::integer: {
      const auto value = parse_integer<std::int32_t>(text);
      if (!value) refuse();
      as<std::int32_t>(target) = *value;
      break;
    }
    case Kind::long_: {
      const auto value = parse_integer<std::int64_t>(text);
      if (!value) refuse();
      as<std::int64_t>(target) = *value;
      break;
    }
    case Kind::float_:
    case Kind::double_: {
      const auto value = parse_real(text);
      if (!value) refuse();
      if (kind == Kind::float_) as<float>(target) = static_cast<float>(*value);
      if (kind == Kind::double_) as<double>(target) = *value;
      break;
    }
    case Kind::boolean: {
      const bool yes = iequals(text, "true") || text == "1";
      if (!yes && !iequals(text, "false") && text != "0") refuse();
      as<bool>(target) = yes;
      break;
    }
    case Kind::timestamp: {
      const TimeFormat format =
          member.time_format == TimeFormat::by_place ? default_time : member.time_format;
      as<Timestamp>(target) = decode_time(context, text, format);
      break;
    }
    case Kind::document: try { as<Json>(target) = parse_json(text);
      } catch (const JsonError&) {
        refuse();
      }
      break;
    default: refuse();
  }
}

std::string encode_scalar_text(const Member& member, const void* value, TimeFormat default_time) {
  switch (member.shape->kind) {
    case Kind::string: return as<std::string>(value);
    case Kind::blob: return to_base64(as<std::string>(value));
    case Kind::integer: return fmt::format("{}", as<std::int32_t>(value));
    case Kind::long_: return fmt::format("{}", as<std::int64_t>(value));
    case Kind::float_: return float_text(as<float>(value));
    case Kind::double_: return real_text(as<double>(value));
    case Kind::boolean: return as<bool>(value) ? "true" : "false";
    case Kind::timestamp:
      return encode_time(as<Timestamp>(value), member.time_format == TimeFormat::by_place
                                                   ? default_time
                                                   : member.time_format);
    case Kind::document: return dump_json(as<Json>(value));
    default: return {};
  }
}

}  // namespace tarn::aws
