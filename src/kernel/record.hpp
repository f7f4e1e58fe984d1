// SPDX-License-Identifier: Apache-2.0
// Typed records: how a struct becomes a durable row, and how its key is ordered.
//
// A record is an aggregate that names its kind and lists its fields once:
//
//   struct QueueRecord {
//     static constexpr kernel::RecordKind k_kind{"sqs", "queue", 2};   // service, kind, version
//     std::string name;
//     std::map<std::string, std::string> attributes;
//     Timestamp created;
//     std::int64_t purged_at_ms = 0;                                    // since version 2
//     auto key() const { return kernel::Key(name); }
//     void fields(auto& f) { f(name, attributes, created); if (f.since(2)) f(purged_at_ms); }
//   };
//
// The first byte of every row is the version it was written with; reading calls `fields` with that
// version, so an old row keeps the defaults of newer fields. A newer version than the code's is an
// error that names it (`StoreTooNew`), never a guess. Nested structs have `fields` too (the version
// is the record's). Keys are `service / kind / account / region / parts…`, escaped so that byte
// order equals the order of the parts: strings bytewise, numbers and times numerically. A listing
// is therefore one range scan.
#pragma once
#include <concepts>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"

namespace tarn::kernel {

// Which column family a kind lives in (see store.hpp).
enum class Family : std::uint8_t { records, bodies, queues, events };

struct RecordKind {
  std::string_view service;
  std::string_view kind;
  std::uint8_t version = 1;
  Family family = Family::records;
};

// Account and region of a row. Global services leave the region empty; rows that belong to all
// accounts (S3's bucket names) leave both empty.
struct Scope {
  std::string account;
  std::string region;
  bool operator==(const Scope&) const = default;
};

// The parts of a key after the scope, encoded in order.
class Key {
 public:
  Key() = default;
  template <class... Parts>
    requires(sizeof...(Parts) > 0 && !(std::same_as<std::remove_cvref_t<Parts>, Key> || ...))
  explicit Key(const Parts&... parts) {
    (add(parts), ...);
  }
  // 00 is written 00 FF and a part ends with 00 01, so a prefix sorts before what it begins.
  void add(std::string_view text);
  void add(const std::string& text) { add(std::string_view(text)); }
  void add(const char* text) { add(std::string_view(text)); }
  void add(Timestamp time);
  template <std::integral I>
  void add(I number) {
    if constexpr (std::is_signed_v<I>) {
      add_number(static_cast<std::uint64_t>(static_cast<std::int64_t>(number)) ^ (1ULL << 63));
    } else {
      add_number(number);
    }
  }
  // A part that is only a prefix of a string: everything that begins with it (for scans).
  void add_open_prefix(std::string_view text);
  const std::string& bytes() const { return bytes_; }

 private:
  void add_number(std::uint64_t number);
  std::string bytes_;
};

// Takes the parts out again, in order.
class KeyReader {
 public:
  explicit KeyReader(std::string_view bytes) : rest_(bytes) {}
  std::string text();
  std::uint64_t number();
  std::int64_t signed_number() { return static_cast<std::int64_t>(number() ^ (1ULL << 63)); }
  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

class CorruptRecord : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Writes fields: varints, length-prefixed strings, little-endian doubles.
class RecordWriter {
 public:
  explicit RecordWriter(std::uint8_t version) : version_(version) {
    out_.push_back(static_cast<char>(version));
  }
  template <class... F>
  void operator()(F&... fields) {
    (write(fields), ...);
  }
  bool since(std::uint8_t version) const { return version_ >= version; }
  static constexpr bool k_reading = false;
  std::string take() { return std::move(out_); }

