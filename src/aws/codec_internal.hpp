// SPDX-License-Identifier: Apache-2.0
// What the codecs share: typed access by kind, paths for messages, the collection of violations.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "aws/codec.hpp"

namespace tarn::aws {

template <class T>
T& as(void* value) {
  return *static_cast<T*>(value);
}
template <class T>
const T& as(const void* value) {
  return *static_cast<const T*>(value);
}

// Where a value stands in the input, without building text until it is needed.
struct Path {
  const Path* parent = nullptr;
  std::string_view name;     // a member's
  std::size_t index = 0;     // 1-based element of a list
  std::string text() const;  // "entries.1.member.id"
};

// Gathers what is wrong with an input while it is decoded and checked.
class Violations {
 public:
  explicit Violations(const ServiceModel* service) : service_(service) {}
  void missing(const Path& path, std::string_view member);
  void broken(const Path& path, const Shape& shape, std::string value, std::string constraint);
  bool is_missing(const Path& path, std::string_view member) const;
  bool any_missing() const { return !missing_.empty(); }
  bool off() const { return service_ && service_->checks == CheckStyle::none; }
  // Throws what was gathered, if anything.
  void raise() const;

 private:
  struct Broken {
    std::string path, member, value, constraint;
    bool sensitive;
  };
  const ServiceModel* service_;
  std::vector<std::string> missing_;        // paths
  std::vector<std::string> missing_names_;  // the members, as the model spells them
  std::vector<Broken> broken_;
};

// What one decoding run carries along.
struct DecodeContext {
  const ServiceModel* service;
  Violations violations;
  Random* random = nullptr;
  explicit DecodeContext(const ServiceModel* service) : service(service), violations(service) {}
  [[noreturn]] void unreadable(std::string message) const;
};

// Which members of a structure were present.
class Presence {
 public:
  explicit Presence(const Shape& structure);
  void mark(std::size_t index) {
    if (index < 64) {
      few_ |= std::uint64_t{1} << index;
    } else {
      many_[index - 64] = true;
    }
  }
  bool has(std::size_t index) const { return index < 64 ? (few_ >> index) & 1 : many_[index - 64]; }

 private:
  std::uint64_t few_ = 0;
  std::vector<bool> many_;
};

// After the members of `structure` were read: notes required ones that are absent, fills absent
// idempotency tokens.
void finish_structure(DecodeContext& context, const Shape& structure, void* target,
                      const Presence& present, const Path& path);
// Walks the finished input for everything but absent members.
void find_broken(const Shape& shape, const void* value, const Path& path, Violations& violations);

// A scalar from its text in a header, URI, query or XML; throws where it does not read.
void decode_scalar_text(DecodeContext& context, const Member& member, std::string_view text,
                        TimeFormat default_time, void* target);
std::string encode_scalar_text(const Member& member, const void* value, TimeFormat default_time);
std::string encode_time(Timestamp time, TimeFormat format);
Timestamp decode_time(const DecodeContext& context, std::string_view text, TimeFormat format);

// -- the wire formats
// JSON of the whole structure or of its members in the body (`wire` names).
void read_json(DecodeContext& context, const Shape& shape, const Json& value, void* target,
               const Path& path);
void write_json(const Shape& shape, const void* value, std::string& out);
// Only the members that belong to the body.
void write_json_body(const Shape& structure, const void* value, std::string& out);
// The same for reading: marks what it found, and leaves finishing the structure to the caller.
void read_json_body(DecodeContext& context, const Shape& structure, const Json& value, void* target,
                    Presence& present);
void append_json_text(std::string_view text, std::string& out);

void read_query(DecodeContext& context, Protocol protocol, const Shape& shape,
                std::string_view form, void* input);

void read_xml(DecodeContext& context, const Member& member, std::string_view document, void* target,
              const Path& path);  // a payload
void read_xml_body(DecodeContext& context, const Shape& structure, std::string_view document,
                   void* target, Presence& present);
void write_xml_members(Protocol protocol, const Shape& structure, const void* value,
                       std::string& out);
// Attributes belong to the element around the members.
void write_xml_attributes(const Shape& structure, const void* value, std::string& out);
void append_xml_text(std::string_view text, std::string& out);
void write_xml_json(std::string_view name, const Json& value, std::string& out);

void read_cbor(DecodeContext& context, const Shape& structure, std::string_view bytes,
               void* target);
std::string write_cbor(const Shape& structure, const void* value);
std::string write_cbor_json(const Json& value);

void decode_rest(DecodeContext& context, Protocol protocol, const Operation& operation,
                 const HttpRequest& request, std::string_view body, void* input);
HttpResponse encode_rest(Protocol protocol, const Operation& operation, const void* output);

}  // namespace tarn::aws
