// SPDX-License-Identifier: Apache-2.0
#include "engines/sql/warehouse.hpp"

#include <random>

#include "base/log.hpp"
#include "engines/sql/results.hpp"
#include "engines/sql/session.hpp"

namespace tarn::sql {

struct Warehouse::Impl : std::enable_shared_from_this<Warehouse::Impl> {
  Impl(WarehouseOptions given, Executor& pool, Clock& clock)
      : options(std::move(given)),
        context{options, pool, clock, locks, {}, {}, {}} {
    context.create_database = [this](const std::string& name) { create_database(name); };
    context.drop_database = [this](const std::string& name) { drop_database(name); };
    context.forget = [this](std::int32_t pid) {
      std::lock_guard lock(mutex);
      sessions.erase(pid);
    };
    std::filesystem::create_directories(options.directory);
    for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
      if (entry.path().extension() == ".duckdb") add(entry.path().stem().string());
    }
    if (!databases.contains(options.database)) add(options.database);
  }

  void add(const std::string& name) {
    databases[name] =
        std::make_shared<Database>(name, options.directory / (name + ".duckdb"), options);
  }

  static void check_name(const std::string& name) {
    bool good = !name.empty() && name.size() <= 64;
    for (const char c : name) {
      good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-');
    }
    if (!good || name == "temp" || name == "system" || name == k_system_database) {
      throw SqlError("42602", "invalid database name \"" + name + "\"");
    }
  }

  void create_database(const std::string& name) {
    check_name(name);
    std::lock_guard lock(mutex);
    if (databases.contains(name)) {
      throw SqlError(sqlstate::k_duplicate_database, "database \"" + name + "\" already exists");
    }
    add(name);
    databases[name]->open(to_micros(context.clock.now()));  // the file exists from now on
    databases[name]->touch(to_micros(context.clock.now()));
  }

  void drop_database(const std::string& name) {
    std::lock_guard lock(mutex);
    const auto found = databases.find(name);
    if (found == databases.end()) {
      throw SqlError(sqlstate::k_undefined_database, "database \"" + name + "\" does not exist");
    }
    if (name == options.database || found->second.use_count() > 1) {
      throw SqlError("55006", "database \"" + name + "\" is being accessed by other users");
    }
    found->second->close();
    std::filesystem::remove(found->second->file());
    std::filesystem::remove(found->second->file().string() + ".wal");
    databases.erase(found);
  }

  // Looks again a while after the last use; one timer at a time.
  void watch() {
    std::lock_guard lock(mutex);
    if (watching || stopped) return;
    watching = true;
    auto& clock = context.clock;
    timer = clock.call_at(clock.now() + options.close_after_idle, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self) self->context.pool.post([self] { self->close_idle(); });
    });
  }

  void close_idle() {
    bool again = false;
    {
      std::lock_guard lock(mutex);
      watching = false;
      const auto before = to_micros(context.clock.now() - options.close_after_idle);
      for (const auto& [name, database] : databases) {
        database->close_if_idle(before);
        again = again || database->is_open();
      }
    }
    if (again) watch();
  }

  WarehouseOptions options;
  TableLocks locks;
  ClusterContext context;
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Database>> databases;
  std::map<std::int32_t, std::weak_ptr<SessionImpl>> sessions;
  bool watching = false, stopped = false;
  Clock::TimerId timer = 0;
};

Warehouse::Warehouse(WarehouseOptions options, Executor& query_pool, Clock& clock)
    : impl_(std::make_shared<Impl>(std::move(options), query_pool, clock)) {}

Warehouse::~Warehouse() { stop(); }

const WarehouseOptions& Warehouse::options() const { return impl_->options; }

SessionPtr Warehouse::connect(SessionOptions options) {
  std::shared_ptr<Database> database;
  std::int32_t pid = 0, key = 0;
  std::shared_ptr<SessionImpl> session;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stopped) throw SqlError(sqlstate::k_admin_shutdown, "the warehouse is stopping");
    if (options.database.empty()) options.database = impl_->options.database;
    const auto found = impl_->databases.find(options.database);
    if (found == impl_->databases.end()) {
      throw SqlError(sqlstate::k_undefined_database,
                     "database \"" + options.database + "\" does not exist");
    }
    database = found->second;
    // Not secrets of much worth, yet not to be guessed: cancel keys.
    static thread_local std::random_device device;
    do {
      pid = static_cast<std::int32_t>(device() & 0x3fffffff) | 0x40000000;
    } while (impl_->sessions.contains(pid));
    key = static_cast<std::int32_t>(device());
    if (options.cluster_id.empty()) options.cluster_id = impl_->options.cluster_id;
    session = std::make_shared<SessionImpl>(impl_->context, database, std::move(options), pid, key,
                                            impl_);
    impl_->sessions[pid] = session;
  }
  impl_->watch();
  return session;
}

std::vector<std::string> Warehouse::databases() const {
  std::lock_guard lock(impl_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, database] : impl_->databases) names.push_back(name);
  return names;
}

void Warehouse::create_database(const std::string& name) { impl_->create_database(name); }
void Warehouse::drop_database(const std::string& name) { impl_->drop_database(name); }

bool Warehouse::cancel(std::int32_t process_id, std::int32_t cancel_key) {
  std::shared_ptr<SessionImpl> session;
  {
    std::lock_guard lock(impl_->mutex);
    const auto found = impl_->sessions.find(process_id);
    if (found == impl_->sessions.end()) return false;
    session = found->second.lock();
  }
  if (!session || session->cancel_key() != cancel_key) return false;
  session->cancel();
  return true;
}

std::size_t Warehouse::open_databases() const {
  std::lock_guard lock(impl_->mutex);
  std::size_t open = 0;
  for (const auto& [name, database] : impl_->databases) open += database->is_open() ? 1 : 0;
  return open;
}

std::size_t Warehouse::sessions() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->sessions.size();
}

void Warehouse::stop() {
  std::vector<std::shared_ptr<SessionImpl>> running;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stopped) return;
    impl_->stopped = true;
    if (impl_->watching) impl_->context.clock.cancel(impl_->timer);
    for (const auto& [pid, weak] : impl_->sessions) {
      if (auto session = weak.lock()) running.push_back(std::move(session));
    }
  }
  for (const auto& session : running) session->cancel();
  running.clear();
  std::lock_guard lock(impl_->mutex);
  for (const auto& [name, database] : impl_->databases) database->close();
}

Task<ResultPtr> Session::run(std::string text, std::vector<ParameterValue> parameters,
                             ExecuteOptions options) {
  std::vector<std::uint32_t> oids;
  StatementPtr statement = co_await prepare(std::move(text), std::move(oids));
  ResultPtr result = co_await execute(statement, std::move(parameters), std::move(options));
  co_return result;
}

}  // namespace tarn::sql
