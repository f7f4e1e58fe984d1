// SPDX-License-Identifier: Apache-2.0
#include "kernel/store.hpp"

#include <algorithm>
#include <fstream>
#include <random>
#include <thread>

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/store_impl.hpp"
#include "kernel/sync_path.hpp"

namespace tarn::kernel {
namespace {

constexpr int k_format = 2;  // 1 kept bodies in RocksDB and had its log
constexpr std::array<const char*, 4> k_family_names = {"records", "bodies", "queues", "events"};
constexpr std::int64_t k_lock_timeout_ms = 2000;
constexpr std::size_t k_free_txns_max = 128;
constexpr std::uint64_t k_replay_at_start_max = 8 << 20;  // after a clean end

// The format is a decimal number at the front of a file that people may read. 0: none is there.
std::int64_t read_format(const std::filesystem::path& directory) {
  const auto path = directory / "FORMAT";
  std::ifstream in(path);
  std::string first;
  if (!(in >> first)) return 0;
  const auto format = parse_int(first);
  if (!format || *format < 1) {
    throw StorageFailure(fmt::format("{} does not begin with a format number", path.string()));
  }
  if (*format > k_format) {
    throw StoreTooNew(fmt::format(
        "{} has store format {}, this tarn reads up to {}: use the newer tarn that wrote it",
        directory.string(), *format, k_format));
  }
  return *format;
}

void write_format(const std::filesystem::path& directory) {
  const auto temporary = directory / "FORMAT.new";
  {
    std::ofstream out(temporary, std::ios::trunc);
    out << k_format << " tarn store: docs/formats/store.md\n";
    if (!out.flush()) throw StorageFailure(fmt::format("cannot write {}", temporary.string()));
  }
  sync_path(temporary);
  std::filesystem::rename(temporary, directory / "FORMAT");
  sync_path(directory);
}

rocksdb::ColumnFamilyOptions family_options(Family family,
                                            const rocksdb::BlockBasedTableOptions& table) {
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;
  options.write_buffer_size = 16 << 20;
  options.arena_block_size = 256 << 10;  // an idle memtable stays small
  options.max_write_buffer_number = 3;
  // TransactionDB keeps flushed memtables to validate snapshots; we validate none, so keep none
  // (0 would mean RocksDB's default, the size of all write buffers).
  options.max_write_buffer_size_to_maintain = 1;
  options.level_compaction_dynamic_level_bytes = true;
  switch (family) {
    case Family::records: break;
    case Family::bodies:
      // Large values are addresses into the log. Stores of format 1 still have them in blob files.
      options.enable_blob_files = true;
      options.min_blob_size = 1024;
      options.blob_file_size = 64 << 20;
      options.blob_compression_type = rocksdb::kLZ4Compression;
      options.enable_blob_garbage_collection = true;
      options.blob_garbage_collection_age_cutoff = 0.25;
      break;
    case Family::queues:
      // Most rows live so briefly that they die in the memtable; runs of tombstones that do reach
      // a file get it compacted.
      options.write_buffer_size = 32 << 20;
      options.table_properties_collector_factories.push_back(
          rocksdb::NewCompactOnDeletionCollectorFactory(1024, 512, 0.5));
      break;
    case Family::events: options.compression = rocksdb::kZSTD; break;
  }
  return options;
}

rocksdb::DBOptions database_options(const StoreOptions& store, rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = store.create;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.max_file_opening_threads = 1;
  options.db_write_buffer_size = 64 << 20;
  options.bytes_per_sync = 1 << 20;
  // The log is ours. All families are flushed as of one moment, so that where the log has to be
  // replayed from is one place, and nobody else writes.
  options.atomic_flush = true;
  options.avoid_flush_during_shutdown = true;
  options.allow_concurrent_memtable_write = false;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.skip_checking_sst_file_sizes_on_db_open = true;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.max_manifest_file_size = 4 << 20;
  // A removal that was repeated after an ambiguous failure is no reason to stop.
  options.enforce_single_del_contracts = false;
  return options;
}

}  // namespace

void sync_path(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool ok = file >= 0 && ::fsync(file) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!ok) throw StorageFailure(fmt::format("cannot sync {}: {}", path.string(), strerror(error)));
}

