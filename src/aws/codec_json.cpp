// SPDX-License-Identifier: Apache-2.0
// JSON bodies: awsJson 1.0 and 1.1, and the bodies of restJson.
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "aws/codec_internal.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

// The names that AWS's reader gives to what it found.
std::string_view token_name(const Json& value) {
  switch (value.kind()) {
    case JsonKind::string: return "STRING_VALUE";
    case JsonKind::bool_: return value.get_bool() ? "TRUE_VALUE" : "FALSE_VALUE";
    case JsonKind::double_: return "DECIMAL_VALUE";
    case JsonKind::null: return "NULL_VALUE";
    default: return "NUMBER_VALUE";
  }
}

[[noreturn]] void refuse(const DecodeContext& context, const Json& value, std::string_view type) {
  if (value.is_object()) {
    context.unreadable("Start of structure or map found where not expected.");
  }
  if (value.is_array()) context.unreadable("Start of list found where not expected");
  context.unreadable(fmt::format("{} can not be converted to {} {}", token_name(value),
                                 type.find_first_of("AEIOU") == 0 ? "an" : "a", type));
}

template <class T>
T read_integer(const DecodeContext& context, const Json& value, std::string_view type) {
  if (value.is_int64()) {
    const std::int64_t number = value.get_int64();
    if (number >= std::numeric_limits<T>::min() && number <= std::numeric_limits<T>::max()) {
      return static_cast<T>(number);
    }
  }
  // 3.0 is an integer for AWS's readers too.
  if (value.is_double() && value.get_double() == std::trunc(value.get_double()) &&
      std::abs(value.get_double()) < 9.2e18) {
    const auto number = static_cast<std::int64_t>(value.get_double());
    if (number >= std::numeric_limits<T>::min() && number <= std::numeric_limits<T>::max()) {
      return static_cast<T>(number);
    }
  }
  refuse(context, value, type);
}

double read_real(const DecodeContext& context, const Json& value) {
  if (value.is_double()) return value.get_double();
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  if (value.is_string()) {
    const std::string_view text = json_text(value.get_string());
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  }
  refuse(context, value, "Double");
}

void read_members(DecodeContext& context, const Shape& shape, const Json& value, void* target,
                  const Path& path, bool body_only, Presence& present) {
  if (!value.is_object()) refuse(context, value, "Structure");
  const JsonObject& object = value.get_object();
  for (std::size_t i = 0; i < shape.members.size(); ++i) {
    const Member& member = shape.members[i];
    if (body_only && member.location != Location::body) continue;
    const auto found = object.find(member.wire);
    if (found == object.end() || found->value().is_null()) continue;
    present.mark(i);
    void* field = member.create(target);
    if (member.shape->kind == Kind::timestamp && member.time_format != TimeFormat::by_place &&
        found->value().is_string()) {
      as<Timestamp>(field) =
          decode_time(context, json_text(found->value().get_string()), member.time_format);
    } else {
      read_json(context, *member.shape, found->value(), field, Path{&path, member.name});
    }
  }
}

}  // namespace

namespace {

void read_list(DecodeContext& context, const Shape& shape, const Json& value, void* target,
               const Path& path) {
  if (!value.is_array()) {
    if (value.is_object()) refuse(context, value, "List");
    context.unreadable("Expected list or null");
  }
  std::size_t index = 0;
  for (const Json& element : value.get_array()) {
    ++index;
    if (element.is_null()) {
      if (!shape.list->append_null(target)) {
        context.violations.missing(Path{&path, {}, index}, {});
      }
      continue;
    }
    read_json(context, *shape.members[0].shape, element, shape.list->append(target),
              Path{&path, {}, index});
  }
}

void read_map(DecodeContext& context, const Shape& shape, const Json& value, void* target,
              const Path& path) {
  if (!value.is_object()) {
    if (value.is_array()) refuse(context, value, "Map");
    context.unreadable("Expected map or null");
  }
  for (const auto& entry : value.get_object()) {
    if (entry.value().is_null()) {
      shape.map->insert_null(target, entry.key());
      continue;
    }
    const Path here{&path, entry.key()};
    read_json(context, *shape.members[1].shape, entry.value(),
              shape.map->insert(target, entry.key()), Path{&here, "member"});
  }
}

Timestamp read_timestamp(const DecodeContext& context, const Json& value) {
  if (value.is_string()) {
    return decode_time(context, json_text(value.get_string()), TimeFormat::iso8601);
  }
  if (!value.is_number()) refuse(context, value, "Timestamp");
  const double seconds = read_real(context, value);
  if (!(std::abs(seconds) < 1e12)) refuse(context, value, "Timestamp");
  return from_seconds(seconds);
}

std::string read_blob(const DecodeContext& context, const Json& value) {
  if (!value.is_string()) refuse(context, value, "Blob");
  auto bytes = from_base64(json_text(value.get_string()));
  if (!bytes) context.unreadable("Invalid Base64 character in blob");
  return *std::move(bytes);
}

}  // namespace

