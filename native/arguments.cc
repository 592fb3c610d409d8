#include "arguments.h"

#include <cmath>

namespace nodeland {
namespace {

constexpr std::int64_t kMaxUint32 = 0xffffffff;
constexpr std::int64_t kMaxArenaBytes = std::int64_t{1} << 32;

OpsOptions ReadOps(const Argument &ops) {
  OpsOptions read;
  read.map = ops.Field("map").Text();
  if (const Argument flags = ops.Field("flags"); flags.Given())
    for (const Argument &flag : flags.Items())
      read.flags.push_back(flag.Text());
  if (const Argument timeout = ops.Field("timeoutMs"); timeout.Given())
    read.timeout_ms = static_cast<std::uint32_t>(timeout.Number(0, kMaxUint32));
  if (const Argument length = ops.Field("exitDumpLen"); length.Given())
    read.exit_dump_len = static_cast<std::uint32_t>(length.Number(0, kMaxUint32));
  if (const Argument sequence = ops.Field("hotplugSeq"); sequence.Given())
    read.hotplug_seq = sequence.Bits();
  return read;
}

} // namespace

bool Argument::Given() const { return !value.IsUndefined(); }

void Argument::Reject(const std::string &expected) const {
  throw Napi::TypeError::New(value.Env(), name + " must be " + expected);
}

std::int64_t Argument::Number(std::int64_t min, std::int64_t max) const {
  if (!value.IsNumber())
    Reject("a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(std::trunc(number) == number) || number < static_cast<double>(min) ||
      number > static_cast<double>(max))
    throw Napi::RangeError::New(value.Env(), name + " must be a whole number from " + std::to_string(min) +
                                                 " to " + std::to_string(max));
  return static_cast<std::int64_t>(number);
}

std::uint64_t Argument::Bits() const {
  if (!value.IsBigInt())
    return static_cast<std::uint64_t>(Number(-(std::int64_t{1} << 53), std::int64_t{1} << 53));
  bool lossless = false;
  const std::uint64_t bits = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (lossless)
    return bits;
  const std::int64_t negative = value.As<Napi::BigInt>().Int64Value(&lossless);
  if (!lossless)
    throw Napi::RangeError::New(value.Env(), name + " must fit 64 bits");
  return static_cast<std::uint64_t>(negative);
}

bool Argument::Boolean() const {
  if (!value.IsBoolean())
    Reject("true or false");
  return value.As<Napi::Boolean>();
}

std::string Argument::Text() const {
  if (!value.IsString())
    Reject("a string");
  std::string text = value.As<Napi::String>();
  if (text.find('\0') != std::string::npos)
    Reject("a string without NUL");
  return text;
}

Napi::Uint8Array Argument::Bytes() const {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    Reject("a Uint8Array");
  return value.As<Napi::Uint8Array>();
}

Napi::Object Argument::Fields() const {
  if (!value.IsObject() || value.IsArray() || value.IsFunction())
    Reject("an object");
  return value.As<Napi::Object>();
}

std::vector<Argument> Argument::Items() const {
  if (!value.IsArray())
    Reject("an array");
  const auto array = value.As<Napi::Array>();
  std::vector<Argument> items;
  for (std::uint32_t i = 0; i < array.Length(); ++i)
    items.push_back({name + "[" + std::to_string(i) + "]", array.Get(i)});
  return items;
}

Argument Argument::Field(const char *field) const { return {name + "." + field, Fields().Get(field)}; }

Argument ArgumentAt(const Napi::CallbackInfo &info, std::size_t i, const char *name) {
  return {name, info[i]};
}

SessionOptions ReadSessionOptions(const Argument &options) {
  SessionOptions read;
  read.object_path = options.Field("objectPath").Text();
  read.arena_bytes = static_cast<std::size_t>(options.Field("arenaBytes").Number(1, kMaxArenaBytes));
  if (const Argument ops = options.Field("ops"); ops.Given())
    read.ops = ReadOps(ops);
  if (const Argument constants = options.Field("constants"); constants.Given()) {
    const Napi::Array names = constants.Fields().GetPropertyNames();
    for (std::uint32_t i = 0; i < names.Length(); ++i) {
      const std::string name = names.Get(i).ToString();
      read.constants[name] = constants.Field(name.c_str()).Bits();
    }
  }
  return read;
}

std::vector<int> ReadCpus(const Argument &cpus) {
  std::vector<int> numbers;
  for (const Argument &cpu : cpus.Items())
    numbers.push_back(static_cast<int>(cpu.Number(0, (1 << 20) - 1)));
  if (numbers.empty())
    throw Napi::RangeError::New(cpus.value.Env(), cpus.name + " must name at least one CPU");
  return numbers;
}

} // namespace nodeland
