// SPDX-License-Identifier: Apache-2.0
// Tables that describe generated structures, so that one interpreter per wire format reads and
// writes them all.
//
// Why tables: code generated per structure and protocol costs minutes of compile time and megabytes
// of program. A table entry is a name, a place, and one small function that gives the address of
// the field. The tables are constant and shared by all threads.
// Avoided: offsets of members (the structures are not standard-layout), virtual functions.
#pragma once
#include <array>
#include <atomic>
#include <span>
#include <type_traits>

#include "aws/types.hpp"

namespace re2 {
class RE2;
}

namespace tarn::aws {

// The kind decides the C++ type that an address points to.
enum class Kind : std::uint8_t {
  structure,  // the generated struct
  list,       // std::vector<T>, through ListOps
  map,        // std::map<std::string, T>, through MapOps
  string,     // std::string
  blob,       // std::string
  integer,    // std::int32_t
  long_,      // std::int64_t
  float_,     // float
  double_,    // double
  boolean,    // bool
  timestamp,  // Timestamp
  document,   // Json
  stream,     // ByteSourcePtr: a streaming blob or encoded event frames
};

enum class Location : std::uint8_t { body, uri, query, header, headers, status, payload };
enum class TimeFormat : std::uint8_t { by_place, iso8601, rfc822, unix_time };

struct ListOps {
  std::size_t (*size)(const void* list);
  const void* (*at)(const void* list, std::size_t index);  // null: a null of a sparse list
  void* (*append)(void* list);
  bool (*append_null)(void* list);  // false: not sparse
};

struct MapOps {
  using Visit = void (*)(void* context, const std::string& key, const void* value);
  std::size_t (*size)(const void* map);
  void (*each)(const void* map, void* context, Visit visit);  // null value: sparse
  void* (*insert)(void* map, std::string key);
  bool (*insert_null)(void* map, std::string key);
};

// What the model demands of a value. `min` and `max` bound a number's value, a text's characters,
// a blob's bytes, a collection's elements.
struct Constraints {
  std::optional<double> min, max;
  std::string_view pattern;                  // as the model has it: for messages
  std::string_view expression;               // the same in RE2's syntax; empty: not checkable
  bool partial = false;                      // the pattern has its own anchors
  std::span<const std::string_view> values;  // of an enum
  // Compiled at first use; kept for good.
  mutable std::atomic<const re2::RE2*> compiled{nullptr};
};

struct Member;

struct Shape {
  Kind kind = Kind::string;
  std::string_view name;
  // structure: all members; list: the element; map: key and value.
  std::span<const Member> members = {};
  const ListOps* list = nullptr;
  const MapOps* map = nullptr;
  const Constraints* constraints = nullptr;
  bool checked = false;    // this or something below has constraints or required members
  bool sensitive = false;  // its value is not repeated in messages
  bool is_union = false;
  bool all_in_body = true;  // structure: no member has another location
};

struct XmlNamespace {
  std::string_view uri, prefix;
};

struct Member {
  std::string_view name;   // as in the model
  std::string_view wire;   // JSON key, XML element, header, URI label, query key
  std::string_view query;  // the part of a key in the query protocols
  const Shape* shape = nullptr;
  // The field's address; null if it is an absent optional and `create` is false.
  void* (*access)(void* structure, bool create) = nullptr;
  Location location = Location::body;
  TimeFormat time_format = TimeFormat::by_place;
  bool required : 1 = false;
  bool flattened : 1 = false;
  bool xml_attribute : 1 = false;
  bool idempotency_token : 1 = false;
  bool json_value : 1 = false;
  bool event_stream : 1 = false;
  const XmlNamespace* xml_namespace = nullptr;

  void* create(void* structure) const { return access(structure, true); }
  const void* find(const void* structure) const {
    return access(const_cast<void*>(structure), false);
  }
};

// The member of that name as in the model, or null. (The one of JSON values stays in sight.)
using tarn::find_member;
const Member* find_member(const Shape& structure, std::string_view name);

// Shapes of unconstrained scalars, shared by all services.
extern const Shape k_string_shape, k_blob_shape, k_integer_shape, k_long_shape, k_float_shape,
    k_double_shape, k_boolean_shape, k_timestamp_shape, k_document_shape, k_stream_shape;

// Calls f(key, value address) for each entry.
template <class F>
void for_each_entry(const MapOps& ops, const void* map, F&& f) {
  ops.each(map, &f, [](void* context, const std::string& key, const void* value) {
    (*static_cast<std::remove_reference_t<F>*>(context))(key, value);
  });
}

namespace detail {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsBoxed : std::false_type {};
template <class T>
struct IsBoxed<Boxed<T>> : std::true_type {};

template <class T>
void* address(T& field, bool create) {
  if constexpr (IsOptional<T>::value) {
    if (!field) {
      if (!create) return nullptr;
      field.emplace();
    }
    return address(*field, create);
  } else if constexpr (IsBoxed<T>::value) {
    return address(*field, create);
  } else {
    return &field;
  }
}

template <class T>
struct FieldOf;
template <class S, class T>
struct FieldOf<T S::*> {
  using Structure = S;
};

template <auto M>
void* access(void* structure, bool create) {
  using Structure = typename FieldOf<decltype(M)>::Structure;
  return address(static_cast<Structure*>(structure)->*M, create);
}

template <class V>
constexpr ListOps make_list_ops() {
  using Element = typename V::value_type;
  return {
      [](const void* list) { return static_cast<const V*>(list)->size(); },
      [](const void* list, std::size_t index) -> const void* {
        auto& element = const_cast<Element&>((*static_cast<const V*>(list))[index]);
        return address(element, false);
      },
      [](void* list) { return address(static_cast<V*>(list)->emplace_back(), true); },
      [](void* list) {
        if constexpr (IsOptional<Element>::value) static_cast<V*>(list)->emplace_back();
        return IsOptional<Element>::value || list == nullptr;
      },
  };
}

template <class M>
constexpr MapOps make_map_ops() {
  using Value = typename M::mapped_type;
  return {
      [](const void* map) { return static_cast<const M*>(map)->size(); },
      [](const void* map, void* context, MapOps::Visit visit) {
        for (const auto& [key, value] : *static_cast<const M*>(map)) {
          visit(context, key, address(const_cast<Value&>(value), false));
        }
      },
      [](void* map, std::string key) {
        return address((*static_cast<M*>(map))[std::move(key)], true);
      },
      [](void* map, std::string key) {
        if constexpr (IsOptional<Value>::value) (*static_cast<M*>(map))[std::move(key)].reset();
        return IsOptional<Value>::value || map == nullptr;
      },
  };
}

template <class V>
inline constexpr ListOps list_ops = make_list_ops<V>();
template <class M>
inline constexpr MapOps map_ops = make_map_ops<M>();

}  // namespace detail
}  // namespace tarn::aws
