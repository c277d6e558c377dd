// The references found inside of a value, on the stack as long as there are few.
#pragma once

#include <cstddef>
#include <memory>

#include "manta/manta_c.h"

namespace manta {
inline namespace v1 {
namespace detail {

// Borrows what is added: each stays with the value that it was found in.
class RefList {
 public:
  RefList() noexcept : items_(few_) {}
  RefList(const RefList&) = delete;
  RefList& operator=(const RefList&) = delete;

  void Add(manta_ref* reference) {
    if (size_ == capacity_) Grow();
    items_[size_++] = reference;
  }

  manta_ref* const* data() const { return items_; }
  size_t size() const { return size_; }
  // Forgets all but the first `size`.
  void Shrink(size_t size) { size_ = size; }

 private:
  static constexpr size_t kFew = 8;

  [[gnu::noinline]] void Grow() {
    std::unique_ptr<manta_ref*[]> more(new manta_ref*[capacity_ * 2]);
    for (size_t i = 0; i < size_; ++i) more[i] = items_[i];
    capacity_ *= 2;
    many_ = std::move(more);
    items_ = many_.get();
  }

  manta_ref** items_;
  size_t size_ = 0;
  size_t capacity_ = kFew;
  manta_ref* few_[kFew];
  std::unique_ptr<manta_ref*[]> many_;
};

}  // namespace detail
}  // namespace v1
}  // namespace manta
