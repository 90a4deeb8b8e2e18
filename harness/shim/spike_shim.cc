// Spike as a process that is told what to do over a pipe. docs/decisions/0011-spike-in-a-process.md says why.
//
// Spike's hart runs in user mode without a kernel: everything that is not RV32IM on plain memory traps,
// and a trap ends the steps. Memory is one flat array; Spike asks addr_to_mem for each page that it begins
// to use, which is how the shim knows the frames that were touched.
//
// Commands on standard input, numbers little-endian, words u32:
//   L pc limit x[32] n (page number, 1 KiB)*n      load a state; all other memory becomes 0
//   I pc limit x[32] n (addr, len, bytes)*n        change the state
//   R steps:u64    T steps:u64                     run; run with a record of each step
//   F    H n frame*n    W addr                     touched frames; hashes; a word
// Each answer is its length and then: R report touched; T report; F touched; H hash:u64*n; W word.
// The records of T, at most MOST_RECORDS, are in a file in memory that is open as RECORDS_FD, until the next T.
#include <riscv/cfg.h>
#include <riscv/mmu.h>
#include <riscv/processor.h>
#include <riscv/simif.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <vector>

using u32 = uint32_t;
using u64 = uint64_t;

const u64 MEMORY = u64(1) << 32;
const u64 FRAME = 4096;
const u32 USER_START = 0x10000;  // MAP-1
const u64 MOST_RECORDS = 1 << 16;
const int RECORDS_FD = 3;

struct Record { u32 pc, insn, next_pc, rd, addr, data; };
struct Report { u64 steps; u32 is_trap, cause, value, pc, x[32]; };

static void check(bool ok, const char* what) {
  if (!ok) { fprintf(stderr, "%s\n", what); exit(4); }
}

static void take(void* to, size_t n) {
  if (fread(to, 1, n, stdin) != n) exit(0);  // The harness is gone.
}
template <class T> static T take() { T value; take(&value, sizeof value); return value; }

struct Flat : simif_t {
  cfg_t cfg;
  std::map<size_t, processor_t*> harts;
  char* memory;
  u32 limit = 0;
  std::vector<u32> touched;
  std::vector<bool> is_touched = std::vector<bool>(MEMORY / FRAME);

  Flat() {
    cfg.isa = "rv32im"; cfg.priv = "mu"; cfg.pmpregions = 0; cfg.hartids = {0}; cfg.endianness = endianness_little;
    void* at = mmap(nullptr, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(at != MAP_FAILED, "no address space for 4 GiB of guest memory");
    memory = static_cast<char*>(at);
  }
  char* addr_to_mem(reg_t addr) override {
    if (addr < USER_START || addr >= limit) return nullptr;
    touch(addr);
    return memory + addr;
  }
  void touch(u32 addr) {
    u32 frame = addr / FRAME;
    if (!is_touched[frame]) { is_touched[frame] = true; touched.push_back(frame); }
  }
  u32 word(u32 addr) const { u32 value = 0; memcpy(&value, memory + addr, addr <= ~3u ? 4 : 0); return value; }
  // Spike asks these outside the array: an access fault.
  bool mmio_load(reg_t, size_t, uint8_t*) override { return false; }
  bool mmio_store(reg_t, size_t, const uint8_t*) override { return false; }
  void proc_reset(unsigned) override {}
  const cfg_t& get_cfg() const override { return cfg; }
  const std::map<size_t, processor_t*>& get_harts() const override { return harts; }
  const char* get_symbol(uint64_t) override { return nullptr; }
};

// Memory that the harness can read.
static Record* shared_records() {
  u64 size = MOST_RECORDS * sizeof(Record);
  int file = memfd_create("records", 0);
  check(file >= 0 && ftruncate(file, size) == 0 && dup2(file, RECORDS_FD) == RECORDS_FD, "no file in memory");
  void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, RECORDS_FD, 0);
  check(at != MAP_FAILED, "no memory for records");
  return static_cast<Record*>(at);
}

static reg_t illegal(processor_t*, insn_t insn, reg_t) { throw trap_illegal_instruction(insn.bits()); }

struct Shim {
  Flat flat;
  processor_t hart{"rv32im", "mu", &flat.cfg, &flat, 0, false, nullptr, std::cerr};
  state_t* state = hart.get_state();
  mmu_t* mmu = hart.get_mmu();
  // The registers, to compare all of them at once.
  reg_t* x = const_cast<reg_t*>(&state->XPR[0]);
  std::vector<char> is_code = std::vector<char>(MEMORY / FRAME);
  std::vector<char> answer;
  Record* records = shared_records();

  Shim() {
    hart.reset();
    state->mtvec->write(0);
    state->mcounteren->write(0);  // No counter can be read in user mode.
    state->mstatus->write(state->mstatus->read() | MSTATUS_TW);
    hart.set_privilege(PRV_U, false);
    // ISA-2: Spike has FENCE.I in every hart.
    hart.register_custom_insn({0x100f, 0x707f, illegal, illegal, illegal, illegal, illegal, illegal, illegal, illegal});
    hart.build_opcode_map();
  }

  template <class T> void put(const T& value) { put(&value, sizeof value); }
  void put(const void* from, size_t n) { answer.insert(answer.end(), (const char*)from, (const char*)from + n); }
  void send() {
    u32 length = answer.size();
    check(fwrite(&length, 4, 1, stdout) == 1 && fwrite(answer.data(), 1, length, stdout) == length, "no reader");
    fflush(stdout);
    answer.clear();
  }

