// SPDX-License-Identifier: Apache-2.0
// CBOR (RFC 8949) as Smithy's RPC v2 uses it: maps with text keys, timestamps as tag 1, no cycles.
// The reader takes any well-formed item and skips what it does not know; its depth is bounded.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "aws/codec_internal.hpp"

namespace tarn::aws {

namespace {

constexpr int k_depth_max = 128;
constexpr std::uint8_t k_break = 0xFF;

class Reader {
 public:
  Reader(DecodeContext& context, std::string_view bytes) : context_(context), bytes_(bytes) {}

  void top(const Shape& structure, void* target) {
    if (bytes_.empty()) {
      finish_structure(context_, structure, target, Presence(structure), Path{});
      return;
    }
    value(Member{.shape = &structure}, target, Path{});
    if (position_ != bytes_.size()) malformed();
  }

 private:
  struct Head {
    int major;
    int info;
    std::uint64_t argument;
    bool indefinite;
  };

  [[noreturn]] void malformed() { context_.unreadable("The request body is not valid CBOR"); }
  [[noreturn]] void mismatch(const Member& member, std::string_view wanted) {
    context_.unreadable(fmt::format("{} is not a {}", member.name, wanted));
  }

  std::uint8_t byte() {
    if (position_ >= bytes_.size()) malformed();
    return static_cast<std::uint8_t>(bytes_[position_++]);
  }
  std::uint8_t peek() {
    if (position_ >= bytes_.size()) malformed();
    return static_cast<std::uint8_t>(bytes_[position_]);
  }
  std::uint64_t big_endian(int count) {
    std::uint64_t value = 0;
    while (count--) value = value << 8 | byte();
    return value;
  }

  Head head() {
    const std::uint8_t first = byte();
    Head head{first >> 5, first & 31, 0, false};
    if (head.info < 24) {
      head.argument = static_cast<std::uint64_t>(head.info);
    } else if (head.info <= 27) {
      head.argument = big_endian(1 << (head.info - 24));
    } else if (head.info == 31 && head.major >= 2 && head.major <= 5) {
      head.indefinite = true;
    } else {
      malformed();
    }
    return head;
  }

  bool take_break() {
    if (peek() != k_break) return false;
    ++position_;
    return true;
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - position_) malformed();
    const std::string_view piece = bytes_.substr(position_, count);
    position_ += count;
    return piece;
  }

  std::string text(const Head& start) {
    if (!start.indefinite) return std::string(take(start.argument));
    std::string all;
    while (!take_break()) {
      const Head piece = head();
      if (piece.major != start.major || piece.indefinite) malformed();
      all += take(piece.argument);
    }
    return all;
  }

  // Calls `each` for every element or entry.
  template <class F>
  void contents(const Head& start, F&& each) {
    if (++depth_ > k_depth_max) malformed();
    if (start.indefinite) {
      while (!take_break()) each();
    } else {
      // Each takes at least a byte, so a false count ends soon.
      for (std::uint64_t i = 0; i < start.argument; ++i) each();
    }
    --depth_;
  }

  std::string key() {
    const Head start = head();
    if (start.major != 3) malformed();
    return text(start);
  }

  bool take_null() {
    const std::uint8_t first = peek();
    if (first != 0xF6 && first != 0xF7) return false;
    ++position_;
    return true;
  }

  void skip() {
    const Head start = head();
    switch (start.major) {
      case 0:
      case 1:
      case 7: break;
      case 2:
      case 3: text(start); break;
      case 4: contents(start, [&] { skip(); }); break;
      case 5:
        contents(start, [&] {
          skip();
          skip();
        });
        break;
      default:
        if (++depth_ > k_depth_max) malformed();
        skip();
        --depth_;
    }
  }

  static double half(std::uint64_t bits) {
    const int exponent = bits >> 10 & 31;
    const double fraction = static_cast<double>(bits & 1023);
    double value = exponent == 0    ? std::ldexp(fraction, -24)
                   : exponent == 31 ? (fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                                                     : std::numeric_limits<double>::infinity())
                                    : std::ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -value : value;
  }

