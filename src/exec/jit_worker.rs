//! Compiles beside the running guest, on a thread of its own: the guest goes on in blocks meanwhile, and neither
//! a stop nor an interrupt waits for Cranelift. What the guest does never depends on when code is there (TIME-3).

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::jit_compile::{Code, Compiler};
use super::jit_region::Region;

/// Where regions are compiled.
pub(super) struct Workshop {
    compiler: Compiler,
    /// Whether to compile on another thread.
    is_beside: bool,
    /// The thread, from the first order on.
    worker: Option<Worker>,
}

/// The number of an order.
pub(super) type Job = u64;

/// A region that is no longer in work.
pub(super) struct Done {
    pub job: Job,
    pub region: Region,
    /// `None` if Cranelift refused it.
    pub code: Option<Code>,
}

/// A thread that compiles. It ends when this is dropped.
struct Worker {
    orders: Sender<(Job, Region)>,
    done: Receiver<Done>,
}

impl Workshop {
    /// Compiles on another thread if `is_beside`. On the one that orders, the same code is there at the same step of
    /// every run.
    pub fn new(compiler: Compiler, is_beside: bool) -> Workshop {
        Workshop { compiler, is_beside, worker: None }
    }

    /// Whether it compiles on another thread.
    pub fn is_beside(&self) -> bool {
        self.is_beside
    }

    /// The compiler, for what is needed at once.
    pub fn compiler(&mut self) -> &mut Compiler {
        &mut self.compiler
    }

    /// Compiles `region`, or begins to: then [`take`](Workshop::take) gives it later.
    pub fn order(&mut self, job: Job, region: Region) -> Option<Done> {
        if self.is_beside && self.worker.is_none() {
            self.worker = Worker::start(self.compiler.another());
        }
        let region = match &self.worker {
            None => region,
            // A thread that is gone gives the order back.
            Some(worker) => worker.orders.send((job, region)).err()?.0.1,
        };
        Some(Done { job, code: self.compiler.region(&region), region })
    }

    /// An order that was finished since.
    pub fn take(&mut self) -> Option<Done> {
        self.worker.as_ref()?.done.try_recv().ok()
    }
}

impl Worker {
    /// `None` if the host has no thread for it.
    fn start(mut compiler: Compiler) -> Option<Worker> {
        let (orders, ordered) = mpsc::channel::<(Job, Region)>();
        let (report, done) = mpsc::channel();
        let work = move || {
            for (job, region) in ordered {
                let code = compiler.region(&region);
                if report.send(Done { job, region, code }).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("lockstep-jit".into()).spawn(work).ok()?;
        Some(Worker { orders, done })
    }
}
