// SPDX-License-Identifier: Apache-2.0
#include "base/stream.hpp"

#include <stdexcept>
#include <utility>

namespace tarn {
namespace {

class StringSource : public ByteSource {
 public:
  explicit StringSource(std::string bytes) : bytes_(std::move(bytes)) {}
  Task<std::string> read(std::size_t max) override {
    if (at_ == 0 && bytes_.size() <= max) co_return std::exchange(bytes_, {});
    std::string piece = bytes_.substr(at_, max);
    at_ += piece.size();
    if (at_ == bytes_.size()) {
      bytes_.clear();
      at_ = 0;
    }
    co_return piece;
  }
  std::optional<std::uint64_t> size() const override { return bytes_.size() - at_; }

 private:
  std::string bytes_;
  std::size_t at_ = 0;  // read so far
};

}  // namespace

Task<std::string> read_all(ByteSourcePtr source, std::size_t max) {
  std::string all;
  while (true) {
    std::string piece = co_await source->read();
    if (piece.empty()) co_return all;
    if (all.size() + piece.size() > max) throw std::length_error("body too large");
    if (all.empty()) {
      all = std::move(piece);
    } else {
      all += piece;
    }
  }
}

ByteSourcePtr source_of(std::string bytes) {
  return std::make_shared<StringSource>(std::move(bytes));
}

}  // namespace tarn