  double real(const Member& member, const Head& start) {
    if (start.major == 0) return static_cast<double>(start.argument);
    if (start.major == 1) return -1.0 - static_cast<double>(start.argument);
    if (start.major == 7) {
      if (start.info == 25) return half(start.argument);
      if (start.info == 26) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(start.argument));
      }
      if (start.info == 27) return std::bit_cast<double>(start.argument);
    }
    mismatch(member, "number");
  }

  template <class T>
  T integer(const Member& member, const Head& start) {
    constexpr auto k_max = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    if (start.major == 0 && start.argument <= k_max) return static_cast<T>(start.argument);
    if (start.major == 1 && start.argument <= k_max) {
      return static_cast<T>(-1 - static_cast<std::int64_t>(start.argument));
    }
    if (start.major == 7 && start.info >= 25 && start.info <= 27) {
      const double number = real(member, start);
      if (number == std::trunc(number) && std::abs(number) <= static_cast<double>(k_max) &&
          std::abs(number) < 9.2e18) {
        return static_cast<T>(number);
      }
    }
    mismatch(member, "integer");
  }

  Json document() {
    const Head start = head();
    switch (start.major) {
      case 0: return static_cast<std::int64_t>(start.argument);
      case 1: return -1 - static_cast<std::int64_t>(start.argument);
      case 2:
      case 3: return Json(text(start));
      case 4: {
        JsonArray array;
        contents(start, [&] { array.push_back(document()); });
        return array;
      }
      case 5: {
        JsonObject object;
        contents(start, [&] {
          const std::string name = key();
          object[name] = document();
        });
        return object;
      }
      case 6: {
        if (++depth_ > k_depth_max) malformed();
        Json inner = document();
        --depth_;
        return inner;
      }
      default:
        if (start.info == 20 || start.info == 21) return start.info == 21;
        if (start.info == 22 || start.info == 23) return nullptr;
        return real(Member{.name = "document"}, start);
    }
  }

  void structure(const Member& member, const Head& start, void* target, const Path& path) {
    const Shape& shape = *member.shape;
    if (start.major != 5) mismatch(member, "structure");
    Presence present(shape);
    contents(start, [&] {
      const std::string name = key();
      for (std::size_t i = 0; i < shape.members.size(); ++i) {
        const Member& found = shape.members[i];
        if (found.name != name) continue;
        if (take_null()) return;
        present.mark(i);
        value(found, found.create(target), Path{&path, found.name});
        return;
      }
      skip();
    });
    finish_structure(context_, shape, target, present, path);
  }

  void list(const Member& member, const Head& start, void* target, const Path& path) {
    const Shape& shape = *member.shape;
    if (start.major != 4) mismatch(member, "list");
    std::size_t index = 0;
    contents(start, [&] {
      ++index;
      if (take_null()) {
        if (!shape.list->append_null(target)) {
          context_.violations.missing(Path{&path, {}, index}, {});
        }
        return;
      }
      value(shape.members[0], shape.list->append(target), Path{&path, {}, index});
    });
  }

  void map(const Member& member, const Head& start, void* target, const Path& path) {
    const Shape& shape = *member.shape;
    if (start.major != 5) mismatch(member, "map");
    contents(start, [&] {
      const std::string name = key();
      if (take_null()) {
        shape.map->insert_null(target, name);
        return;
      }
      const Path here{&path, name};
      value(shape.members[1], shape.map->insert(target, name), Path{&here, "member"});
    });
  }

  void value(const Member& member, void* target, const Path& path) {
    if (member.shape->kind == Kind::document) {
      as<Json>(target) = document();
      return;
    }
    Head start = head();
    while (start.major == 6) {
      if (start.argument != 1 && member.shape->kind == Kind::timestamp) malformed();
      start = head();
    }
    switch (member.shape->kind) {
      case Kind::structure: structure(member, start, target, path); break;
      case Kind::list: list(member, start, target, path); break;
      case Kind::map: map(member, start, target, path); break;
      case Kind::string:
        if (start.major != 3) mismatch(member, "string");
        as<std::string>(target) = text(start);
        break;
      case Kind::blob:
        if (start.major != 2) mismatch(member, "blob");
        as<std::string>(target) = text(start);
        break;
      case Kind::integer: as<std::int32_t>(target) = integer<std::int32_t>(member, start); break;
      case Kind::long_: as<std::int64_t>(target) = integer<std::int64_t>(member, start); break;
      case Kind::float_: as<float>(target) = static_cast<float>(real(member, start)); break;
      case Kind::double_: as<double>(target) = real(member, start); break;
      case Kind::boolean:
        if (start.major != 7 || (start.info != 20 && start.info != 21)) {
          mismatch(member, "boolean");
        }
        as<bool>(target) = start.info == 21;
        break;
      case Kind::timestamp: {
        const double seconds = real(member, start);
        if (!(std::abs(seconds) < 1e12)) mismatch(member, "timestamp");
        as<Timestamp>(target) = from_seconds(seconds);
        break;
      }
      default: mismatch(member, "value");
    }
  }

  DecodeContext& context_;
  std::string_view bytes_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

