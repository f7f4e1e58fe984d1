// SPDX-License-Identifier: Apache-2.0
// Any payload may come as a message: the reader takes it or throws ProtocolError.
#include <cstddef>
#include <cstdint>

#include "pgwire/messages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tarn::pgwire::MessageReader reader({reinterpret_cast<const char*>(data), size});
  try {
    while (!reader.done()) {
      switch (reader.byte() % 4) {
        case 0: reader.int16(); break;
        case 1: reader.int32(); break;
        case 2: reader.text(); break;
        default: reader.bytes(reader.byte());
      }
    }
  } catch (const tarn::pgwire::ProtocolError&) {}
  return 0;
}
