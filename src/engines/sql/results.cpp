// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/results.hpp"

namespace tarn::sql {

ResultImpl::ResultImpl(std::shared_ptr<SessionImpl> session, Answer answer)
    : session_(std::move(session)),
      answer_(std::move(answer)) {
  for (const auto& column : answer_.columns) types_.push_back(column.type);
  if (answer_.rows) answer_.count = 0;
}

std::string ResultImpl::command_tag() const {
  if (answer_.columns.empty() || answer_.tag != "SELECT") return answer_.tag;
  return answer_.tag + " " + std::to_string(answer_.count);
}

RowBatchPtr ResultImpl::fetch() {
  duckdb::unique_ptr<duckdb::DataChunk> chunk;
  if (!kept_.empty()) {
    chunk = std::move(kept_.front());
    kept_.pop_front();
  } else if (answer_.rows) {
    try {
      duckdb::ErrorData error;
      if (!answer_.rows->TryFetch(chunk, error)) {
        answer_.rows.reset();
        session_->fail();
        throw translate(error, nullptr);
      }
    } catch (const duckdb::Exception&) {
      answer_.rows.reset();
      session_->fail();
      rethrow_translated(nullptr);
    }
    if (!chunk || chunk->size() == 0) answer_.rows.reset();
  }
  if (!chunk || chunk->size() == 0) return nullptr;
  answer_.count += static_cast<std::int64_t>(chunk->size());
  return make_batch(std::move(chunk), types_);
}

Task<RowBatchPtr> ResultImpl::next() {
  if (kept_.empty() && !answer_.rows) co_return nullptr;
  auto self = shared_from_this();
  Executor& pool = session_->cluster_.pool;
  RowBatchPtr batch = co_await run_on(pool, [self] { return self->fetch(); });
  co_return batch;
}

void ResultImpl::detach() {
  while (answer_.rows) {
    duckdb::unique_ptr<duckdb::DataChunk> chunk;
    duckdb::ErrorData error;
    if (!answer_.rows->TryFetch(chunk, error)) {
      answer_.rows.reset();
      throw translate(error, nullptr);
    }
    if (!chunk || chunk->size() == 0) {
      answer_.rows.reset();
    } else {
      kept_.push_back(std::move(chunk));
    }
  }
}

}  // namespace tarn::sql
