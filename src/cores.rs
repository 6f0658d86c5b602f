//! Which CPUs the shards run on.

/// The CPUs this process may use.
pub fn available() -> Vec<usize> {
    // SAFETY: the set is plain memory, filled by the call and read within its bounds.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return vec![0];
        }
        (0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &set)).collect()
    }
}

/// `0-3,8` as a list; every CPU must be one this process may use.
pub fn parse(list: &str, available: &[usize]) -> Result<Vec<usize>, String> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            text.trim()
                .parse::<usize>()
                .map_err(|_| format!("--cpus: '{part}' is no CPU or range of CPUs, as in 0-3,8"))
        };
        let (first, last) = (number(first)?, number(last)?);
        if last < first || last - first >= libc::CPU_SETSIZE as usize {
            return Err(format!("--cpus: '{part}' is no range"));
        }
        cpus.extend(first..=last);
    }
    match cpus.iter().find(|cpu| !available.contains(cpu)) {
        Some(cpu) => {
            Err(format!("--cpus: this process may not use CPU {cpu}; it may use {}", show(available)))
        }
        None => Ok(cpus),
    }
}

/// A list as `0-3,8`.
pub fn show(cpus: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => parts.push((cpu, cpu)),
        }
    }
    let text = parts.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") });
    text.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        let available = [0, 1, 2, 3, 8];
        for (list, expected) in [
            ("0", Some(vec![0])),
            ("0-3,8", Some(vec![0, 1, 2, 3, 8])),
            ("8,0", Some(vec![8, 0])),
            ("4", None),
            ("3-1", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(parse(list, &available).ok(), expected, "{list}");
        }
        assert_eq!(show(&available), "0-3,8");
    }
}
