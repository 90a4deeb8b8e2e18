//! Keeps a processor awake while a program, not a person, drives the server.
//!
//! Client and server take turns: one sleeps while the other works. On a machine with nothing else to do the system runs
//! each on a processor of its own, which falls asleep every time and has to be woken for every packet; that costs several
//! times what a packet does. A processor that does not sleep makes the system run both on the other one.
//! The price is that processor's time: at the lowest priority, and only while packets follow each other quickly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A thread that is busy for a moment after each packet of a quick conversation.
pub struct Keeper {
    shared: Arc<Shared>,
    /// Started when it is needed first; never on a machine with one processor.
    thread: Option<JoinHandle<()>>,
    last: Instant,
    /// Packets in a row that came quickly.
    quick: u32,
}

struct Shared {
    begin: Instant,
    /// How long to be busy, in nanoseconds since `begin`.
    until: AtomicU64,
    is_awake: AtomicBool,
    is_over: AtomicBool,
}

/// A packet comes quickly if it follows the one before within this time. GDB, which thinks between packets, takes longer.
const QUICK: Duration = Duration::from_micros(200);
/// So many quick packets make a conversation.
const QUICK_PACKETS: u32 = 16;
/// The lowest priority: whatever else there is to do comes first.
#[cfg(unix)]
const LOWEST: i32 = 19;

impl Keeper {
    /// A keeper that has heard of no packet yet.
    pub fn new() -> Keeper {
        let begin = Instant::now();
        let shared = Shared {
            begin,
            until: AtomicU64::new(0),
            is_awake: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        };
        Keeper { shared: Arc::new(shared), thread: None, last: begin, quick: 0 }
    }

    /// A packet has come.
    pub fn packet(&mut self) {
        let now = Instant::now();
        let is_quick = now.duration_since(self.last) < QUICK;
        self.last = now;
        self.quick = if is_quick { self.quick.saturating_add(1) } else { 0 };
        if self.quick >= QUICK_PACKETS {
            self.keep_awake(now + QUICK);
        }
    }

    fn keep_awake(&mut self, until: Instant) {
        self.shared.until.store(self.shared.nanoseconds(until), Ordering::Relaxed);
        if self.shared.is_awake.swap(true, Ordering::Relaxed) {
            return;
        }
        if self.thread.is_none() && std::thread::available_parallelism().is_ok_and(|count| count.get() > 1) {
            let shared = self.shared.clone();
            // Without the thread everything works, only slower.
            self.thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(move || shared.keep()).ok();
        }
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic, and it looks at `is_over` at least every `QUICK`.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn nanoseconds(&self, instant: Instant) -> u64 {
        instant.duration_since(self.begin).as_nanos() as u64
    }

    /// The thread: busy as long as it is to be, then asleep.
    fn keep(&self) {
        #[cfg(unix)]
        let _ = rustix::process::nice(LOWEST);
        while !self.is_over.load(Ordering::Relaxed) {
            while self.nanoseconds(Instant::now()) < self.until.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            self.is_awake.store(false, Ordering::Relaxed);
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person's packets, and a debugger's, start no thread; a program's do, and it rests when they end.
    #[test]
    fn only_a_quick_conversation_keeps_a_processor_awake() {
        let mut keeper = Keeper::new();
        for _ in 0..2 * QUICK_PACKETS {
            std::thread::sleep(QUICK);
            keeper.packet();
        }
        assert!(keeper.thread.is_none() && keeper.quick == 0);
        // However slow this machine is, so many packets at once have a quick row among them.
        while keeper.quick < QUICK_PACKETS {
            keeper.packet();
        }
        let has_two_processors = std::thread::available_parallelism().is_ok_and(|count| count.get() > 1);
        assert_eq!(keeper.thread.is_some(), has_two_processors);
        while has_two_processors && keeper.shared.is_awake.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
    }
}