void read_json(DecodeContext& context, const Shape& shape, const Json& value, void* target,
               const Path& path) {
  switch (shape.kind) {
    case Kind::structure: {
      Presence present(shape);
      read_members(context, shape, value, target, path, false, present);
      finish_structure(context, shape, target, present, path);
      break;
    }
    case Kind::list: read_list(context, shape, value, target, path); break;
    case Kind::map: read_map(context, shape, value, target, path); break;
    case Kind::string:
      if (!value.is_string()) refuse(context, value, "String");
      as<std::string>(target) = json_text(value.get_string());
      break;
    case Kind::blob: as<std::string>(target) = read_blob(context, value); break;
    case Kind::integer:
      as<std::int32_t>(target) = read_integer<std::int32_t>(context, value, "Integer");
      break;
    case Kind::long_:
      as<std::int64_t>(target) = read_integer<std::int64_t>(context, value, "Long");
      break;
    case Kind::float_: as<float>(target) = static_cast<float>(read_real(context, value)); break;
    case Kind::double_: as<double>(target) = read_real(context, value); break;
    case Kind::boolean:
      if (!value.is_bool()) refuse(context, value, "Boolean");
      as<bool>(target) = value.get_bool();
      break;
    case Kind::timestamp: as<Timestamp>(target) = read_timestamp(context, value); break;
    case Kind::document: as<Json>(target) = value; break;
    case Kind::stream: break;
  }
}

void read_json_body(DecodeContext& context, const Shape& structure, const Json& value, void* target,
                    Presence& present) {
  read_members(context, structure, value, target, Path{}, true, present);
}

void append_json_text(std::string_view text, std::string& out) {
  static constexpr char k_digits[] = "0123456789abcdef";
  out += '"';
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, start, i - start);
    start = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        out += "\\u00";
        out += k_digits[c >> 4];
        out += k_digits[c & 15];
    }
  }
  out.append(text, start);
  out += '"';
}

namespace {

void write_member(const Member& member, const void* value, std::string& out) {
  if (member.shape->kind == Kind::timestamp && member.time_format != TimeFormat::by_place) {
    const std::string text = encode_time(as<Timestamp>(value), member.time_format);
    if (member.time_format == TimeFormat::unix_time) {
      out += text;
    } else {
      append_json_text(text, out);
    }
    return;
  }
  write_json(*member.shape, value, out);
}

void write_real(const Shape& shape, const void* value, double number, std::string& out) {
  const Member plain{.shape = &shape};
  const std::string text = encode_scalar_text(plain, value, TimeFormat::by_place);
  if (std::isfinite(number)) {
    out += text;
  } else {
    append_json_text(text, out);
  }
}

void write_members(const Shape& structure, const void* value, bool body_only, std::string& out) {
  out += '{';
  bool first = true;
  for (const Member& member : structure.members) {
    if (body_only && member.location != Location::body) continue;
    const void* field = member.find(value);
    if (!field || member.shape->kind == Kind::stream) continue;
    if (!first) out += ',';
    first = false;
    append_json_text(member.wire, out);
    out += ':';
    write_member(member, field, out);
  }
  out += '}';
}

}  // namespace

void write_json_body(const Shape& structure, const void* value, std::string& out) {
  write_members(structure, value, true, out);
}

void write_json(const Shape& shape, const void* value, std::string& out) {
  switch (shape.kind) {
    case Kind::structure: write_members(shape, value, false, out); break;
    case Kind::list:
      out += '[';
      for (std::size_t i = 0, count = shape.list->size(value); i < count; ++i) {
        if (i) out += ',';
        const void* element = shape.list->at(value, i);
        if (element) {
          write_member(shape.members[0], element, out);
        } else {
          out += "null";
        }
      }
      out += ']';
      break;
    case Kind::map: {
      out += '{';
      bool first = true;
      for_each_entry(*shape.map, value, [&](const std::string& key, const void* entry) {
        if (!first) out += ',';
        first = false;
        append_json_text(key, out);
        out += ':';
        if (entry) {
          write_member(shape.members[1], entry, out);
        } else {
          out += "null";
        }
      });
      out += '}';
      break;
    }
    case Kind::string: append_json_text(as<std::string>(value), out); break;
    case Kind::blob: append_json_text(to_base64(as<std::string>(value)), out); break;
    case Kind::integer:
      fmt::format_to(std::back_inserter(out), "{}", as<std::int32_t>(value));
      break;
    case Kind::long_: fmt::format_to(std::back_inserter(out), "{}", as<std::int64_t>(value)); break;
    case Kind::float_: write_real(shape, value, as<float>(value), out); break;
    case Kind::double_: write_real(shape, value, as<double>(value), out); break;
    case Kind::boolean: out += as<bool>(value) ? "true" : "false"; break;
    case Kind::timestamp: out += encode_time(as<Timestamp>(value), TimeFormat::unix_time); break;
    case Kind::document: dump_json(as<Json>(value), out); break;
    case Kind::stream: out += "null"; break;
  }
}

}  // namespace tarn::aws