  void take_state() {
    state->pc = reg_t(int32_t(take<u32>()));
    flat.limit = take<u32>();
    for (int i = 0; i < 32; i++) {
      u32 value = take<u32>();
      if (i) state->XPR.write(i, reg_t(int32_t(value)));
    }
    forget();
  }
  void forget() { mmu->flush_tlb(); mmu->flush_icache(); }

  void load() {
    madvise(flat.memory, MEMORY, MADV_DONTNEED);
    take_touched();
    answer.clear();
    is_code.assign(is_code.size(), false);
    take_state();
    for (u32 n = take<u32>(); n; n--) { u32 page = take<u32>(); take(flat.memory + u64(page) * 1024, 1024); }
  }
  void inject() {
    take_state();
    for (u32 n = take<u32>(); n; n--) {
      u32 addr = take<u32>(), length = take<u32>();
      for (u64 at = addr; at < u64(addr) + length; at += FRAME) flat.touch(at);
      if (length) flat.touch(addr + length - 1);
      take(flat.memory + addr, length);
    }
  }

  // Takes a trap back, if the last steps ended in one: only a trap leaves user mode.
  void look_for_trap(Report& report) {
    if (state->prv == PRV_U) return;
    report.is_trap = 1;
    report.cause = state->mcause->read();
    report.value = state->mtval->read();
    state->pc = reg_t(int32_t(state->mepc->read()));
    hart.set_privilege(PRV_U, false);
  }

  void run(u64 steps) {
    Report report{};
    // MEM-5: Spike decodes a store to code anew only after FENCE.I; a new run does at least that.
    forget();
    u64 before = state->minstret->read();
    while (report.steps < steps && !report.is_trap) {
      hart.step(steps - report.steps);
      look_for_trap(report);
      report.steps = state->minstret->read() - before;
    }
    put_report(report);
    take_touched();
    send();
  }

  // One instruction as Spike's own loop makes it (processor_t::step): from its instruction cache, by its function.
  // The rest of that loop, counters and interrupts, costs several times as much and has nothing to do here. False: the
  // instruction traps, or may have to do with that rest, and is as it was; Spike's loop takes it.
  bool quick_step(insn_fetch_t fetch, reg_t pc) {
    u32 opcode = fetch.insn.bits() & 0x7f;
    if (opcode == 0x73 || opcode == 0x0f) return false;
    try { state->pc = fetch.func(&hart, fetch.insn, pc); } catch (trap_t&) { return false; }
    return true;
  }

  void full_step(Report& report) { hart.step(1); look_for_trap(report); }

  void trace(u64 steps) {
    Report report{};
    steps = std::min(steps, MOST_RECORDS);
    // What x must be.
    reg_t expected[32];
    memcpy(expected, x, sizeof expected);
    mmu->flush_icache();
    while (report.steps < steps) {
      reg_t pc = state->pc;
      insn_fetch_t fetch;
      try { fetch = mmu->access_icache(pc)->data; } catch (trap_t&) { full_step(report); break; }
      u32 insn = fetch.insn.bits(), opcode = insn & 0x7f;
      bool is_load = opcode == 0x03, is_store = opcode == 0x23;
      u32 imm = is_store ? (int32_t(insn) >> 25) * 32 + ((insn >> 7) & 31) : int32_t(insn) >> 20;
      u32 addr = is_load || is_store ? u32(x[(insn >> 15) & 31]) + imm : 0;
      u32 rd = is_store || opcode == 0x63 || opcode == 0x0f ? 0 : (insn >> 7) & 31;
      // Changed by an instruction with another rd: stop, so that the harness looks at all registers.
      if (x[rd] != expected[rd]) break;
      if (!quick_step(fetch, pc)) {
        full_step(report);
        if (report.is_trap) break;
      }
      expected[rd] = x[rd];
      u32 data = 0;
      if (is_store) memcpy(&data, flat.memory + addr, sizeof data);
      records[report.steps++] = {u32(pc), insn, u32(state->pc), u32(x[rd]), addr, data};
      // MEM-5, as above.
      is_code[u32(pc) / FRAME] = true;
      if (is_store && is_code[addr / FRAME]) mmu->flush_icache();
    }
    put_report(report);
    send();
  }

  void put_report(Report& report) {
    report.pc = state->pc;
    for (int i = 0; i < 32; i++) report.x[i] = x[i];
    put(report);
  }

  // harness/src/machine.rs has the same function: `hash_words`.
  u64 hash(u32 frame) const {
    u64 hash = 0x9E3779B97F4A7C15;
    const u32* words = reinterpret_cast<const u32*>(flat.memory + u64(frame) * FRAME);
    for (u64 i = 0; i < FRAME / 4; i++) {
      hash = (hash ^ words[i]) * 0xFF51AFD7ED558CCD;
      hash ^= hash >> 32;
    }
    return hash;
  }
  void take_touched() {
    for (u32 frame : flat.touched) {
      put(frame); put(hash(frame));
      flat.is_touched[frame] = false;
    }
    flat.touched.clear();
    mmu->flush_tlb();
  }

  void serve() {
    for (;;) switch (take<char>()) {
      case 'L': load(); break;
      case 'I': inject(); break;
      case 'R': run(take<u64>()); break;
      case 'T': trace(take<u64>()); break;
      case 'F': take_touched(); send(); break;
      case 'H': for (u32 n = take<u32>(); n; n--) put(hash(take<u32>())); send(); break;
      case 'W': put(flat.word(take<u32>() & ~3u)); send(); break;
      default: check(false, "unknown command");
    }
  }
};

int main() { (new Shim)->serve(); }
