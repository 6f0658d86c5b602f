//! What the host gives this process: open files, locked memory, io_uring. Raised as far as it may be, and said plainly
//! where it does not suffice.

use crate::args::Runtime;
use tidegate_shards::{Driver, RingOptions, probe};

/// Descriptors that are not connections: store, rings, listeners, logs, the admin API's own.
pub const RESERVED_FILES: u64 = 128;
/// Fewest client connections per shard that are worth starting for.
const FEWEST_CONNECTIONS: u64 = 32;
/// Client connections per shard, unless a flag says otherwise and where open files allow it.
const USUAL_CONNECTIONS: u64 = 16_384;

/// Soft and hard value of a resource limit.
pub fn resource_limit(resource: libc::__rlimit_resource_t) -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable and the resource is one of libc's constants.
    unsafe { libc::getrlimit(resource, &mut limit) };
    (limit.rlim_cur, limit.rlim_max)
}

/// Raises the soft limit on open files to the hard one and answers it.
pub fn raise_open_files() -> u64 {
    let (soft, hard) = resource_limit(libc::RLIMIT_NOFILE);
    let wanted = libc::rlimit { rlim_cur: hard, rlim_max: hard };
    // SAFETY: the struct is read only; raising to the hard limit needs no privilege.
    if soft < hard && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &wanted) } != 0 {
        return soft;
    }
    hard
}

/// Client connections per shard. Each may need an upstream connection too.
pub fn connections_per_shard(files: u64, shards: u64, wanted: Option<usize>) -> Result<usize, String> {
    let possible = files.saturating_sub(RESERVED_FILES) / (2 * shards);
    let needed = |connections: u64| connections * 2 * shards + RESERVED_FILES;
    match wanted {
        Some(wanted) if wanted as u64 > possible => Err(format!(
            "--max-connections {wanted} on {shards} shards needs {} open files, but the limit is {files}: \
             raise it (ulimit -n, LimitNOFILE=) or ask for at most {possible}",
            needed(wanted as u64)
        )),
        Some(wanted) => Ok(wanted),
        None if possible < FEWEST_CONNECTIONS => Err(format!(
            "the limit of {files} open files is too low for {shards} shards: raise it to at least {} \
             (ulimit -n, LimitNOFILE=)",
            needed(FEWEST_CONNECTIONS)
        )),
        None => Ok(possible.min(USUAL_CONNECTIONS) as usize),
    }
}

/// The driver, and why it is that one.
pub fn driver(runtime: Runtime, ring: RingOptions) -> Result<(Driver, String), String> {
    match runtime {
        Runtime::Epoll => Ok((Driver::Epoll, "asked for".into())),
        Runtime::Auto | Runtime::IoUring => match probe(ring) {
            Ok(()) => Ok((Driver::IoUring, "available".into())),
            Err(why) if runtime == Runtime::Auto => Ok((Driver::Epoll, why)),
            Err(why) => Err(format!("--runtime io-uring: {why}; use --runtime auto to fall back to epoll")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::connections_per_shard;

    #[test]
    fn open_files_bound_connections() {
        assert_eq!(connections_per_shard(1 << 20, 4, None), Ok(16_384));
        assert_eq!(connections_per_shard(1_128, 2, None), Ok(250));
        assert_eq!(connections_per_shard(1_128, 2, Some(250)), Ok(250));
        assert!(connections_per_shard(1_128, 2, Some(251)).is_err_and(|why| why.contains("1132")));
        assert!(connections_per_shard(200, 2, None).is_err());
    }
}
