// Descriptions of how values of a type are encoded, for programs in other languages, which write and
// read the same bytes by them (src/bindings/python/archive_values.h). A description is the text of:
//
//   ?            bool, one byte
//   iN uN fN     a number of N bytes
//   s            text: a count, then bytes (UTF-8)
//   b            bytes: the same
//   vA:T         a vector whose elements T are as in memory: a count, then the elements, aligned to A
//                from 1024 bytes on
//   VT           a manta::Array: eight bytes of count, then the elements, aligned to 64
//   lT           a container: a count, then the elements
//   mKT          a map: a count, then keys and values in turn
//   oT           what may be absent: a byte that says whether it is there, then the value
//   aN:T         N elements
//   (T...)       parts one after the other
//   BN{O:T...}   N bytes of memory, with a field T at offset O each
//   e            nothing
//   !name;       a type that other languages have no value for
//
// A count is a byte below 255, or 255 and eight bytes. Before an element (or key) that may be written
// as nothing, which `~` marks, stands one byte more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "manta/archive.h"
#include "manta/array.h"
#include "manta/errors.h"

namespace manta {
inline namespace v1 {
namespace detail {

// Types that hold themselves have no description of finite length.
inline constexpr int kDeepestSchema = 16;

template <class T>
struct Schema;

template <class T>
void AppendSchema(std::string& out, int depth) {
  if (depth > kDeepestSchema) {
    out += "!a type that holds itself;";
  } else {
    Schema<std::remove_cv_t<T>>::Append(out, depth + 1);
  }
}

template <class T>
void AppendUnknown(std::string& out) {
  const std::string name = TypeName<T>::Get();
  out += '!' + name.substr(0, name.find(';')) + ';';
}

template <class T>
void AppendElement(std::string& out, int depth) {
  if (Codec<T>::kMinSize == 0) out += '~';
  AppendSchema<T>(out, depth);
}

template <class List>
struct SchemaOfParts;
template <class... Ts>
struct SchemaOfParts<TypeList<Ts...>> {
  static void Append(std::string& out, int depth) {
    out += '(';
    (AppendSchema<Ts>(out, depth), ...);
    out += ')';
  }
};

// What a hook visits.
class SchemaArchive {
 public:
  static constexpr bool kReading = false;
  SchemaArchive(std::string& out, int depth) : out_(out), depth_(depth) {}
  template <class... Ts>
  void operator()(const Ts&...) {
    (AppendSchema<Ts>(out_, depth_), ...);
  }

 private:
  std::string& out_;
  const int depth_;
};

template <class T, class = void>
struct HookTellsSchema : std::false_type {};
template <class T>
struct HookTellsSchema<
    T, std::void_t<decltype(Access::Serialize(std::declval<SchemaArchive&>(), std::declval<T&>()))>>
    : std::true_type {};

// ---- Everything that is not a class of the standard library ----

template <class T>
void AppendNumber(std::string& out) {
  constexpr char kKind = std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
  if constexpr (sizeof(T) <= 8) {
    out += kKind;
    out += static_cast<char>('0' + sizeof(T));
  } else {
    AppendUnknown<T>(out);
  }
}

// With the offsets of the fields, which are those of any value.
template <class T>
void AppendMemory(std::string& out, int depth) {
  alignas(T) unsigned char memory[sizeof(T)] = {};
  T& value = *reinterpret_cast<T*>(memory);
  out += 'B' + std::to_string(sizeof(T)) + '{';
  VisitFields(
      value,
      [&](auto&... fields) {
        const auto append = [&](auto& field) {
          const auto* at = reinterpret_cast<const unsigned char*>(std::addressof(field));
          out += std::to_string(at - memory) + ':';
          AppendSchema<std::remove_reference_t<decltype(field)>>(out, depth);
        };
        (append(fields), ...);
      },
      Count<CountFields<T>()>());
  out += '}';
}

template <class T>
struct Schema {
  static void Append(std::string& out, int depth) {
    constexpr Category kCategory = CategoryOf<T>();
    if constexpr (std::is_enum_v<T>) {
      AppendNumber<std::underlying_type_t<T>>(out);
    } else if constexpr (kCategory == Category::kBool) {
      out += '?';
    } else if constexpr (std::is_arithmetic_v<T>) {
      AppendNumber<T>(out);
    } else if constexpr (kCategory == Category::kEmpty) {
      out += 'e';
    } else if constexpr (kCategory == Category::kFields) {
      SchemaOfParts<FieldTypesOf<T, CountFields<T>()>>::Append(out, depth);
    } else if constexpr (kCategory == Category::kBits && std::is_aggregate_v<T>) {
      if constexpr (CanBeTakenApart<T>()) {
        AppendMemory<T>(out, depth);
      } else {
        AppendUnknown<T>(out);
      }
    } else if constexpr (kCategory == Category::kHook && HookTellsSchema<T>::value) {
      if constexpr (IsDefaultConstructible<T>::value) {
        Access::Slot<T> slot;
        SchemaArchive archive(out, depth);
        out += '(';
        Access::Serialize(archive, slot.value);
        out += ')';
      } else {
        AppendUnknown<T>(out);
      }
    } else {
      AppendUnknown<T>(out);
    }
  }
};

template <>
struct Schema<void> {
  static void Append(std::string& out, int) { out += 'e'; }
};

template <class T, size_t N>
struct Schema<T[N]> {
  static void Append(std::string& out, int depth) {
    out += 'a' + std::to_string(N) + ':';
    AppendSchema<T>(out, depth);
  }
};
template <class T, size_t N>
struct Schema<std::array<T, N>> : Schema<T[N]> {};
template <class T>
struct Schema<std::array<T, 0>> {
  static void Append(std::string& out, int) { out += "()"; }
};

// ---- Classes of the standard library ----

template <class Allocator>
struct Schema<std::basic_string<char, std::char_traits<char>, Allocator>> {
  static void Append(std::string& out, int) { out += 's'; }
};

template <class T>
inline constexpr bool kIsByte =
    std::is_same_v<T, char> || std::is_same_v<T, unsigned char> || std::is_same_v<T, std::byte>;

template <class T, class Allocator>
struct Schema<std::vector<T, Allocator>> {
  static void Append(std::string& out, int depth) {
    if constexpr (kIsByte<T>) {
      out += 'b';
    } else if constexpr (Codec<T>::kIsBits) {
      out += 'v' + std::to_string(alignof(T)) + ':';
      AppendSchema<T>(out, depth);
    } else {
      out += 'l';
      AppendElement<T>(out, depth);
    }
  }
};

template <class T>
struct Schema<Array<T>> {
  static void Append(std::string& out, int depth) {
    out += 'V';
    AppendSchema<T>(out, depth);
  }
};

template <class T>
struct ListSchema {
  static void Append(std::string& out, int depth) {
    out += 'l';
    AppendElement<T>(out, depth);
  }
};
template <class... Ts>
struct Schema<std::deque<Ts...>> : ListSchema<typename FirstOf<TypeList<Ts...>>::Type> {};
template <class... Ts>
struct Schema<std::list<Ts...>> : ListSchema<typename FirstOf<TypeList<Ts...>>::Type> {};
template <class... Ts>
struct Schema<std::set<Ts...>> : ListSchema<typename FirstOf<TypeList<Ts...>>::Type> {};
template <class... Ts>
struct Schema<std::multiset<Ts...>> : ListSchema<typename FirstOf<TypeList<Ts...>>::Type> {};
template <class... Ts>
struct Schema<std::unordered_set<Ts...>> : ListSchema<typename FirstOf<TypeList<Ts...>>::Type> {};
template <class... Ts>
struct Schema<std::unordered_multiset<Ts...>> : ListSchema<typename FirstOf<TypeList<Ts...>>::Type> {};

template <class Key, class Mapped>
struct MapSchema {
  static void Append(std::string& out, int depth) {
    out += 'm';
    AppendElement<Key>(out, depth);
    AppendSchema<Mapped>(out, depth);
  }
};
template <class Key, class Mapped, class... Ts>
struct Schema<std::map<Key, Mapped, Ts...>> : MapSchema<Key, Mapped> {};
template <class Key, class Mapped, class... Ts>
struct Schema<std::unordered_map<Key, Mapped, Ts...>> : MapSchema<Key, Mapped> {};

template <class First, class Second>
struct Schema<std::pair<First, Second>> : SchemaOfParts<TypeList<First, Second>> {};
template <class... Ts>
struct Schema<std::tuple<Ts...>> : SchemaOfParts<TypeList<Ts...>> {};

template <class T>
struct OptionalSchema {
  static void Append(std::string& out, int depth) {
    out += 'o';
    AppendSchema<T>(out, depth);
  }
};
template <class T>
struct Schema<std::optional<T>> : OptionalSchema<T> {};
template <class T>
struct Schema<std::unique_ptr<T>> : OptionalSchema<T> {};
template <class T>
struct Schema<std::shared_ptr<T>> : OptionalSchema<T> {};

// ---- Whole ----

// The description of T. Cost: text is built at each call.
template <class T>
std::string SchemaOf() {
  std::string text;
  AppendSchema<T>(text, 0);
  return text;
}

}  // namespace detail
}  // namespace v1
}  // namespace manta