void check_status(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok() || status.IsNotFound()) return;
  if (status.IsBusy() || status.IsTimedOut() || status.IsAborted() || status.IsTryAgain() ||
      status.IsExpired()) {
    throw Conflict(fmt::format("{}: {}", doing, status.ToString()));
  }
  throw StorageFailure(fmt::format("{}: {}", doing, status.ToString()));
}

DirectoryLock::DirectoryLock(const std::filesystem::path& directory) {
  const auto path = directory / "LOCK";
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) {
    throw StorageFailure(fmt::format("cannot open {}: {}", path.string(), strerror(errno)));
  }
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = {};
    const auto got = ::pread(file_, pid, sizeof pid - 1, 0);
    ::close(file_);
    const std::string holder(trim(std::string_view(pid, got > 0 ? static_cast<size_t>(got) : 0)));
    throw StoreLocked(
        fmt::format("{} is in use by another process{}: stop it, or choose another data directory",
                    directory.string(), holder.empty() ? "" : " (pid " + holder + ")"));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file_, 0) != 0 ||
      ::pwrite(file_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    log::warning("store", "cannot note the pid in {}: {}", path.string(), strerror(errno));
  }
}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

DirectoryLock::~DirectoryLock() {
  if (file_ >= 0) ::close(file_);
}

std::string_view rows_of(const rocksdb::WriteBatch& batch) {
  return std::string_view(batch.Data()).substr(k_batch_head);
}

std::string row_prefix(const RecordKind& kind, const Scope& scope) {
  return Key(kind.service, kind.kind, scope.account, scope.region).bytes();
}

std::string row_key(const RecordKind& kind, const Scope& scope, const Key& key) {
  return row_prefix(kind, scope) + key.bytes();
}

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

Store::Impl::Impl(StoreOptions store_options, Clock& clock, Random& random)
    : options(std::move(store_options)),
      clock(clock),
      random(random) {
  txn_options.deadlock_detect = true;
  txn_options.lock_timeout = k_lock_timeout_ms;
  log_mark_row = row_key(LogMark::k_kind, {}, LogMark{}.key());
  open();
  open_log();
  keeper = std::make_unique<LogKeeper>(*this);
  open_outbox();
}

void Store::Impl::open() {
  rocksdb::Env* env = rocksdb::Env::Default();
  auto path = options.directory;
  std::int64_t format = k_format;
  if (options.in_memory) {
    memory_env.reset(rocksdb::NewMemEnv(env));
    env = memory_env.get();
    path = "/memory";
  } else {
    std::error_code error;
    if (options.create) std::filesystem::create_directories(path, error);
    if (!std::filesystem::is_directory(path)) {
      throw StorageFailure(
          fmt::format("{} is no directory{}", path.string(), error ? ": " + error.message() : ""));
    }
    lock = DirectoryLock(path);
    format = read_format(path);
  }
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  table.block_size = 8 << 10;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName,
                           family_options(Family::records, table));
  for (std::size_t i = 0; i < k_family_names.size(); ++i) {
    descriptors.emplace_back(k_family_names[i], family_options(static_cast<Family>(i), table));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::TransactionDB* opened = nullptr;
  rocksdb::TransactionDBOptions txn_db_options;
  txn_db_options.num_stripes = 64;
  txn_db_options.transaction_lock_timeout = k_lock_timeout_ms;
  const auto status =
      rocksdb::TransactionDB::Open(database_options(options, env), txn_db_options,
                                   (path / "db").string(), descriptors, &handles, &opened);
  if (!status.ok()) {
    throw StorageFailure(fmt::format("cannot open {}: {}", path.string(), status.ToString()));
  }
  db.reset(opened);
  db->DestroyColumnFamilyHandle(handles[0]);  // RocksDB insists on a default family; unused
  std::copy(handles.begin() + 1, handles.end(), families.begin());
  if (format == k_format) return;
  // What RocksDB's own log had is in its files before the first row goes only to ours.
  check_status(flush(), "flushing");
  write_format(path);
}

