// SPDX-License-Identifier: Apache-2.0
#include "aws/event_stream.hpp"

#include <array>

#include "base/json.hpp"

namespace tarn::aws {

namespace {

void append_big_endian(std::string& out, std::uint32_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xFF);
  }
}

// The CRC-32 of zlib and Ethernet.
std::uint32_t crc32(std::string_view bytes) {
  static constexpr auto k_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value & 1 ? 0xEDB88320u ^ value >> 1 : value >> 1;
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) {
    crc = k_table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ crc >> 8;
  }
  return ~crc;
}

class Prepended : public ByteSource {
 public:
  Prepended(std::string first, ByteSourcePtr rest)
      : first_(std::move(first)),
        rest_(std::move(rest)) {}
  Task<std::string> read(std::size_t max) override {
    if (!first_.empty()) {
      std::string piece = first_.substr(0, max);
      first_.erase(0, piece.size());
      co_return piece;
    }
    co_return co_await rest_->read(max);
  }
  std::optional<std::uint64_t> size() const override {
    const auto rest = rest_->size();
    return rest ? std::optional(*rest + first_.size()) : std::nullopt;
  }

 private:
  std::string first_;
  ByteSourcePtr rest_;
};

}  // namespace

std::string encode_event_frame(const EventHeaders& headers, std::string_view payload) {
  static constexpr char k_string_type = 7;
  std::string fields;
  for (const auto& [name, value] : headers) {
    fields += static_cast<char>(name.size());
    fields += name;
    fields += k_string_type;
    append_big_endian(fields, static_cast<std::uint32_t>(value.size()), 2);
    fields += value;
  }
  std::string frame;
  append_big_endian(frame, static_cast<std::uint32_t>(fields.size() + payload.size() + 16), 4);
  append_big_endian(frame, static_cast<std::uint32_t>(fields.size()), 4);
  append_big_endian(frame, crc32(frame), 4);
  frame += fields;
  frame += payload;
  append_big_endian(frame, crc32(frame), 4);
  return frame;
}

std::string encode_event(std::string_view type, std::string_view content_type,
                         std::string_view payload) {
  EventHeaders headers{{":message-type", "event"}, {":event-type", std::string(type)}};
  if (!content_type.empty()) headers.emplace_back(":content-type", content_type);
  return encode_event_frame(headers, payload);
}

std::string encode_event_exception(std::string_view type, std::string_view message) {
  return encode_event_frame({{":message-type", "exception"},
                             {":exception-type", std::string(type)},
                             {":content-type", "application/json"}},
                            dump_json(JsonObject{{"message", message}}));
}

ByteSourcePtr prepend(std::string first, ByteSourcePtr rest) {
  return std::make_shared<Prepended>(std::move(first), std::move(rest));
}

}  // namespace tarn::aws
