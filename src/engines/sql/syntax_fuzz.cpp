// SPDX-License-Identifier: Apache-2.0
// Any bytes may come as SQL: the lexer, the statement parser and the query writer either take them
// or throw SqlError.
#include <cstddef>
#include <cstdint>

#include "engines/sql/query_text.hpp"
#include "engines/sql/syntax.hpp"
#include "engines/sql/warehouse.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string sql(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokens = tarn::sql::tokenize(sql);
    tarn::sql::split_statements(sql);
    std::vector<std::string> names;
    tarn::sql::number_parameters(sql, names);
    tarn::sql::TokenCursor cursor(tokens, sql);
    const auto syntax = tarn::sql::parse_statement(cursor);
    if (const auto* query = std::get_if<tarn::sql::Query>(&syntax)) {
      tarn::sql::write_query(sql, tokens, query->text);
    }
  } catch (const tarn::sql::SqlError&) {}
  return 0;
}