void Store::Impl::open_log() {
  std::string value;
  const auto status = db->Get({}, family(Family::records), log_mark_row, &value);
  check_status(status, "reading the log's mark");
  const LogPosition from = status.ok() ? decode_record<LogMark>(value).end : LogPosition{};
  CommitLog::Options log_options;
  if (!options.in_memory) log_options.directory = options.directory / "log";
  log_options.sync = options.sync;
  log_options.segment_bytes = options.segment_bytes;
  log_options.fault = [this](std::string_view name) { fault(name); };
  commit_log =
      std::make_unique<CommitLog>(std::move(log_options), from,
                                  [this](std::string_view rows, std::uint32_t count,
                                         const LogPosition& end) { apply(rows, count, end); });
}

void Store::Impl::apply(std::string_view rows, std::uint32_t count, const LogPosition& end) {
  // The bytes of a batch of RocksDB: a sequence number that it sets itself, the count, the rows.
  std::string bytes(k_batch_head, '\0');
  bytes.reserve(bytes.size() + rows.size());
  for (int i = 0; i < 4; ++i) bytes[8 + i] = static_cast<char>(count >> (8 * i));
  bytes += rows;
  rocksdb::WriteBatch batch(std::move(bytes));
  batch.Put(family(Family::records), log_mark_row, encode_record(LogMark{end}));
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  rocksdb::TransactionDBWriteOptimizations raw;
  raw.skip_concurrency_control = true;
  raw.skip_duplicate_key_check = true;
  check_status(db->Write(unlogged, raw, &batch), "writing");
  if (end.segment != std::exchange(applied_segment, end.segment) && keeper) keeper->wake();
}

void Store::Impl::open_outbox() {
  const std::string key = row_key(SequenceMark::k_kind, {}, SequenceMark{}.key());
  std::string value;
  const auto status = db->Get({}, family(Family::records), key, &value);
  check_status(status, "reading the sequence mark");
  const auto mark = status.ok() ? decode_record<SequenceMark>(value) : SequenceMark{};
  // Unsynced is enough: the log keeps order, so an event cannot outlive its reservation.
  outbox.open(mark.reserved, [this, key](std::uint64_t limit) {
    rocksdb::WriteBatch batch;
    batch.Put(family(Family::records), key, encode_record(SequenceMark{limit}));
    write_unlocked(batch);
  });
}

Store::Impl::~Impl() {
  if (keeper) keeper->stop();
  free_txns.clear();
  if (!db) return;
  if (commit_log && !options.in_memory) {
    // What was written without a sync of its own; then the next start has little to replay.
    try {
      commit_log->sync();
    } catch (const StorageFailure& failure) {
      log::warning("store", "at the end: {}", failure.what());
    }
    if (commit_log->bytes_behind(flushed()) > k_replay_at_start_max) flush().PermitUncheckedError();
  }
  commit_log.reset();
  for (auto* handle : families) {
    if (handle) db->DestroyColumnFamilyHandle(handle);
  }
  db->Close().PermitUncheckedError();
}

std::unique_ptr<rocksdb::Transaction> Store::Impl::begin() {
  std::unique_ptr<rocksdb::Transaction> old;
  {
    std::lock_guard guard(free_mutex);
    if (!free_txns.empty()) {
      old = std::move(free_txns.back());
      free_txns.pop_back();
    }
  }
  // An old transaction is initialised anew and returned.
  return std::unique_ptr<rocksdb::Transaction>(
      db->BeginTransaction({}, txn_options, old.release()));
}

void Store::Impl::recycle(std::unique_ptr<rocksdb::Transaction> txn) {
  std::lock_guard guard(free_mutex);
  if (free_txns.size() < k_free_txns_max) free_txns.push_back(std::move(txn));
}

void Store::Impl::write_unlocked(rocksdb::WriteBatch& batch) {
  write({rows_of(batch), static_cast<std::uint32_t>(batch.Count()), {}, false});
}

void Store::Impl::write(const LoggedCommit& commit) {
  require_writable();
  try {
    commit_log->append(commit);
  } catch (const StorageFailure& failure) {
    // Not if this commit alone was refused, or another thread has put it right meanwhile.
    if (commit_log->is_broken()) note_failed_write(failure.what());
    throw;
  }
}

