// SPDX-License-Identifier: Apache-2.0
// The model's constraints, in the words of AWS's own validators.
#include <re2/re2.h>

#include <cmath>

#include <fmt/format.h>

#include "aws/codec_internal.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

// The validators name members as Java beans do: only the first letter changes.
std::string bean_name(std::string_view member) {
  std::string name(member);
  if (!name.empty() && name[0] >= 'A' && name[0] <= 'Z') name[0] += 'a' - 'A';
  return name;
}

std::string number_text(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e18) {
    return fmt::format("{}", static_cast<std::int64_t>(value));
  }
  return dump_double(value);
}

// Java's String.length(): UTF-16 units.
std::size_t text_length(std::string_view text) {
  std::size_t units = 0;
  for (const char byte : text) {
    const auto c = static_cast<unsigned char>(byte);
    if ((c & 0xC0) != 0x80) units += c >= 0xF0 ? 2 : 1;
  }
  return units;
}

const re2::RE2& compiled(const Constraints& constraints) {
  const re2::RE2* found = constraints.compiled.load(std::memory_order_acquire);
  if (found) return *found;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(32 << 20);
  options.set_dot_nl(false);
  const auto* fresh = new re2::RE2(std::string(constraints.expression), options);
  const re2::RE2* expected = nullptr;
  if (!constraints.compiled.compare_exchange_strong(expected, fresh, std::memory_order_acq_rel)) {
    delete fresh;
    return *expected;
  }
  return *fresh;
}

bool matches(const Constraints& constraints, std::string_view text) {
  if (constraints.expression.empty()) return true;
  const re2::RE2& expression = compiled(constraints);
  if (!expression.ok()) return true;
  const re2::StringPiece piece(text.data(), text.size());
  return constraints.partial ? re2::RE2::PartialMatch(piece, expression)
                             : re2::RE2::FullMatch(piece, expression);
}

bool is_one_of(const Constraints& constraints, std::string_view text) {
  for (const std::string_view value : constraints.values) {
    if (value == text) return true;
  }
  return false;
}

std::string enum_text(const Constraints& constraints) {
  std::string text = "Member must satisfy enum value set: [";
  for (std::size_t i = 0; i < constraints.values.size(); ++i) {
    if (i) text += ", ";
    text += constraints.values[i];
  }
  return text + "]";
}

enum class Check { max, min, pattern, values };

std::string check_text(const Constraints& constraints, Check check, bool is_number) {
  const std::string_view what = is_number ? "value" : "length";
  switch (check) {
    case Check::max:
      return fmt::format("Member must have {} less than or equal to {}", what,
                         number_text(*constraints.max));
    case Check::min:
      return fmt::format("Member must have {} greater than or equal to {}", what,
                         number_text(*constraints.min));
    case Check::pattern:
      return fmt::format("Member must satisfy regular expression pattern: {}", constraints.pattern);
    case Check::values: return enum_text(constraints);
  }
  return {};
}

bool is_number(Kind kind) {
  return kind == Kind::integer || kind == Kind::long_ || kind == Kind::float_ ||
         kind == Kind::double_;
}

double measure(const Shape& shape, const void* value) {
  switch (shape.kind) {
    case Kind::string: return static_cast<double>(text_length(as<std::string>(value)));
    case Kind::blob: return static_cast<double>(as<std::string>(value).size());
    case Kind::integer: return as<std::int32_t>(value);
    case Kind::long_: return static_cast<double>(as<std::int64_t>(value));
    case Kind::float_: return as<float>(value);
    case Kind::double_: return as<double>(value);
    case Kind::list: return static_cast<double>(shape.list->size(value));
    case Kind::map: return static_cast<double>(shape.map->size(value));
    default: return 0;
  }
}

