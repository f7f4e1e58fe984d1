// SPDX-License-Identifier: Apache-2.0
// Every operation of every AWS service, generated from the models: what the router needs to name
// what was asked for, also where Tarn does not implement it. Constant, without pointers.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace tarn::aws {

// A piece of the catalogue's text.
struct PoolText {
  std::uint32_t offset = 0, length = 0;
  std::string_view view() const;
};

struct CatalogueService {
  PoolText id;      // "redshift-data"
  PoolText folder;  // "redshift_data"
  PoolText full_name;
  PoolText signing_name;
  PoolText endpoint_prefix;
  PoolText target_prefix;
  PoolText api_version;
  PoolText json_version;
  PoolText xml_namespace;
  PoolText operations;          // one a line, see codegen/tarn_codegen/catalogue.py
  std::uint32_t protocols = 0;  // four bits each, the preferred one lowest: 1 + Protocol
};

std::span<const CatalogueService> catalogue();

}  // namespace tarn::aws
