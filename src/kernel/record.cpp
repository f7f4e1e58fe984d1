// SPDX-License-Identifier: Apache-2.0
#include "kernel/record.hpp"

#include <fmt/format.h>

#include "kernel/store.hpp"

namespace tarn::kernel {
namespace {

constexpr char k_escape = '\x00';
constexpr char k_zero = '\xff';  // behind the escape: a zero byte of the text
constexpr char k_end = '\x01';   // behind the escape: the end of the part

void append_escaped(std::string& out, std::string_view text) {
  while (true) {
    const auto zero = text.find('\0');
    out.append(text.substr(0, zero));
    if (zero == std::string_view::npos) return;
    out.push_back(k_escape);
    out.push_back(k_zero);
    text.remove_prefix(zero + 1);
  }
}

}  // namespace

void Key::add(std::string_view text) {
  append_escaped(bytes_, text);
  bytes_.push_back(k_escape);
  bytes_.push_back(k_end);
}

void Key::add(Timestamp time) { add(to_micros(time)); }

void Key::add_open_prefix(std::string_view text) { append_escaped(bytes_, text); }

void Key::add_number(std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes_.push_back(static_cast<char>(number >> shift & 0xff));
  }
}

std::string KeyReader::text() {
  std::string out;
  while (true) {
    const auto escape = rest_.find(k_escape);
    if (escape == std::string_view::npos || escape + 1 >= rest_.size()) {
      throw CorruptRecord("a key ends within a text part");
    }
    out.append(rest_.substr(0, escape));
    const char next = rest_[escape + 1];
    rest_.remove_prefix(escape + 2);
    if (next == k_end) return out;
    if (next != k_zero) throw CorruptRecord("a key has an unknown escape");
    out.push_back('\0');
  }
}

std::uint64_t KeyReader::number() {
  if (rest_.size() < 8) throw CorruptRecord("a key ends within a number");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(rest_[i]);
  rest_.remove_prefix(8);
  return value;
}

void RecordWriter::varint(std::uint64_t value) {
  while (value >= 0x80) {
    out_.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<char>(value));
}

void RecordWriter::write(const std::string& text) {
  varint(text.size());
  out_ += text;
}

void RecordWriter::write(const Json& value) { write(dump_json(value)); }

void RecordWriter::write(double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  for (int shift = 0; shift < 64; shift += 8) {
    out_.push_back(static_cast<char>(bits >> shift & 0xff));
  }
}

RecordReader::RecordReader(std::string_view bytes, const RecordKind& kind)
    : kind_name_(fmt::format("{}/{}", kind.service, kind.kind)) {
  if (bytes.empty()) throw CorruptRecord(fmt::format("a {} record is empty", kind_name_));
  version_ = static_cast<std::uint8_t>(bytes.front());
  rest_ = bytes.substr(1);
  if (version_ == 0) {
    throw CorruptRecord(fmt::format("a {} record has version 0", kind_name_));
  }
  if (version_ > kind.version) {
    throw StoreTooNew(fmt::format(
        "a {} record has version {}, this tarn reads up to {}: use the newer tarn that wrote it",
        kind_name_, version_, kind.version));
  }
}

void RecordReader::finish() const {
  if (!rest_.empty()) {
    throw CorruptRecord(fmt::format("a {} record has {} bytes too many", kind_name_, rest_.size()));
  }
}

std::uint64_t RecordReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) break;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw CorruptRecord(fmt::format("a {} record ends within a number", kind_name_));
}

std::size_t RecordReader::count() {
  const std::uint64_t items = varint();
  // Every item takes at least a byte, so a corrupt count cannot exhaust memory.
  if (items > rest_.size()) {
    throw CorruptRecord(fmt::format("a {} record ends within a list", kind_name_));
  }
  return items;
}

void RecordReader::read(std::string& text) {
  const std::size_t length = count();
  text.assign(rest_.substr(0, length));
  rest_.remove_prefix(length);
}

void RecordReader::read(Json& value) {
  std::string text;
  read(text);
  try {
    value = parse_json(text);
  } catch (const JsonError& error) {
    throw CorruptRecord(fmt::format("a {} record holds bad JSON: {}", kind_name_, error.what()));
  }
}

void RecordReader::read(double& value) {
  if (rest_.size() < 8) {
    throw CorruptRecord(fmt::format("a {} record ends within a number", kind_name_));
  }
  std::uint64_t bits = 0;
  for (std::size_t i = 8; i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(rest_[i]);
  rest_.remove_prefix(8);
  std::memcpy(&value, &bits, sizeof value);
}

void RecordReader::read(bool& value) {
  if (rest_.empty()) {
    throw CorruptRecord(fmt::format("a {} record ends within a flag", kind_name_));
  }
  value = rest_.front() != 0;
  rest_.remove_prefix(1);
}

}  // namespace tarn::kernel
