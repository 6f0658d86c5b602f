//! The recorder's threads: one with glommio's executor for all that can be written past the page cache, and one each for
//! what cannot. A panic of the runtime must cost no more than the lines since the last sync.

use crate::Engine;
use crate::direct::DirectDisk;
use crate::plain::PlainDisk;
use crate::recorder::Recorder;
use glommio::{LocalExecutorBuilder, Placement};
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;

/// Whether this process may make a ring at all. glommio does not ask: where seccomp or an old kernel refuses, it panics
/// with a guess about the kernel's age, on everybody's error stream.
fn has_io_uring() -> bool {
    // SAFETY: a zeroed io_uring_params (120 bytes, plain integers) is valid, and the kernel writes within it.
    unsafe {
        let mut params = [0u64; 15];
        let ring = libc::syscall(libc::SYS_io_uring_setup, 1, params.as_mut_ptr());
        if ring >= 0 {
            libc::close(ring as i32);
        }
        ring >= 0
    }
}

type Life<'x> = Pin<Box<dyn Future<Output = io::Result<()>> + 'x>>;

/// The recorder's whole life, in its own thread; ends with the first error of a recorder's end.
pub(crate) fn live(engine: Engine, recorders: Vec<Recorder>) -> io::Result<()> {
    let mut ended = Ok(());
    let mut slots: Vec<Option<Recorder>> = recorders.into_iter().map(Some).collect();
    thread::scope(|scope| {
        let mut threads = Vec::new();
        let mut plain = |mut recorder: Recorder| {
            let thread = thread::Builder::new().name("recorder-plain".into());
            threads.push(thread.spawn_scoped(scope, move || live_plain(&mut recorder)));
        };
        if engine == Engine::Direct && has_io_uring() {
            // glommio panics where a container hides /sys, for one; lines in a file matter more than how they got there.
            let direct = catch_unwind(AssertUnwindSafe(|| live_direct(&mut slots, &mut plain)));
            match direct {
                Ok(Some(result)) => {
                    ended = result;
                    slots.clear();
                }
                Ok(None) => {}
                Err(_) => slots.iter_mut().flatten().for_each(Recorder::count_unsynced),
            }
        }
        slots.into_iter().flatten().for_each(&mut plain);
        for thread in threads {
            let result = thread.and_then(|thread| {
                thread.join().unwrap_or_else(|_| Err(io::Error::other("the recorder panicked")))
            });
            if ended.is_ok() {
                ended = result;
            }
        }
    });
    ended
}

/// Those that can be written past the page cache live here until they end; `plain` is given the others. `None`: there
/// is no executor to be had, and nothing was done.
fn live_direct(slots: &mut [Option<Recorder>], plain: &mut impl FnMut(Recorder)) -> Option<io::Result<()>> {
    // The default ring and buffers would not fit into the usual 8 MiB of lockable memory.
    let executor =
        LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20).ring_depth(128).make().ok()?;
    executor.run(async {
        let mut disks = Vec::new();
        for slot in slots.iter_mut() {
            let disk = match slot {
                Some(recorder) => open(recorder).await,
                None => None,
            };
            if disk.is_none() {
                slot.take().map(&mut *plain).unwrap_or_default();
            }
            disks.extend(disk);
        }
        let lives = slots.iter_mut().flatten().zip(disks);
        Some(all(lives.map(|(recorder, disk)| -> Life<'_> { Box::pin(run(recorder, disk)) }).collect()).await)
    })
}

async fn run(recorder: &mut Recorder, mut disk: DirectDisk) -> io::Result<()> {
    recorder.run(&mut disk).await
}

/// Drives futures until all have ended; the first error counts.
async fn all(mut lives: Vec<Life<'_>>) -> io::Result<()> {
    let mut ended = Ok(());
    poll_fn(move |context| {
        lives.retain_mut(|life| match life.as_mut().poll(context) {
            Poll::Ready(result) => {
                if ended.is_ok() {
                    ended = result;
                }
                false
            }
            Poll::Pending => true,
        });
        if lives.is_empty() { Poll::Ready(std::mem::replace(&mut ended, Ok(()))) } else { Poll::Pending }
    })
    .await
}

/// A disk past the page cache with its first segment open, if that can be.
async fn open(recorder: &mut Recorder) -> Option<DirectDisk> {
    let mut disk = DirectDisk::new(recorder.buffer_bytes());
    recorder.open(&mut disk).await.ok()?;
    if disk.probe().await.is_err() {
        recorder.give_up(&mut disk).await;
        return None;
    }
    recorder.begun(disk.is_direct());
    Some(disk)
}

fn live_plain(recorder: &mut Recorder) -> io::Result<()> {
    let mut disk = PlainDisk::after(recorder.written());
    let life = pin!(async {
        match recorder.open(&mut disk).await {
            Ok(()) => recorder.begun(false),
            Err(why) => {
                if recorder.refused(&mut disk, why).await {
                    return Ok(());
                }
            }
        }
        recorder.run(&mut disk).await
    });
    match life.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ended) => ended,
        Poll::Pending => unreachable!("a plain disk is always ready"),
    }
}