// The constraints that the value breaks, and (`all`) every one that its shape has.
template <class F>
void for_each_broken(const Shape& shape, const void* value, bool all, F&& f) {
  const Constraints& limits = *shape.constraints;
  const double size = limits.min || limits.max ? measure(shape, value) : 0;
  if (limits.max && (all || size > *limits.max)) f(Check::max);
  if (limits.min && (all || size < *limits.min)) f(Check::min);
  if (shape.kind != Kind::string) return;
  if (!limits.pattern.empty() && (all || !matches(limits, as<std::string>(value)))) {
    f(Check::pattern);
  }
  if (!limits.values.empty() && (all || !is_one_of(limits, as<std::string>(value)))) {
    f(Check::values);
  }
}

bool breaks(const Shape& shape, const void* value) {
  bool broken = false;
  if (shape.constraints && value) {
    for_each_broken(shape, value, false, [&](Check) { broken = true; });
  }
  return broken;
}

std::string constraints_list(const Shape& shape) {
  std::string text = "[";
  for_each_broken(shape, nullptr, true, [&](Check check) {
    if (text.size() > 1) text += ", ";
    text += check_text(*shape.constraints, check, is_number(shape.kind));
  });
  return text + "]";
}

constexpr std::size_t k_shown_max = 2048;

// As Java prints it.
void show(const Shape& shape, const void* value, std::string& out) {
  if (out.size() > k_shown_max) return;
  if (!value) {
    out += "null";
    return;
  }
  switch (shape.kind) {
    case Kind::string: out += as<std::string>(value); break;
    case Kind::blob: out += "java.nio.HeapByteBuffer"; break;
    case Kind::list:
      out += '[';
      for (std::size_t i = 0; i < shape.list->size(value); ++i) {
        if (i) out += ", ";
        show(*shape.members[0].shape, shape.list->at(value, i), out);
      }
      out += ']';
      break;
    case Kind::map: {
      out += '{';
      bool first = true;
      for_each_entry(*shape.map, value, [&](const std::string& key, const void* entry) {
        if (!first) out += ", ";
        first = false;
        out += key + "=";
        show(*shape.members[1].shape, entry, out);
      });
      out += '}';
      break;
    }
    case Kind::structure: {
      out += shape.name;
      out += '(';
      bool first = true;
      for (const Member& member : shape.members) {
        const void* found = member.find(value);
        if (!found) continue;
        if (!first) out += ", ";
        first = false;
        out += bean_name(member.name) + "=";
        show(*member.shape, found, out);
      }
      out += ')';
      break;
    }
    case Kind::document: out += dump_json(as<Json>(value)); break;
    case Kind::stream: break;
    default: {
      const Member plain{.shape = &shape};
      out += encode_scalar_text(plain, value, TimeFormat::iso8601);
    }
  }
}

std::string shown(const Shape& shape, const void* value) {
  std::string out;
  show(shape, value, out);
  return out;
}

void find_broken_list(const Shape& shape, const void* value, const Path& path,
                      Violations& violations) {
  const Shape& element = *shape.members[0].shape;
  const std::size_t count = shape.list->size(value);
  bool broken = false;
  for (std::size_t i = 0; i < count; ++i) {
    const void* item = shape.list->at(value, i);
    if (!item) continue;
    if (breaks(element, item) && element.kind != Kind::list && element.kind != Kind::map) {
      broken = true;
    } else if (element.checked) {
      find_broken(element, item, Path{&path, {}, i + 1}, violations);
    }
  }
  if (broken) {
    violations.broken(path, shape, shown(shape, value),
                      "Member must satisfy constraint: " + constraints_list(element));
  }
}

void find_broken_map(const Shape& shape, const void* value, const Path& path,
                     Violations& violations) {
  const Shape& keys = *shape.members[0].shape;
  const Shape& values = *shape.members[1].shape;
  bool key_broken = false, value_broken = false;
  for_each_entry(*shape.map, value, [&](const std::string& key, const void* item) {
    key_broken |= breaks(keys, &key);
    if (!item || !values.checked) return;
    if (breaks(values, item) && values.kind != Kind::list && values.kind != Kind::map) {
      value_broken = true;
    } else {
      const Path entry{&path, key};
      find_broken(values, item, Path{&entry, "member"}, violations);
    }
  });
  if (key_broken) {
    violations.broken(path, shape, shown(shape, value),
                      "Map keys must satisfy constraint: " + constraints_list(keys));
  }
  if (value_broken) {
    violations.broken(path, shape, shown(shape, value),
                      "Map value must satisfy constraint: " + constraints_list(values));
  }
}

}  // namespace

