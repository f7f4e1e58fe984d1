// SPDX-License-Identifier: Apache-2.0
#include "gateway/payload.hpp"

#include <fmt/format.h>

#include "aws/aws_chunked.hpp"
#include "aws/digest.hpp"
#include "base/strings.hpp"

namespace tarn::gateway {
namespace {

// A body whose bytes are the payload: passed through, or compared with the signed digest.
class PlainBody : public platform::RequestBody {
 public:
  PlainBody(ByteSourcePtr source, std::string wanted_hash, aws::ErrorPlace place)
      : source_(std::move(source)),
        wanted_hash_(std::move(wanted_hash)),
        place_(place) {}

  Task<std::string> read(std::size_t max) override {
    std::string piece;
    if (source_) piece = co_await source_->read(max);
    if (wanted_hash_.empty()) co_return piece;
    if (!piece.empty()) {
      hasher_.update(piece);
    } else if (!ended_) {
      ended_ = true;
      if (to_hex(hasher_.finish()) != wanted_hash_) throw aws::payload_mismatch(place_);
    }
    co_return piece;
  }
  std::optional<std::uint64_t> size() const override {
    return source_ ? source_->size() : std::optional<std::uint64_t>(0);
  }
  const aws::Headers& trailers() const override { return trailers_; }

 private:
  ByteSourcePtr source_;
  const std::string wanted_hash_;
  const aws::ErrorPlace place_;
  aws::Hasher hasher_;
  bool ended_ = false;
  const aws::Headers trailers_;
};

class ChunkedBody : public platform::RequestBody {
 public:
  ChunkedBody(ByteSourcePtr source, const aws::Verified& verified,
              std::optional<std::uint64_t> decoded_size)
      : source_(std::move(source)),
        decoder_(verified, decoded_size),
        left_(decoded_size) {}

  Task<std::string> read(std::size_t max) override {
    std::string payload;
    while (payload.empty() && !ended_) {
      const std::string piece = co_await source_->read(max);
      if (piece.empty()) {
        ended_ = true;
        decoder_.finish();
      } else {
        decoder_.push(piece, payload);
      }
    }
    if (left_) *left_ -= std::min<std::uint64_t>(*left_, payload.size());
    co_return payload;
  }
  std::optional<std::uint64_t> size() const override { return left_; }
  const aws::Headers& trailers() const override { return decoder_.trailers(); }

 private:
  ByteSourcePtr source_;
  aws::AwsChunkedDecoder decoder_;
  std::optional<std::uint64_t> left_;
  bool ended_ = false;
};

}  // namespace

std::shared_ptr<platform::RequestBody> open_payload(const aws::HttpRequest& request,
                                                    const aws::Verified& verified,
                                                    const aws::ErrorPlace& place) {
  using Kind = aws::PayloadKind;
  switch (verified.payload) {
    case Kind::signed_chunks:
    case Kind::signed_chunks_trailer:
    case Kind::unsigned_chunks_trailer: {
      std::optional<std::uint64_t> size;
      if (const auto text = request.header("x-amz-decoded-content-length")) {
        size = parse_uint(*text);
      }
      return std::make_shared<ChunkedBody>(request.body, verified, size);
    }
    case Kind::hashed:
      return std::make_shared<PlainBody>(request.body, verified.payload_hash, place);
    case Kind::unsigned_payload: break;
  }
  return std::make_shared<PlainBody>(request.body, "", place);
}

Task<std::string> read_whole(ByteSourcePtr source, std::size_t max) {
  std::string whole;
  try {
    if (source) whole = co_await read_all(source, max);
  } catch (const std::length_error&) {
    throw aws::ApiError("RequestEntityTooLarge",
                        fmt::format("The request body is larger than {} bytes", max), 413);
  }
  co_return whole;
}

}  // namespace tarn::gateway
