// arguments.h: JavaScript values to C++ ones. A wrong type is a TypeError, a number outside its range a
// RangeError; both name the argument, what was expected, and leave no state behind.
#pragma once

#include "session.h"

#include <cstdint>
#include <napi.h>
#include <string>
#include <vector>

namespace nodeland {

// Argument is one value and the name it goes by in errors: "openSession: options.arenaBytes".
struct Argument {
  std::string name;
  Napi::Value value;

  [[nodiscard]] bool Given() const;
  // Number is an integer within [min, max], both at most 2^53 in size.
  [[nodiscard]] std::int64_t Number(std::int64_t min, std::int64_t max) const;
  // Bits takes a number or a BigInt that fits 64 bits, for values that go to the kernel as they are.
  [[nodiscard]] std::uint64_t Bits() const;
  [[nodiscard]] bool Boolean() const;
  [[nodiscard]] std::string Text() const;
  [[nodiscard]] Napi::Uint8Array Bytes() const;
  [[nodiscard]] Napi::Object Fields() const;
  [[nodiscard]] std::vector<Argument> Items() const;
  [[nodiscard]] Argument Field(const char *field) const;

private:
  [[noreturn]] void Reject(const std::string &expected) const;
};

// ArgumentAt names the i-th argument of a call `function(..., name, ...)`.
[[nodiscard]] Argument ArgumentAt(const Napi::CallbackInfo &info, std::size_t i, const char *name);

[[nodiscard]] SessionOptions ReadSessionOptions(const Argument &options);
[[nodiscard]] std::vector<int> ReadCpus(const Argument &cpus);

} // namespace nodeland