std::string Path::text() const {
  std::string before = parent ? parent->text() : std::string();
  if (name.empty() && !index) return before;
  if (!before.empty()) before += '.';
  return index ? fmt::format("{}{}.member", before, index) : before + bean_name(name);
}

void find_broken(const Shape& shape, const void* value, const Path& path, Violations& violations) {
  if (!shape.checked || !value) return;
  if (shape.kind == Kind::structure) {
    for (const Member& member : shape.members) {
      if (!member.shape->checked) continue;
      const void* field = member.find(value);
      if (!field || (member.required && violations.any_missing() &&
                     violations.is_missing(path, member.name))) {
        continue;
      }
      find_broken(*member.shape, field, Path{&path, member.name}, violations);
    }
    return;
  }
  if (shape.constraints) {
    for_each_broken(shape, value, false, [&](Check check) {
      violations.broken(path, shape, shown(shape, value),
                        check_text(*shape.constraints, check, is_number(shape.kind)));
    });
  }
  if (shape.kind == Kind::list) find_broken_list(shape, value, path, violations);
  if (shape.kind == Kind::map) find_broken_map(shape, value, path, violations);
}

void Violations::missing(const Path& path, std::string_view member) {
  missing_.push_back(Path{&path, member}.text());
  missing_names_.emplace_back(member);
}

bool Violations::is_missing(const Path& path, std::string_view member) const {
  const std::string text = Path{&path, member}.text();
  for (const std::string& known : missing_) {
    if (known == text) return true;
  }
  return false;
}

void Violations::broken(const Path& path, const Shape& shape, std::string value,
                        std::string constraint) {
  const Path* named = &path;
  while (named->parent && named->name.empty()) named = named->parent;
  broken_.push_back({path.text(), std::string(named->name), std::move(value), std::move(constraint),
                     shape.sensitive});
}

void Violations::raise() const {
  if ((missing_.empty() && broken_.empty()) || off()) return;
  const std::string_view invalid = service_ ? service_->invalid_code : "ValidationException";
  const std::string_view absent = service_ ? service_->missing_code : "ValidationException";
  const std::string code(missing_.empty() ? invalid : absent);
  if (service_ && service_->checks == CheckStyle::request_parameter) {
    if (!missing_.empty()) {
      throw ApiError(
          code, fmt::format("The request must contain the parameter {}", missing_names_.front()));
    }
    const Broken& first = broken_.front();
    throw ApiError(
        code, fmt::format("Value ({}) for parameter {} is invalid. {}",
                          first.sensitive ? "***" : first.value, first.member, first.constraint));
  }
  const std::size_t count = missing_.size() + broken_.size();
  std::string text = fmt::format("{} validation error{} detected: ", count, count == 1 ? "" : "s");
  bool first = true;
  for (const std::string& path : missing_) {
    if (!first) text += "; ";
    first = false;
    text += fmt::format("Value null at '{}' failed to satisfy constraint: Member must not be null",
                        path);
  }
  for (const Broken& broken : broken_) {
    if (!first) text += "; ";
    first = false;
    text += broken.sensitive ? std::string("Value") : fmt::format("Value '{}'", broken.value);
    text +=
        fmt::format(" at '{}' failed to satisfy constraint: {}", broken.path, broken.constraint);
  }
  throw ApiError(code, std::move(text));
}

void check_constraints(const Shape& shape, const void* input, const ServiceModel& service) {
  Violations violations(&service);
  if (violations.off()) return;
  find_broken(shape, input, Path{}, violations);
  violations.raise();
}

}  // namespace tarn::aws