LogPosition Store::Impl::flushed() {
  rocksdb::ReadOptions persisted;
  persisted.read_tier = rocksdb::kPersistedTier;
  std::string value;
  const auto status = db->Get(persisted, family(Family::records), log_mark_row, &value);
  check_status(status, "reading the log's mark");
  return status.ok() ? decode_record<LogMark>(value).end : LogPosition{};
}

rocksdb::Status Store::Impl::flush() { return db->Flush({}, {families.begin(), families.end()}); }

void Store::Impl::note_failed_write(std::string_view why) {
  std::lock_guard guard(resume_mutex);
  failure = why;
  if (!writes_off.exchange(true)) log::error("store", "writes are off: {}", failure);
}

void Store::Impl::require_writable() {
  if (!writes_off.load(std::memory_order_acquire)) return;
  // Whoever comes while another resumes, which may flush for seconds, does not wait for it.
  const std::unique_lock guard(resume_mutex, std::try_to_lock);
  if (!guard) throw StorageFailure("writes are off, and about to be on again: try again");
  if (!writes_off.load(std::memory_order_acquire)) return;
  const auto now = std::chrono::steady_clock::now();
  if (now >= resume_not_before) {
    resume_not_before = now + std::chrono::seconds(1);
    // The wrapper for transactions does not pass Resume on. Busy: RocksDB waits for room itself.
    const auto status = db->GetBaseDB()->Resume();
    if (status.ok() && commit_log->recover()) {
      log::info("store", "writes are on again");
      writes_off.store(false, std::memory_order_release);
      return;
    }
  }
  throw StorageFailure(fmt::format("writes are off: {}", failure));
}

void Store::Impl::run_fault(std::string_view name) {
  std::shared_ptr<const FaultPoint> fault;
  {
    std::lock_guard guard(fault_mutex);
    fault = fault_point;
  }
  if (fault) (*fault)(name);
}

Store::Store(StoreOptions options, Clock& clock, Random& random)
    : impl_(std::make_unique<Impl>(std::move(options), clock, random)) {}
Store::~Store() = default;

void Store::back_off(int attempt) {
  thread_local std::minstd_rand jitter(std::random_device{}());
  const int most_us = 500 << std::min(attempt, 6);
  std::this_thread::sleep_for(Microseconds(std::uniform_int_distribution<int>(0, most_us)(jitter)));
}

void Store::scan_all(const RecordKind& kind,
                     const std::function<bool(const Scope&, const std::string& key,
                                              std::string_view value)>& visit) {
  const std::string prefix = Key(kind.service, kind.kind).bytes();
  const std::string end = prefix_end(prefix);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions read;
  read.iterate_upper_bound = &end_slice;
  read.fill_cache = false;
  const auto pinned = impl_->commit_log->pin();
  std::unique_ptr<rocksdb::Iterator> rows(impl_->db->NewIterator(read, impl_->family(kind.family)));
  for (rows->Seek(prefix); rows->Valid(); rows->Next()) {
    KeyReader reader(rows->key().ToStringView().substr(prefix.size()));
    Scope scope;
    scope.account = reader.text();
    scope.region = reader.text();
    std::string_view value = rows->value().ToStringView();
    std::optional<std::string> body;
    if (const auto address = BodyAddress::read(value)) {
      body = impl_->commit_log->read(*address, pinned.get());
      if (!body) impl_->commit_log->throw_missing(address->segment);
      value = *body;
    }
    if (!visit(scope, std::string(reader.rest()), value)) return;
  }
  check_status(rows->status(), "scanning");
}

void Store::flush() {
  impl_->fault("flush.begin");
  check_status(impl_->flush(), "flushing");
  impl_->fault("flush.end");
}

void Store::collect() {
  flush();
  impl_->keeper->collect();
}

void Store::set_fault_point(FaultPoint fault) {
  std::lock_guard guard(impl_->fault_mutex);
  const bool set = static_cast<bool>(fault);
  impl_->fault_point = set ? std::make_shared<const FaultPoint>(std::move(fault)) : nullptr;
  impl_->has_fault.store(set, std::memory_order_release);
}

Clock& Store::clock() { return impl_->clock; }
Random& Store::random() { return impl_->random; }

}  // namespace tarn::kernel
