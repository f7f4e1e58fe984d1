// SPDX-License-Identifier: Apache-2.0
// Task<T>: a coroutine that starts when it is awaited, resumes only on its own executor, and ends
// early by an exception when its stop token fires.
//
// Why our own: a suspended request may own no thread, and cancellation must unwind (run
// destructors) instead of destroying a suspended frame. The rules that keep it safe:
//   - a context (executor, stop token) is inherited by every task that a task awaits;
//   - everything that waits does so through `OneShot<T>`, which resumes by posting to the waiter's
//     executor, never inline; when the stop token fires first, the wait throws `Cancelled`;
//   - a coroutine takes its parameters by value; no lock, transaction or borrowed view lives across
//     a co_await; no capturing lambda is a coroutine; never `co_await f({...})`: name the argument.
// `spawn` starts a task detached and reports its outcome; `sync_wait` blocks a plain thread for it
// (tests, main; never on a pool's thread). Whoever hears that a task or a function of `run_on` has
// ended may destroy what it used: everything that it held is gone by then.
#pragma once
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tarn {

// Runs posted work, each exactly once, on threads of its own. Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::function<void()> work) = 0;
};

// Thrown at the point of waiting when the task's stop token fired (client gone, shutdown).
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

struct TaskContext {
  Executor* executor = nullptr;
  std::stop_token stop;
};

// What a finished task left: a value or an exception.
template <class T>
class Outcome {
 public:
  using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  void set_value(Stored value) { state_.template emplace<1>(std::move(value)); }
  void set_error(std::exception_ptr error) { state_.template emplace<2>(std::move(error)); }
  bool ready() const { return state_.index() != 0; }
  bool failed() const { return state_.index() == 2; }
  std::exception_ptr error() const { return failed() ? std::get<2>(state_) : nullptr; }
  // The value, moved out, or the exception, thrown.
  T take() {
    if (failed()) std::rethrow_exception(std::get<2>(state_));
    if constexpr (!std::is_void_v<T>) return std::move(std::get<1>(state_));
  }

 private:
  std::variant<std::monostate, Stored, std::exception_ptr> state_;
};

namespace detail {

struct PromiseBase {
  TaskContext context;
  std::coroutine_handle<> continuation;
  std::suspend_always initial_suspend() noexcept { return {}; }
  struct Final {
    bool await_ready() noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) noexcept {
      auto next = self.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  Final final_suspend() noexcept { return {}; }
};

template <class T>
struct Promise : PromiseBase {
  Outcome<T> outcome;
  std::coroutine_handle<Promise> self() {
    return std::coroutine_handle<Promise>::from_promise(*this);
  }
  auto get_return_object() { return self(); }
  template <class U>
  void return_value(U&& value) {
    outcome.set_value(std::forward<U>(value));
  }
  void unhandled_exception() { outcome.set_error(std::current_exception()); }
};

template <>
struct Promise<void> : PromiseBase {
  Outcome<void> outcome;
  std::coroutine_handle<Promise> self() {
    return std::coroutine_handle<Promise>::from_promise(*this);
  }
  auto get_return_object() { return self(); }
  void return_void() { outcome.set_value({}); }
  void unhandled_exception() { outcome.set_error(std::current_exception()); }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task(Handle handle) : handle_(handle) {}  // NOLINT: the compiler converts from the promise
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    handle_.promise().context = parent.promise().context;
    handle_.promise().continuation = parent;
    return handle_;
  }
  T await_resume() { return handle_.promise().outcome.take(); }

 private:
  Handle handle_;
};

// A value that is set once and awaited by one task. Shared by copying; thread-safe.
// `set` after the first, or after the waiter was cancelled, does nothing and returns false.
template <class T>
class OneShot {
 public:
  OneShot() : state_(std::make_shared<State>()) {}

  bool set(typename Outcome<T>::Stored value = {}) const {
    return state_->complete([&](Outcome<T>& outcome) { outcome.set_value(std::move(value)); });
  }
  bool set_error(std::exception_ptr error) const {
    return state_->complete([&](Outcome<T>& outcome) { outcome.set_error(std::move(error)); });
  }
  bool set_outcome(Outcome<T> ended) const {
    return state_->complete([&](Outcome<T>& outcome) { outcome = std::move(ended); });
  }
  bool is_set() const {
    std::lock_guard lock(state_->mutex);
    return state_->outcome.ready();
  }

  auto operator co_await() const { return Awaiter{state_}; }
  // For plain threads only.
  T block() const {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->outcome.ready(); });
    return state_->outcome.take();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    Outcome<T> outcome;
    std::coroutine_handle<> waiter;
    Executor* executor = nullptr;
    bool armed = false;
    std::optional<std::stop_callback<std::function<void()>>> on_stop;

