// SPDX-License-Identifier: Apache-2.0
// From Redshift's spelling of a query to one that DuckDB's grammar reads, where the two grammars
// differ in form only: TOP n, MINUS, LISTAGG … WITHIN GROUP, CONVERT(t, x), DELETE without FROM,
// OPERATOR(pg_catalog.~). Identifiers are folded to lower case. Meaning is not touched here: that
// happens on the parsed tree (lower.cpp). The result maps its positions back to the user's text.
#pragma once
#include <string>
#include <vector>

#include "engines/sql/syntax.hpp"

namespace tarn::sql {

struct QueryText {
  std::string text;
  // Position in the original statement, from 1, of a byte offset in `text`.
  std::size_t original_position(std::size_t offset) const;

  struct Piece {
    std::size_t offset, original;
  };
  std::vector<Piece> pieces;
};

QueryText write_query(std::string_view sql, const std::vector<Token>& tokens, TokenRange range);

}  // namespace tarn::sql
