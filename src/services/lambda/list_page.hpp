// SPDX-License-Identifier: Apache-2.0
// Pages of lists that are read whole, because they are short: what follows Marker, at most
// MaxItems, and NextMarker where more is left.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "base/strings.hpp"

namespace tarn::lambda {

// `items` ascend by `key_of(item)`, a text. NextMarker goes into `out`.
template <class Item, class In, class Out, class KeyOf>
std::vector<Item> page_of(std::vector<Item> items, const In& in, Out& out, KeyOf key_of) {
  constexpr std::int32_t k_page_max = 50;
  if (in.marker) {
    const std::string marker = from_base64(*in.marker).value_or("");
    std::erase_if(items, [&](const Item& item) { return key_of(item) <= marker; });
  }
  const auto limit =
      static_cast<std::size_t>(std::min(in.max_items.value_or(k_page_max), k_page_max));
  if (items.size() > limit) {
    items.resize(limit);
    out.next_marker = to_base64(key_of(items.back()));
  }
  return items;
}

}  // namespace tarn::lambda