    template <class Fill>
    bool complete(Fill fill) {
      Executor* executor_now = nullptr;
      std::coroutine_handle<> waiter_now;
      {
        std::lock_guard lock(mutex);
        if (outcome.ready()) return false;
        fill(outcome);
        if (armed) {
          executor_now = executor;
          waiter_now = waiter;
        }
        changed.notify_all();
      }
      if (waiter_now) executor_now->post([waiter_now] { waiter_now.resume(); });
      return true;
    }
  };

  struct Awaiter {
    std::shared_ptr<State> state;
    bool await_ready() const noexcept { return false; }
    // Never inlined: clang 16 would keep the locals in the coroutine's frame, and another thread
    // may have resumed and freed that before the lock is released (LLVM issue 56301).
    template <class P>
    [[gnu::noinline]] bool await_suspend(std::coroutine_handle<P> self) {
      const auto keep = state;  // this awaiter may be gone once the waiter is armed
      const TaskContext& context = self.promise().context;
      keep->waiter = self;
      keep->executor = context.executor;
      if (context.stop.stop_possible()) {
        keep->on_stop.emplace(context.stop, [raw = keep.get()] {
          raw->complete(
              [](Outcome<T>& outcome) { outcome.set_error(std::make_exception_ptr(Cancelled())); });
        });
      }
      std::lock_guard lock(keep->mutex);
      if (keep->outcome.ready()) return false;
      keep->armed = true;
      return true;
    }
    T await_resume() {
      state->on_stop.reset();
      std::lock_guard lock(state->mutex);
      return state->outcome.take();
    }
  };

  std::shared_ptr<State> state_;
};

namespace detail {

struct Detached {
  struct promise_type : PromiseBase {
    Detached get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }  // `done` must not throw
  };
  std::coroutine_handle<promise_type> handle;
};

template <class T>
Detached run_detached(Task<T> task, std::function<void(Outcome<T>)> done) {
  Outcome<T> outcome;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await task;
      outcome.set_value({});
    } else {
      outcome.set_value(co_await task);
    }
  } catch (...) {
    outcome.set_error(std::current_exception());
  }
  { const Task<T> ended = std::move(task); }  // before anybody hears of it
  if (done) done(std::move(outcome));
}

struct ContextAwaiter {
  TaskContext context;
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> self) noexcept {
    context = self.promise().context;
    return false;
  }
  TaskContext await_resume() noexcept { return std::move(context); }
};

}  // namespace detail

// Starts `task` on `context.executor`; `done` (may be empty) runs there with what it left.
template <class T>
void spawn(TaskContext context, Task<T> task,
           std::type_identity_t<std::function<void(Outcome<T>)>> done = {}) {
  auto detached = detail::run_detached<T>(std::move(task), std::move(done));
  Executor* executor = context.executor;
  detached.handle.promise().context = std::move(context);
  executor->post([handle = detached.handle] { handle.resume(); });
}

template <class T>
T sync_wait(TaskContext context, Task<T> task) {
  OneShot<T> result;
  spawn<T>(std::move(context), std::move(task),
           [result](Outcome<T> outcome) { result.set_outcome(std::move(outcome)); });
  return result.block();
}

// The awaiting task's own context: `const TaskContext context = co_await current_context();`
inline detail::ContextAwaiter current_context() { return {}; }

// Runs a blocking function on another executor while this task is suspended.
template <class F, class R = std::invoke_result_t<F>>
Task<R> run_on(Executor& executor, F function) {
  OneShot<R> result;
  executor.post([result, function = std::optional<F>(std::move(function))]() mutable {
    Outcome<R> outcome;
    try {
      if constexpr (std::is_void_v<R>) {
        (*function)();
        outcome.set_value({});
      } else {
        outcome.set_value((*function)());
      }
    } catch (...) {
      outcome.set_error(std::current_exception());
    }
    function.reset();  // before the awaiter goes on
    result.set_outcome(std::move(outcome));
  });
  co_return co_await result;
}

// All of them at once, each on this task's executor; waits for every one, then throws the first
// failure in the order given.
template <class T>
Task<std::vector<T>> when_all(std::vector<Task<T>> tasks) {
  const TaskContext context = co_await current_context();
  std::vector<OneShot<T>> results(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    spawn<T>(context, std::move(tasks[i]),
             [result = results[i]](Outcome<T> outcome) { result.set_outcome(std::move(outcome)); });
  }
  std::vector<T> values;
  std::exception_ptr failure;
  for (auto& result : results) {
    try {
      values.push_back(co_await result);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
  co_return values;
}

}  // namespace tarn