class Writer {
 public:
  std::string out;

  void head(int major, std::uint64_t argument) {
    const char top = static_cast<char>(major << 5);
    if (argument < 24) {
      out += static_cast<char>(top | static_cast<char>(argument));
    } else if (argument <= 0xFF) {
      out += static_cast<char>(top | 24);
      big_endian(argument, 1);
    } else if (argument <= 0xFFFF) {
      out += static_cast<char>(top | 25);
      big_endian(argument, 2);
    } else if (argument <= 0xFFFFFFFF) {
      out += static_cast<char>(top | 26);
      big_endian(argument, 4);
    } else {
      out += static_cast<char>(top | 27);
      big_endian(argument, 8);
    }
  }
  void big_endian(std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
      out += static_cast<char>(value >> shift & 0xFF);
    }
  }
  void text(std::string_view value) {
    head(3, value.size());
    out += value;
  }
  void integer(std::int64_t value) {
    if (value >= 0) {
      head(0, static_cast<std::uint64_t>(value));
    } else {
      head(1, static_cast<std::uint64_t>(-1 - value));
    }
  }
  void real(double value) {
    out += static_cast<char>(0xFB);
    big_endian(std::bit_cast<std::uint64_t>(value), 8);
  }
  void boolean(bool value) { out += static_cast<char>(value ? 0xF5 : 0xF4); }
  void null() { out += static_cast<char>(0xF6); }

  void structure(const Shape& shape, const void* value) {
    std::size_t count = 0;
    for (const Member& member : shape.members) {
      count += member.shape->kind != Kind::stream && member.find(value);
    }
    head(5, count);
    for (const Member& member : shape.members) {
      const void* field = member.find(value);
      if (!field || member.shape->kind == Kind::stream) continue;
      text(member.name);
      write(*member.shape, field);
    }
  }

  void write(const Shape& shape, const void* value) {
    switch (shape.kind) {
      case Kind::structure: structure(shape, value); break;
      case Kind::list:
        head(4, shape.list->size(value));
        for (std::size_t i = 0, count = shape.list->size(value); i < count; ++i) {
          write_or_null(*shape.members[0].shape, shape.list->at(value, i));
        }
        break;
      case Kind::map:
        head(5, shape.map->size(value));
        for_each_entry(*shape.map, value, [&](const std::string& key, const void* entry) {
          text(key);
          write_or_null(*shape.members[1].shape, entry);
        });
        break;
      case Kind::string: text(as<std::string>(value)); break;
      case Kind::blob:
        head(2, as<std::string>(value).size());
        out += as<std::string>(value);
        break;
      case Kind::integer: integer(as<std::int32_t>(value)); break;
      case Kind::long_: integer(as<std::int64_t>(value)); break;
      case Kind::float_:
        out += static_cast<char>(0xFA);
        big_endian(std::bit_cast<std::uint32_t>(as<float>(value)), 4);
        break;
      case Kind::double_: real(as<double>(value)); break;
      case Kind::boolean: boolean(as<bool>(value)); break;
      case Kind::timestamp:
        head(6, 1);
        real(to_seconds(as<Timestamp>(value)));
        break;
      case Kind::document: json(as<Json>(value)); break;
      case Kind::stream: null(); break;
    }
  }

  void json(const Json& value) {
    switch (value.kind()) {
      case JsonKind::object:
        head(5, value.get_object().size());
        for (const auto& entry : value.get_object()) {
          text(entry.key());
          json(entry.value());
        }
        break;
      case JsonKind::array:
        head(4, value.get_array().size());
        for (const Json& item : value.get_array()) json(item);
        break;
      case JsonKind::string: text(json_text(value.get_string())); break;
      case JsonKind::int64: integer(value.get_int64()); break;
      case JsonKind::uint64: head(0, value.get_uint64()); break;
      case JsonKind::double_: real(value.get_double()); break;
      case JsonKind::bool_: boolean(value.get_bool()); break;
      case JsonKind::null: null(); break;
    }
  }

 private:
  void write_or_null(const Shape& shape, const void* value) {
    if (value) {
      write(shape, value);
    } else {
      null();
    }
  }
};

}  // namespace

void read_cbor(DecodeContext& context, const Shape& structure, std::string_view bytes,
               void* target) {
  Reader(context, bytes).top(structure, target);
}

std::string write_cbor(const Shape& structure, const void* value) {
  Writer writer;
  writer.structure(structure, value);
  return std::move(writer.out);
}

std::string write_cbor_json(const Json& value) {
  Writer writer;
  writer.json(value);
  return std::move(writer.out);
}

}  // namespace tarn::aws
