// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace tarn {
namespace {

void dump_string(std::string_view text, std::string& out) {
  out.push_back('"');
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default: out += fmt::format("\\u{:04x}", c);
    }
  }
  out.append(text.substr(plain));
  out.push_back('"');
}

void newline(std::string& out, int indent) {
  out.push_back('\n');
  out.append(static_cast<std::size_t>(indent) * 2, ' ');
}

// `indent` below zero writes compact text.
void dump(const Json& value, std::string& out, int indent) {
  const int inner = indent < 0 ? -1 : indent + 1;
  switch (value.kind()) {
    case JsonKind::null: out += "null"; return;
    case JsonKind::bool_: out += value.get_bool() ? "true" : "false"; return;
    case JsonKind::int64: out += std::to_string(value.get_int64()); return;
    case JsonKind::uint64: out += std::to_string(value.get_uint64()); return;
    case JsonKind::double_: out += dump_double(value.get_double()); return;
    case JsonKind::string: dump_string(json_text(value.get_string()), out); return;
    case JsonKind::array: {
      out.push_back('[');
      bool first = true;
      for (const Json& item : value.get_array()) {
        if (!first) out.push_back(',');
        first = false;
        if (inner >= 0) newline(out, inner);
        dump(item, out, inner);
      }
      if (inner >= 0 && !first) newline(out, indent);
      out.push_back(']');
      return;
    }
    case JsonKind::object: {
      out.push_back('{');
      bool first = true;
      for (const auto& member : value.get_object()) {
        if (!first) out.push_back(',');
        first = false;
        if (inner >= 0) newline(out, inner);
        dump_string({member.key().data(), member.key().size()}, out);
        out += inner >= 0 ? ": " : ":";
        dump(member.value(), out, inner);
      }
      if (inner >= 0 && !first) newline(out, indent);
      out.push_back('}');
      return;
    }
  }
}

std::optional<double> as_double(const Json& value) {
  if (value.is_double()) return value.get_double();
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  return std::nullopt;
}

}  // namespace

Json parse_json(std::string_view text, std::size_t depth_max) {
  boost::json::parse_options options;
  options.max_depth = depth_max;
  boost::json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t used = parser.write_some(text.data(), text.size(), error);
  if (!error) parser.finish(error);
  if (error) throw JsonError(fmt::format("{} at offset {}", error.message(), used), used);
  const auto rest = text.find_first_not_of(" \t\r\n", used);
  if (rest != std::string_view::npos) {
    throw JsonError(fmt::format("unexpected text after the value at offset {}", rest), rest);
  }
  return parser.release();
}

std::string dump_double(double value) {
  if (!std::isfinite(value)) return "null";  // JSON has no other way to say it
  const double magnitude = std::fabs(value);
  char buffer[400];
  const bool plain = value == 0 || (magnitude >= 1e-7 && magnitude < 1e18);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, format);
  std::string text(buffer, end.ptr);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

void dump_json(const Json& value, std::string& out) { dump(value, out, -1); }

std::string dump_json(const Json& value) {
  std::string out;
  dump(value, out, -1);
  return out;
}

std::string dump_json_pretty(const Json& value) {
  std::string out;
  dump(value, out, 0);
  return out;
}

const Json* find_member(const Json& value, std::string_view key) {
  const auto* object = value.if_object();
  return object ? object->if_contains({key.data(), key.size()}) : nullptr;
}

std::optional<std::string> find_string(const Json& value, std::string_view key) {
  const Json* member = find_member(value, key);
  if (!member || !member->is_string()) return std::nullopt;
  return std::string(json_text(member->get_string()));
}

std::string string_or(const Json& value, std::string_view key, std::string_view fallback) {
  auto text = find_string(value, key);
  return text ? *std::move(text) : std::string(fallback);
}

bool json_equal(const Json& left, const Json& right) {
  if (left.is_number() && right.is_number()) {
    if (left.is_int64() && right.is_int64()) return left.get_int64() == right.get_int64();
    if (left.is_uint64() && right.is_uint64()) return left.get_uint64() == right.get_uint64();
    return as_double(left) == as_double(right);
  }
  if (left.kind() != right.kind()) return false;
  if (left.is_array()) {
    const auto& a = left.get_array();
    const auto& b = right.get_array();
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), json_equal);
  }
  if (left.is_object()) {
    const auto& a = left.get_object();
    const auto& b = right.get_object();
    if (a.size() != b.size()) return false;
    for (const auto& member : a) {
      const Json* other = b.if_contains(member.key());
      if (!other || !json_equal(member.value(), *other)) return false;
    }
    return true;
  }
  return left == right;
}

}  // namespace tarn
