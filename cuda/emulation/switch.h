// Leaves one stack for another: what a function call must keep, and no more. x86-64 and arm64 by
// hand, since swapcontext asks the kernel for the signal mask each time.
#pragma once

#include <cstdint>

// Stores the stack pointer of the caller in *from and goes on where `to` was stored.
extern "C" void ictus_switch(void** from, void* to) __attribute__((visibility("hidden")));

#if defined(__x86_64__)
asm(R"(
.text
.weak ictus_switch
.hidden ictus_switch
.type ictus_switch, @function
ictus_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ictus_switch, .-ictus_switch
)");
#elif defined(__aarch64__)
asm(R"(
.text
.weak ictus_switch
.hidden ictus_switch
.type ictus_switch, %function
ictus_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size ictus_switch, .-ictus_switch
)");
#else
#error "the emulation of CUDA runs on x86-64 and arm64"
#endif

namespace ictus::emulation {

// The first frame of a stack that ends at `top`: the first switch to it calls entry().
inline void* first_frame(unsigned char* top, void (*entry)()) {
  auto* frame = reinterpret_cast<std::uint64_t*>(top);
#if defined(__x86_64__)
  *--frame = 0;  // where a return address would be, so that the stack is aligned as after a call
  *--frame = reinterpret_cast<std::uint64_t>(entry);
  for (int i = 0; i < 6; ++i) *--frame = 0;
#else
  frame -= 20;
  for (int i = 0; i < 20; ++i) frame[i] = 0;
  frame[11] = reinterpret_cast<std::uint64_t>(entry);
#endif
  return frame;
}

}  // namespace ictus::emulation
