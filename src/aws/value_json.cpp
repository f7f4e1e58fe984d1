// SPDX-License-Identifier: Apache-2.0
// SDK-shaped JSON: structures by the names of the model, independent of any protocol.
#include <cmath>

#include <fmt/format.h>

#include "aws/codec_internal.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

bool same_but_first_letter(std::string_view left, std::string_view right) {
  return left.size() == right.size() && !left.empty() &&
         iequals(left.substr(0, 1), right.substr(0, 1)) && left.substr(1) == right.substr(1);
}

class Reader {
 public:
  Reader(DecodeContext& context, const JsonStyle& style) : context_(context), style_(style) {}

  void value(const Shape& shape, const Json& json, void* target, const Path& path) {
    switch (shape.kind) {
      case Kind::structure: structure(shape, json, target, path); break;
      case Kind::list: list(shape, json, target, path); break;
      case Kind::map: map(shape, json, target, path); break;
      case Kind::blob: blob(json, target, path); break;
      case Kind::stream:
        if (!json.is_string()) wrong(path, "text");
        as<ByteSourcePtr>(target) = source_of(std::string(json_text(json.get_string())));
        break;
      case Kind::string:
        // Text that was written as JSON: a policy, a definition.
        if (style_.lenient && (json.is_object() || json.is_array())) {
          as<std::string>(target) = dump_json(json);
        } else if (style_.lenient && !json.is_string()) {
          as<std::string>(target) = dump_json(json);
        } else {
          read_json(context_, shape, json, target, path);
        }
        break;
      default: scalar(shape, json, target, path);
    }
  }

 private:
  [[noreturn]] void wrong(const Path& path, std::string_view wanted) {
    throw validation_error(fmt::format("'{}' must be {}", path.text(), wanted));
  }

  void structure(const Shape& shape, const Json& json, void* target, const Path& path) {
    if (!json.is_object()) wrong(path, "an object");
    Presence present(shape);
    for (const auto& entry : json.get_object()) {
      const std::size_t index = find(shape, entry.key());
      if (index == shape.members.size()) {
        if (!style_.refuse_unknown) continue;
        const std::string where = path.text();
        throw validation_error(fmt::format("Unknown parameter in input: \"{}\"{}",
                                           std::string_view(entry.key()),
                                           where.empty() ? "" : fmt::format(" in '{}'", where)));
      }
      if (entry.value().is_null()) continue;
      const Member& member = shape.members[index];
      present.mark(index);
      value(*member.shape, entry.value(), member.create(target), Path{&path, member.name});
    }
    finish_structure(context_, shape, target, present, path);
  }

  std::size_t find(const Shape& shape, std::string_view name) const {
    for (std::size_t i = 0; i < shape.members.size(); ++i) {
      if (shape.members[i].name == name) return i;
    }
    if (!style_.lenient) return shape.members.size();
    for (std::size_t i = 0; i < shape.members.size(); ++i) {
      if (same_but_first_letter(shape.members[i].name, name)) return i;
    }
    return shape.members.size();
  }

  void list(const Shape& shape, const Json& json, void* target, const Path& path) {
    if (!json.is_array()) wrong(path, "an array");
    std::size_t index = 0;
    for (const Json& item : json.get_array()) {
      ++index;
      if (item.is_null() && shape.list->append_null(target)) continue;
      value(*shape.members[0].shape, item, shape.list->append(target), Path{&path, {}, index});
    }
  }

  void map(const Shape& shape, const Json& json, void* target, const Path& path) {
    if (!json.is_object()) wrong(path, "an object");
    for (const auto& entry : json.get_object()) {
      if (entry.value().is_null()) {
        shape.map->insert_null(target, entry.key());
        continue;
      }
      const Path here{&path, entry.key()};
      value(*shape.members[1].shape, entry.value(), shape.map->insert(target, entry.key()),
            Path{&here, "member"});
    }
  }

  void blob(const Json& json, void* target, const Path& path) {
    if (!json.is_string()) {
      if (!style_.lenient) wrong(path, "text");
      as<std::string>(target) = dump_json(json);
      return;
    }
    const std::string_view text = json_text(json.get_string());
    if (style_.text_blobs) {
      as<std::string>(target) = text;
      return;
    }
    auto bytes = from_base64(text);
    if (!bytes) wrong(path, "base64");
    as<std::string>(target) = std::move(*bytes);
  }

  void scalar(const Shape& shape, const Json& json, void* target, const Path& path) {
    if (style_.lenient && json.is_string() && shape.kind != Kind::document) {
      const Member plain{.name = "value", .shape = &shape};
      decode_scalar_text(context_, plain, json_text(json.get_string()), TimeFormat::iso8601,
                         target);
      return;
    }
    read_json(context_, shape, json, target, path);
  }

  DecodeContext& context_;
  const JsonStyle& style_;
};

}  // namespace

void decode_json(const Shape& shape, const Json& value, void* target, const JsonStyle& style,
                 const ServiceModel* service) {
  DecodeContext context(service);
  Reader(context, style).value(shape, value, target, Path{});
  if (context.violations.off()) return;
  find_broken(shape, target, Path{}, context.violations);
  context.violations.raise();
}

Json encode_json(const Shape& shape, const void* value, const JsonStyle& style) {
  switch (shape.kind) {
    case Kind::structure: {
      JsonObject object;
      for (const Member& member : shape.members) {
        const void* field = member.find(value);
        if (!field || member.shape->kind == Kind::stream) continue;
        object[member.name] = encode_json(*member.shape, field, style);
      }
      return object;
    }
    case Kind::list: {
      JsonArray array;
      for (std::size_t i = 0, count = shape.list->size(value); i < count; ++i) {
        const void* item = shape.list->at(value, i);
        array.push_back(item ? encode_json(*shape.members[0].shape, item, style) : Json(nullptr));
      }
      return array;
    }
    case Kind::map: {
      JsonObject object;
      for_each_entry(*shape.map, value, [&](const std::string& key, const void* entry) {
        object[key] = entry ? encode_json(*shape.members[1].shape, entry, style) : Json(nullptr);
      });
      return object;
    }
    case Kind::string: return Json(as<std::string>(value));
    case Kind::blob:
      if (style.text_blobs && is_valid_utf8(as<std::string>(value))) {
        return Json(as<std::string>(value));
      }
      return Json(to_base64(as<std::string>(value)));
    case Kind::integer: return as<std::int32_t>(value);
    case Kind::long_: return as<std::int64_t>(value);
    case Kind::float_:
    case Kind::double_: {
      const double number = shape.kind == Kind::float_ ? as<float>(value) : as<double>(value);
      if (std::isfinite(number)) return number;
      const Member plain{.shape = &shape};  // JSON has no NaN: its name
      return Json(encode_scalar_text(plain, value, TimeFormat::by_place));
    }
    case Kind::boolean: return as<bool>(value);
    case Kind::timestamp:
      if (style.iso_timestamps) return Json(encode_time(as<Timestamp>(value), TimeFormat::iso8601));
      return to_seconds(as<Timestamp>(value));
    case Kind::document: return as<Json>(value);
    case Kind::stream: return nullptr;
  }
  return nullptr;
}

}  // namespace tarn::aws