 private:
  void varint(std::uint64_t value);
  void write(const std::string& text);
  void write(const Json& value);
  void write(double value);
  void write(bool value) { out_.push_back(value ? 1 : 0); }
  void write(Timestamp time) { zigzag(to_micros(time)); }
  void write(Microseconds value) { zigzag(value.count()); }
  void zigzag(std::int64_t value) {
    varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  template <std::integral I>
  void write(I value) {
    if constexpr (std::is_signed_v<I>) {
      zigzag(value);
    } else {
      varint(value);
    }
  }
  template <class E>
    requires std::is_enum_v<E>
  void write(E value) {
    varint(static_cast<std::uint64_t>(value));
  }
  template <class T>
  void write(std::optional<T>& value) {
    write(value.has_value());
    if (value) write(*value);
  }
  template <class T>
  void write(std::vector<T>& items) {
    varint(items.size());
    for (auto& item : items) write(item);
  }
  template <class T>
  void write(std::set<T>& items) {
    varint(items.size());
    for (auto& item : items) write(item);
  }
  template <class K, class V>
  void write(std::map<K, V>& items) {
    varint(items.size());
    for (auto& [key, value] : items) {
      write(key);
      write(value);
    }
  }
  template <class A, class B>
  void write(std::pair<A, B>& both) {
    write(both.first);
    write(both.second);
  }
  template <class T>
    requires requires(T& value, RecordWriter& self) { value.fields(self); }
  void write(T& value) {
    value.fields(*this);
  }

  std::uint8_t version_;
  std::string out_;
};

class RecordReader {
 public:
  // Takes the version byte from the front.
  RecordReader(std::string_view bytes, const RecordKind& kind);
  template <class... F>
  void operator()(F&... fields) {
    (read(fields), ...);
  }
  bool since(std::uint8_t version) const { return version_ >= version; }
  static constexpr bool k_reading = true;
  void finish() const;  // throws CorruptRecord when bytes are left

 private:
  std::uint64_t varint();
  std::int64_t zigzag() {
    const auto raw = varint();
    return static_cast<std::int64_t>(raw >> 1) ^ -static_cast<std::int64_t>(raw & 1);
  }
  std::size_t count();  // bounded by what is left
  void read(std::string& text);
  void read(Json& value);
  void read(double& value);
  void read(bool& value);
  void read(Timestamp& time) { time = Timestamp(Microseconds(zigzag())); }
  void read(Microseconds& value) { value = Microseconds(zigzag()); }
  template <std::integral I>
  void read(I& value) {
    if constexpr (std::is_signed_v<I>) {
      value = static_cast<I>(zigzag());
    } else {
      value = static_cast<I>(varint());
    }
  }
  template <class E>
    requires std::is_enum_v<E>
  void read(E& value) {
    value = static_cast<E>(varint());
  }
  template <class T>
  void read(std::optional<T>& value) {
    bool present = false;
    read(present);
    value.reset();
    if (present) read(value.emplace());
  }
  template <class T>
  void read(std::vector<T>& items) {
    items.clear();
    for (std::size_t left = count(); left > 0; --left) {
      T item{};
      read(item);
      items.push_back(std::move(item));
    }
  }
  template <class T>
  void read(std::set<T>& items) {
    items.clear();
    for (std::size_t left = count(); left > 0; --left) {
      T item{};
      read(item);
      items.insert(std::move(item));
    }
  }
  template <class K, class V>
  void read(std::map<K, V>& items) {
    items.clear();
    for (std::size_t left = count(); left > 0; --left) {
      K key{};
      V value{};
      read(key);
      read(value);
      items.emplace(std::move(key), std::move(value));
    }
  }
  template <class A, class B>
  void read(std::pair<A, B>& both) {
    read(both.first);
    read(both.second);
  }
  template <class T>
    requires requires(T& value, RecordReader& self) { value.fields(self); }
  void read(T& value) {
    value.fields(*this);
  }

  std::string kind_name_;
  std::uint8_t version_ = 0;
  std::string_view rest_;
};

template <class R>
concept Record = requires(R record) {
  { R::k_kind } -> std::convertible_to<RecordKind>;
  { record.key() } -> std::convertible_to<Key>;
};

template <Record R>
std::string encode_record(const R& record) {
  RecordWriter writer(R::k_kind.version);
  const_cast<R&>(record).fields(writer);  // one `fields` serves both ways; writing changes nothing
  return writer.take();
}

template <Record R>
R decode_record(std::string_view bytes) {
  RecordReader reader(bytes, R::k_kind);
  R record{};
  record.fields(reader);
  reader.finish();
  return record;
}

}  // namespace tarn::kernel
