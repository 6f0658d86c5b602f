//! Which driver a shard runs on, and starting it. io_uring with the flags that were measured to pay
//! (`SINGLE_ISSUER`, `COOP_TASKRUN`, `DEFER_TASKRUN`) unless others are asked for, or epoll where a kernel or a sandbox
//! refuses it.

use crate::deadline;
use std::future::Future;
use std::io;

/// What drives a shard's I/O.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// io_uring.
    IoUring,
    /// epoll, where io_uring is refused.
    Epoll,
}

impl Driver {
    /// `io_uring` or `epoll`, for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        }
    }
}

/// When the kernel does a ring's own work, such as taking what has arrived out of a socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RingMode {
    /// When the shard next asks for completions: `SINGLE_ISSUER`, `COOP_TASKRUN` and `DEFER_TASKRUN`, Linux 6.1.
    #[default]
    Defer,
    /// At the shard's next system call of any kind: `SINGLE_ISSUER` and `COOP_TASKRUN`, Linux 6.0.
    Cooperative,
    /// At once, by interrupting the shard: no flags.
    Interrupting,
    /// In a thread of the kernel's, which also takes submissions, so that a busy shard makes no system calls; the thread
    /// spins on a CPU of its own (`SQPOLL`).
    KernelThread {
        /// Milliseconds without submissions after which the thread sleeps.
        idle_ms: u32,
        /// The CPU it is bound to.
        cpu: Option<u32>,
    },
}

impl RingMode {
    /// The flags in words, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Defer => "with SINGLE_ISSUER, COOP_TASKRUN and DEFER_TASKRUN",
            Self::Cooperative => "with SINGLE_ISSUER and COOP_TASKRUN",
            Self::Interrupting => "without flags",
            Self::KernelThread { .. } => "with SINGLE_ISSUER and SQPOLL",
        }
    }
}

/// How the ring is made.
#[derive(Debug, Clone, Copy)]
pub struct RingOptions {
    /// Submission queue entries, a power of two from 256.
    pub entries: u32,
    /// Completion queue entries, at least as many; 0 is twice as many. What does not fit is kept by the kernel in a list,
    /// which is slower.
    pub completions: u32,
    /// When the kernel works.
    pub mode: RingMode,
    /// Receives ask when the bytes had arrived, of sockets that stamp them.
    pub arrival_stamps: bool,
    /// Microseconds for which a shard without work looks for some before it sleeps; 0 sleeps at once.
    pub busy_poll_us: u32,
}

impl Default for RingOptions {
    fn default() -> Self {
        Self { entries: 1_024, completions: 0, mode: RingMode::Defer, arrival_stamps: false, busy_poll_us: 0 }
    }
}

fn builder(options: RingOptions) -> io_uring::Builder {
    let mut builder = io_uring::IoUring::builder();
    match options.mode {
        RingMode::Defer => {
            builder.setup_single_issuer().setup_coop_taskrun().setup_defer_taskrun();
        }
        RingMode::Cooperative => {
            builder.setup_single_issuer().setup_coop_taskrun();
        }
        RingMode::Interrupting => {}
        RingMode::KernelThread { idle_ms, cpu } => {
            builder.setup_single_issuer().setup_sqpoll(idle_ms);
            if let Some(cpu) = cpu {
                builder.setup_sqpoll_cpu(cpu);
            }
        }
    }
    if options.busy_poll_us > 0
        && !matches!(options.mode, RingMode::KernelThread { .. } | RingMode::Interrupting)
    {
        // Without this the shard cannot see that the kernel has something for it.
        builder.setup_taskrun_flag();
    }
    builder.waiting(io_uring::Waiting { busy_poll_us: options.busy_poll_us });
    builder.stamped(options.arrival_stamps);
    if options.completions > 0 {
        builder.setup_cqsize(options.completions);
    }
    builder
}

/// Tries to make a ring with our flags and asks for the operations we use. The error says why not.
pub fn probe(options: RingOptions) -> Result<(), String> {
    use io_uring::opcode as op;
    let ring = builder(options).build(options.entries).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOSYS) => "the kernel has no io_uring".to_string(),
        Some(libc::EPERM) => "io_uring is forbidden here (seccomp or kernel.io_uring_disabled)".to_string(),
        Some(libc::EINVAL) => {
            "the kernel does not know the ring's flags (DEFER_TASKRUN needs Linux 6.1) or its sizes"
                .to_string()
        }
        Some(libc::ENOMEM) => "the locked-memory limit is too low for the ring".to_string(),
        _ => format!("io_uring_setup: {error}"),
    })?;
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|error| format!("io_uring probe: {error}"))?;
    let wanted = [
        op::Accept::CODE,
        op::AsyncCancel::CODE,
        op::Close::CODE,
        op::PollAdd::CODE,
        op::Recv::CODE,
        op::RecvMsg::CODE,
        op::Send::CODE,
        op::Timeout::CODE,
    ];
    match wanted.iter().find(|code| !probe.is_supported(**code)) {
        Some(code) => Err(format!("the kernel's io_uring lacks operation {code}")),
        None => Ok(()),
    }
}

/// Builds the runtime on this thread and runs `main` to its end.
pub fn run<F: Future>(driver: Driver, options: RingOptions, main: F) -> io::Result<F::Output> {
    let main = async move {
        deadline::start();
        main.await
    };
    match driver {
        Driver::IoUring => monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
            .uring_builder(builder(options))
            .with_entries(options.entries)
            .enable_timer()
            .build()
            .map(|mut runtime| runtime.block_on(main)),
        Driver::Epoll => monoio::RuntimeBuilder::<monoio::LegacyDriver>::new()
            .with_entries(options.entries)
            .enable_timer()
            .build()
            .map(|mut runtime| runtime.block_on(main)),
    }
}
