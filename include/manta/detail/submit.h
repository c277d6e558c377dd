// The caller's side of a call: checks the arguments against the signature at compile time, writes
// them and fills the descriptor. Without an allocation as long as the arguments are small. The
// encoding is described in invoker.h.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "manta/archive.h"
#include "manta/detail/invoker.h"
#include "manta/object_ref.h"

namespace manta {
inline namespace v1 {
namespace detail {

// ---- What is given for which parameter ----------------------------------------------------------

enum class ArgumentKind {
  kSame,        // a value of the parameter's type
  kString,      // something like a string, for a std::string: written without making one
  kConvert,     // a value that converts to it
  kDependency,  // an ObjectRef to a value that converts to it
  kMismatch,
};

// `Parameter` without const and reference, `Given` as std::forward has it.
template <class Parameter, class Given>
constexpr ArgumentKind KindOfArgument() {
  using Value = RemoveCvRef<Given>;
  using Referred = typename ReferredType<Value>::Type;
  if constexpr (std::is_same_v<Value, Parameter>) {
    return ArgumentKind::kSame;
  } else if constexpr (kIsObjectRef<Value> && !std::is_void_v<Referred> &&
                       !std::is_convertible_v<Given, Parameter>) {
    return std::is_convertible_v<Referred, Parameter> ? ArgumentKind::kDependency
                                                      : ArgumentKind::kMismatch;
  } else if constexpr (std::is_same_v<Parameter, std::string> &&
                       std::is_convertible_v<const Value&, std::string_view>) {
    return ArgumentKind::kString;
  } else if constexpr (std::is_convertible_v<Given, Parameter>) {
    return ArgumentKind::kConvert;
  } else {
    return ArgumentKind::kMismatch;
  }
}

// The type that travels and that the worker reads: the parameter's, except that a dependency holds
// what it holds and converts there.
template <class Parameter, class Given, ArgumentKind kind = KindOfArgument<Parameter, Given>()>
struct SourceType {
  using Type = Parameter;
};
template <class Parameter, class Given>
struct SourceType<Parameter, Given, ArgumentKind::kDependency> {
  using Type = typename ReferredType<RemoveCvRef<Given>>::Type;
};

template <class Parameters, class Given>
struct SourceTypes;
template <class... Parameters, class... Given>
struct SourceTypes<TypeList<Parameters...>, TypeList<Given...>> {
  using Type = TypeList<typename SourceType<RemoveCvRef<Parameters>, Given>::Type...>;
};

// ---- Compile-time checks ------------------------------------------------------------------------

template <class Parameter>
inline constexpr bool kIsMutableReference =
    std::is_lvalue_reference_v<Parameter> && !std::is_const_v<std::remove_reference_t<Parameter>>;

// The position counts from 1.
template <size_t position, class Parameter, class Given>
struct ArgumentCheck {
  using Value = RemoveCvRef<Parameter>;
  static constexpr ArgumentKind kKind = KindOfArgument<Value, Given>();
  using Source = typename SourceType<Value, Given>::Type;

  static constexpr bool Passes() {
    if constexpr (kIsMutableReference<Parameter> || kKind == ArgumentKind::kMismatch) {
      return false;
    } else {
      return kCanTravel<Source>;
    }
  }
  static constexpr void Explain() {
    static_assert(!kIsMutableReference<Parameter>,
                  "manta: a task works on a copy of its arguments, in another process, and cannot "
                  "change the caller's. Take this parameter by value or by const reference, and "
                  "return what changes.");
    if constexpr (!kIsMutableReference<Parameter>) {
      static_assert(kKind != ArgumentKind::kMismatch,
                    "manta: an argument of Remote has the wrong type: it must convert to the "
                    "function's parameter, or be an ObjectRef to a value that does. The compiler's "
                    "note on ArgumentCheck<position, Parameter, Given> says which.");
      if constexpr (kKind != ArgumentKind::kMismatch) CheckTravels<Source>();
    }
  }
};

template <class Positions, class Parameters, class Given>
struct ArgumentChecks;
template <size_t... Position, class... Parameters, class... Given>
struct ArgumentChecks<std::index_sequence<Position...>, TypeList<Parameters...>,
                      TypeList<Given...>> {
  static constexpr bool Passes() {
    return (ArgumentCheck<Position + 1, Parameters, Given>::Passes() && ...);
  }
  static constexpr void Explain() {
    (ArgumentCheck<Position + 1, Parameters, Given>::Explain(), ...);
  }
};

template <class Parameters, class Given>
constexpr bool ArgumentsPass() {
  if constexpr (Parameters::kSize != Given::kSize) {
    return false;
  } else {
    return ArgumentChecks<std::make_index_sequence<Given::kSize>, Parameters, Given>::Passes();
  }
}

// Fails to compile, with one message, if not ArgumentsPass.
template <class Parameters, class Given>
constexpr void ExplainArguments() {
  static_assert(Parameters::kSize == Given::kSize,
                "manta: Remote was given another number of arguments than the function has "
                "parameters. (Default arguments do not help: a function pointer does not know "
                "them.)");
  if constexpr (Parameters::kSize == Given::kSize) {
    ArgumentChecks<std::make_index_sequence<Given::kSize>, Parameters, Given>::Explain();
  }
}

// ---- Outgoing arguments -------------------------------------------------------------------------
//
// Each has kPlainSize (kVaries, or what Write always writes), Write(out), and, for a dependency,
// handle(). They refer to what Remote was given, which outlives them.

template <class Parameter, class Given, ArgumentKind kind = KindOfArgument<Parameter, Given>()>
class Outgoing;

template <class Parameter, class Given>
class Outgoing<Parameter, Given, ArgumentKind::kSame> {
 public:
  static constexpr bool kIsDependency = false;
  static constexpr size_t kPlainSize = Codec<Parameter>::kPlainSize;
  explicit Outgoing(const Parameter& given) : value_(given) {}
  template <class Out>
  void Write(Out& out) const {
    WriteValue(out, value_);
  }

 private:
  const Parameter& value_;
};

template <class Parameter, class Given>
class Outgoing<Parameter, Given, ArgumentKind::kConvert> {
 public:
  static constexpr bool kIsDependency = false;
  static constexpr size_t kPlainSize = Codec<Parameter>::kPlainSize;
  explicit Outgoing(std::remove_reference_t<Given>& given)
      : value_(ConvertTo(static_cast<Given&&>(given))) {}
  template <class Out>
  void Write(Out& out) const {
    WriteValue(out, value_);
  }

 private:
  static Parameter ConvertTo(Given&& given) { return static_cast<Given&&>(given); }
  const Parameter value_;
};

template <class Parameter, class Given>
class Outgoing<Parameter, Given, ArgumentKind::kString> {
 public:
  static constexpr bool kIsDependency = false;
  static constexpr size_t kPlainSize = kVaries;
  explicit Outgoing(const RemoveCvRef<Given>& given) : text_(given) {}
  template <class Out>
  void Write(Out& out) const {
    WriteCountedBits(out, text_.data(), text_.size());
  }

 private:
  std::string_view text_;
};

template <class Parameter, class Given>
class Outgoing<Parameter, Given, ArgumentKind::kDependency> {
 public:
  static constexpr bool kIsDependency = true;
  static constexpr size_t kPlainSize = sizeof(uint32_t);
  explicit Outgoing(const RemoveCvRef<Given>& given) : handle_(given.handle()) {}
  manta_ref* handle() const { return handle_; }

 private:
  manta_ref* handle_;
};

// The state of a closure.
template <class F>
class OutgoingBits {
 public:
  static constexpr bool kIsDependency = false;
  static constexpr size_t kPlainSize = sizeof(F);
  explicit OutgoingBits(const F& function) : function_(function) {}
  template <class Out>
  void Write(Out& out) const {
    out.Bytes(&function_, sizeof(F));
  }

 private:
  const F& function_;
};

// ---- Writing them -------------------------------------------------------------------------------

// Bytes of arguments that Remote keeps on the stack.
inline constexpr size_t kStackArguments = 4096;

// Bytes that go in front of the arguments as they are.
template <size_t N>
struct Prefix {
  static constexpr size_t kSize = N;
  unsigned char bytes[N == 0 ? 1 : N];
};

[[noreturn, gnu::noinline, gnu::cold]] inline void ThrowEmptyDependency() {
  throw InvalidArgumentError(
      "Remote: an argument is an empty ObjectRef (default-constructed or moved from)");
}

template <class Out>
void WriteTag(Out& out, ArgumentTag tag) {
  out.Bytes(&tag, 1);
}

// Arguments whose sizes are known at compile time: written in one go.
template <size_t kTotal, class PrefixType, class Submit, class... Args>
void SubmitPlain(manta_task_spec& spec, const PrefixType& prefix, Submit&& submit,
                 const Args&... args) {
  unsigned char buffer[kTotal == 0 ? 1 : kTotal];
  manta_ref* dependencies[sizeof...(Args) + 1];
  uint32_t num_dependencies = 0;
  RawWriter out(buffer);
  if constexpr (PrefixType::kSize != 0) out.Bytes(prefix.bytes, PrefixType::kSize);
  [[maybe_unused]] const auto write = [&](const auto& arg) {
    using Argument = std::decay_t<decltype(arg)>;
    if constexpr (Argument::kIsDependency) {
      if (arg.handle() == nullptr) ThrowEmptyDependency();
      WriteTag(out, ArgumentTag::kDependency);
      out.Bytes(&num_dependencies, sizeof(num_dependencies));
      dependencies[num_dependencies++] = arg.handle();
    } else {
      WriteTag(out, ArgumentTag::kInline);
      arg.Write(out);
    }
  };
  (write(args), ...);
  spec.args = buffer;
  spec.args_size = kTotal;
  spec.dependencies = dependencies;
  spec.num_dependencies = num_dependencies;
  spec.num_nested = 0;
  spec.nested = nullptr;
  submit(spec);
}

// An object that holds one argument that is too large for the descriptor.
template <class Argument>
RefPointer PutArgument(manta_runtime* runtime, const Argument& arg) {
  RefList nested;
  SizeArchive sizes(&nested);
  arg.Write(sizes);
  void* data = nullptr;
  manta_ref* handle = nullptr;
  Check(manta_put_begin(runtime, sizes.size(), nested.data(), nested.size(), nullptr, &data, &handle));
  RefPointer reference(handle);
  WriteArchive out(data, sizes.size());
  arg.Write(out);
  out.ExpectEnd();
  manta_put_seal(handle);
  return reference;
}

// Arguments of any size.
template <class PrefixType, class Submit, class... Args>
void SubmitVarying(manta_runtime* runtime, manta_task_spec& spec, const PrefixType& prefix,
                   Submit&& submit, const Args&... args) {
  constexpr size_t kCount = sizeof...(Args);
  constexpr size_t kDependencySize = 1 + sizeof(uint32_t);
  RefList nested;
  manta_ref* dependencies[kCount + 1];
  uint32_t num_dependencies = 0;
  RefPointer objects[kCount + 1];  // of arguments that are too large

  // First pass: what goes where.
  size_t total = PrefixType::kSize;
  size_t index = 0;
  const auto measure = [&](const auto& arg) {
    using Argument = std::decay_t<decltype(arg)>;
    if constexpr (Argument::kIsDependency) {
      if (arg.handle() == nullptr) ThrowEmptyDependency();
      dependencies[num_dependencies++] = arg.handle();
      total += kDependencySize;
    } else {
      const size_t nested_before = nested.size();
      SizeArchive sizes(&nested, total + 1);
      arg.Write(sizes);
      const size_t room_for_rest = (kCount - index) * kDependencySize;
      if (sizes.size() - total > MANTA_INLINE_ARG_LIMIT ||
          sizes.size() + room_for_rest > MANTA_ARGS_LIMIT) {
        nested.Shrink(nested_before);
        objects[index] = PutArgument(runtime, arg);
        dependencies[num_dependencies++] = objects[index].get();
        total += kDependencySize;
      } else {
        total = sizes.size();
      }
    }
    ++index;
  };
  (measure(args), ...);

  // Second pass: write.
  unsigned char on_stack[kStackArguments];
  std::unique_ptr<unsigned char[]> on_heap;
  unsigned char* buffer = on_stack;
  if (total > kStackArguments) {
    on_heap.reset(new unsigned char[total]);
    buffer = on_heap.get();
  }
  WriteArchive out(buffer, total);
  if constexpr (PrefixType::kSize != 0) out.Bytes(prefix.bytes, PrefixType::kSize);
  uint32_t next_dependency = 0;
  index = 0;
  const auto write = [&](const auto& arg) {
    using Argument = std::decay_t<decltype(arg)>;
    if (Argument::kIsDependency || objects[index].get() != nullptr) {
      WriteTag(out, ArgumentTag::kDependency);
      out.Bytes(&next_dependency, sizeof(next_dependency));
      ++next_dependency;
    } else if constexpr (!Argument::kIsDependency) {
      WriteTag(out, ArgumentTag::kInline);
      arg.Write(out);
    }
    ++index;
  };
  (write(args), ...);
  out.ExpectEnd();

  spec.args = buffer;
  spec.args_size = total;
  spec.dependencies = dependencies;
  spec.num_dependencies = num_dependencies;
  spec.num_nested = static_cast<uint32_t>(nested.size());
  spec.nested = nested.data();
  submit(spec);
}

// Writes the arguments (an Outgoing each) into `spec` and calls submit(spec), during which they
// live.
template <class PrefixType, class Submit, class... Args>
void SubmitArguments(manta_runtime* runtime, manta_task_spec& spec, const PrefixType& prefix,
                     Submit&& submit, const Args&... args) {
  if constexpr (((Args::kPlainSize == kVaries) || ...)) {
    SubmitVarying(runtime, spec, prefix, submit, args...);
  } else {
    constexpr size_t kTotal = (PrefixType::kSize + ... + (1 + Args::kPlainSize));
    if constexpr (kTotal <= kStackArguments) {
      SubmitPlain<kTotal>(spec, prefix, submit, args...);
    } else {
      SubmitVarying(runtime, spec, prefix, submit, args...);
    }
  }
}

// The same for arguments as Remote has them. `Given` are as std::forward has them.
template <class Parameters, class Given>
struct ArgumentWriter;
template <class... Parameters, class... Given>
struct ArgumentWriter<TypeList<Parameters...>, TypeList<Given...>> {
  template <class PrefixType, class Submit>
  static void SubmitCall(manta_runtime* runtime, manta_task_spec& spec, const PrefixType& prefix,
                         Submit&& submit, std::remove_reference_t<Given>&... given) {
    SubmitArguments(runtime, spec, prefix, submit,
                    Outgoing<RemoveCvRef<Parameters>, Given>(given)...);
  }

  // Behind the state of the function object, if it has one.
  template <class F, class Submit>
  static void SubmitCallOf(const F& function, manta_runtime* runtime, manta_task_spec& spec,
                           Submit&& submit, std::remove_reference_t<Given>&... given) {
    constexpr CallableKind kKind = CallableKindOf<F>();
    if constexpr (kKind == CallableKind::kValue) {
      SubmitArguments(runtime, spec, Prefix<0>(), submit, Outgoing<F, const F&>(function),
                      Outgoing<RemoveCvRef<Parameters>, Given>(given)...);
    } else if constexpr (kKind == CallableKind::kBits) {
      SubmitArguments(runtime, spec, Prefix<0>(), submit, OutgoingBits<F>(function),
                      Outgoing<RemoveCvRef<Parameters>, Given>(given)...);
    } else {
      SubmitCall(runtime, spec, Prefix<0>(), submit, given...);
    }
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace manta
