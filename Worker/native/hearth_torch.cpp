// Operators: lookup, boxed calls, conversion of arguments by the operator's own schema.
#include "border.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/List.h>
#include <ATen/core/jit_type.h>
#include <ATen/core/stack.h>

#include <deque>
#include <mutex>

using c10::IValue;
using c10::TypeKind;

namespace {

// An operator with what every call needs: its schema, and the defaults of its trailing arguments.
struct Op {
  c10::OperatorHandle handle;
  const c10::FunctionSchema* schema;
};

TypeKind element_kind(const c10::TypePtr& type) {
  return type->kind() == TypeKind::OptionalType ? type->castRaw<c10::OptionalType>()->getElementType()->kind() : type->kind();
}

c10::TypePtr strip_optional(const c10::TypePtr& type) {
  return type->kind() == TypeKind::OptionalType ? type->castRaw<c10::OptionalType>()->getElementType() : type;
}

IValue tensor_list(const ht_value& value, const c10::TypePtr& type) {
  auto handles = static_cast<ht_tensor*>(value.data);
  auto list = type->castRaw<c10::ListType>();
  if (list && list->getElementType()->kind() == TypeKind::OptionalType) {
    c10::List<c10::optional<at::Tensor>> tensors;
    for (int32_t i = 0; i < value.count; i++)
      tensors.push_back(handles[i] ? c10::optional<at::Tensor>(tensor_of(handles[i])) : c10::nullopt);
    return tensors;
  }
  c10::List<at::Tensor> tensors;
  tensors.reserve(value.count);
  for (int32_t i = 0; i < value.count; i++) tensors.push_back(tensor_of(handles[i]));
  return tensors;
}

IValue number_list(const ht_value& value, const c10::TypePtr& type) {
  auto list = type->castRaw<c10::ListType>();
  auto numbers = static_cast<const int64_t*>(value.data);
  if (list && list->getElementType()->kind() == TypeKind::BoolType) {
    c10::List<bool> flags;
    for (int32_t i = 0; i < value.count; i++) flags.push_back(numbers[i] != 0);
    return flags;
  }
  return c10::List<int64_t>(c10::ArrayRef<int64_t>(numbers, static_cast<size_t>(value.count)));
}

IValue to_ivalue(const ht_value& value, const c10::Argument& argument) {
  auto type = strip_optional(argument.type());
  require(value.count >= 0, "an argument has a negative count");
  require(value.count == 0 || value.data != nullptr || value.tag <= HT_BOOL, "an argument's data is null");
  switch (value.tag) {
    case HT_NONE: return IValue();
    case HT_TENSOR: return tensor_of(value.data);
    case HT_INT: {
      auto kind = element_kind(type);
      if (kind == TypeKind::FloatType) return static_cast<double>(value.bits);
      if (kind == TypeKind::BoolType) return value.bits != 0;
      return value.bits;
    }
    case HT_DOUBLE: {
      double number;
      static_assert(sizeof number == sizeof value.bits, "a double crosses in 64 bits");
      std::memcpy(&number, &value.bits, sizeof number);
      return number;
    }
    case HT_BOOL: return value.bits != 0;
    case HT_INTS: return number_list(value, type);
    case HT_TENSORS: return tensor_list(value, type);
    case HT_DOUBLES:
      return c10::List<double>(c10::ArrayRef<double>(static_cast<const double*>(value.data), static_cast<size_t>(value.count)));
    case HT_STRING: {
      std::string text(static_cast<const char*>(value.data), static_cast<size_t>(value.count));
      if (type->kind() == TypeKind::DeviceObjType) return c10::Device(text);
      return text;
    }
    default: throw std::invalid_argument("an argument has the unknown tag " + std::to_string(value.tag));
  }
}

void set_tensors(ht_value& out, const std::vector<at::Tensor>& tensors) {
  out.tag = HT_TENSORS;
  out.count = static_cast<int32_t>(tensors.size());
  auto handles = std::make_unique<ht_tensor[]>(tensors.size());
  for (size_t i = 0; i < tensors.size(); i++) handles[i] = hand_out(tensors[i]);
  out.data = handles.release();
}

void from_ivalue(const IValue& value, ht_value& out) {
  out = ht_value{HT_NONE, 0, 0, nullptr};
  if (value.isTensor()) {
    if (!value.toTensor().defined()) return;
    out.tag = HT_TENSOR;
    out.data = hand_out(value.toTensor());
  } else if (value.isInt()) {
    out.tag = HT_INT;
    out.bits = value.toInt();
  } else if (value.isBool()) {
    out.tag = HT_BOOL;
    out.bits = value.toBool() ? 1 : 0;
  } else if (value.isDouble()) {
    out.tag = HT_DOUBLE;
    double number = value.toDouble();
    std::memcpy(&out.bits, &number, sizeof number);
  } else if (value.isTensorList()) {
    set_tensors(out, value.toTensorVector());
  } else if (!value.isNone()) {
    throw std::runtime_error("a result of type " + value.tagKind() + " cannot cross the border");
  }
}

}  // namespace

HT_API int32_t ht_op_find(const char* name, const char* overload, ht_op* op) {
  return guarded([&] {
    require(name && overload && op, "ht_op_find: null");
    static std::mutex gate;
    static std::deque<Op> found;  // a deque keeps addresses
    auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
    if (!handle) throw std::invalid_argument(std::string("libtorch has no operator ") + name + (*overload ? "." : "") + overload);
    std::lock_guard<std::mutex> lock(gate);
    found.push_back(Op{*handle, &handle->schema()});
    *op = &found.back();
  });
}

HT_API int32_t ht_op_call(ht_op op, const ht_value* args, int32_t count, ht_value* results, int32_t capacity, int32_t* written) {
  return guarded([&] {
    require(op && written && count >= 0 && capacity >= 0, "ht_op_call: null or negative");
    require((args || count == 0) && (results || capacity == 0), "ht_op_call: null arguments");
    auto& target = *static_cast<Op*>(op);
    auto& arguments = target.schema->arguments();
    require(static_cast<size_t>(count) <= arguments.size(), target.schema->name() + " takes at most " + std::to_string(arguments.size()) + " arguments");
    torch::jit::Stack stack;
    stack.reserve(std::max(arguments.size(), target.schema->returns().size()));
    for (size_t i = 0; i < arguments.size(); i++) {
      if (i < static_cast<size_t>(count)) {
        stack.push_back(to_ivalue(args[i], arguments[i]));
      } else {
        require(arguments[i].default_value().has_value(), target.schema->name() + " lacks its argument " + arguments[i].name());
        stack.push_back(*arguments[i].default_value());
      }
    }
    target.handle.callBoxed(&stack);
    require(stack.size() <= static_cast<size_t>(capacity), target.schema->name() + " gives " + std::to_string(stack.size()) + " results");
    for (size_t i = 0; i < stack.size(); i++) from_ivalue(stack[i], results[i]);
    *written = static_cast<int32_t>(stack.size());
  });
}
