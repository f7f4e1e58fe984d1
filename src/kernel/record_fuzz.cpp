// SPDX-License-Identifier: Apache-2.0
// Any bytes as a row and as a key: refused, or written back to a row that reads the same.
#include <string_view>

#include "kernel/record.hpp"
#include "kernel/store.hpp"

namespace {

struct Row {
  static constexpr tarn::kernel::RecordKind k_kind{"fuzz", "row", 2};
  std::string text;
  std::int64_t number = 0;
  std::optional<double> ratio;
  std::vector<std::map<std::string, std::int32_t>> maps;
  std::set<std::string> words;
  auto key() const { return tarn::kernel::Key(text, number); }
  void fields(auto& f) {
    f(text, number, ratio, maps);
    if (f.since(2)) f(words);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tarn::kernel;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const Row row = decode_record<Row>(bytes);
    const std::string written = encode_record(row);
    if (encode_record(decode_record<Row>(written)) != written) __builtin_trap();
    const Key row_key = row.key();
    KeyReader key(row_key.bytes());
    if (key.text() != row.text || key.signed_number() != row.number) __builtin_trap();
  } catch (const CorruptRecord&) {
  } catch (const StoreTooNew&) {}
  try {
    KeyReader key(bytes);
    key.text();
    key.number();
  } catch (const CorruptRecord&) {}
  return 0;
}
