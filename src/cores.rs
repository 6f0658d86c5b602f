//! Which CPUs the shards run on, and which shard on which.

use crate::topology::Topology;

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

/// What `--cpus` chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// In the order in which shards take them.
    pub cpus: Vec<usize>,
    /// Whether shards are bound to them.
    pub is_bound: bool,
}

/// `any`, or a list of CPUs, ranges and `node:N`, of which `physical` keeps one CPU per core. Every CPU that is named
/// must be one this process may use; of a node those are taken that it may use.
pub fn choose(text: Option<&str>, available: &[usize], topology: &Topology) -> Result<Choice, String> {
    let Some(text) = text else { return Ok(Choice { cpus: available.to_vec(), is_bound: true }) };
    if text == "any" {
        return Ok(Choice { cpus: available.to_vec(), is_bound: false });
    }
    let (mut cpus, mut is_physical, mut is_named) = (Vec::new(), false, false);
    for part in text.split(',').map(str::trim) {
        if part == "physical" {
            is_physical = true;
            continue;
        }
        is_named = true;
        let of_part = match part.strip_prefix("node:") {
            Some(node) => node_cpus(node, available, topology)?,
            None => named_cpus(part, available)?,
        };
        cpus.extend(of_part);
    }
    if !is_named {
        cpus = available.to_vec();
    }
    if is_physical {
        let mut seen = Vec::new();
        cpus.retain(|cpu| {
            let core = topology.core_of(*cpu);
            let is_first = !seen.contains(&core);
            seen.push(core);
            is_first
        });
    }
    Ok(Choice { cpus, is_bound: true })
}

fn node_cpus(text: &str, available: &[usize], topology: &Topology) -> Result<Vec<usize>, String> {
    let nodes = || topology.nodes().iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let node = text
        .parse()
        .ok()
        .filter(|node| topology.nodes().contains(node))
        .ok_or_else(|| format!("--cpus: there is no node '{text}' on this host; it has {}", nodes()))?;
    let cpus: Vec<usize> = topology.cpus_of(node).into_iter().filter(|cpu| available.contains(cpu)).collect();
    if cpus.is_empty() {
        return Err(format!(
            "--cpus: this process may use no CPU of node {node}; it may use {}",
            show(available)
        ));
    }
    Ok(cpus)
}

fn named_cpus(part: &str, available: &[usize]) -> Result<Vec<usize>, String> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let number = |text: &str| {
        text.trim().parse::<usize>().map_err(|_| {
            format!("--cpus: '{part}' is no CPU or range of CPUs, as in 0-3,8; also: any, physical, node:0")
        })
    };
    let (first, last) = (number(first)?, number(last)?);
    if last < first || last - first >= libc::CPU_SETSIZE as usize {
        return Err(format!("--cpus: '{part}' is no range"));
    }
    match (first..=last).find(|cpu| !available.contains(cpu)) {
        Some(cpu) => {
            Err(format!("--cpus: this process may not use CPU {cpu}; it may use {}", show(available)))
        }
        None => Ok((first..=last).collect()),
    }
}

/// Which shard runs where, as `0:2@0 1:3@0` (shard, CPU, node), for the log.
pub fn mapping(choice: &Choice, shards: u16, topology: &Topology) -> String {
    if !choice.is_bound {
        return "any".into();
    }
    let one = |shard: usize| {
        let cpu = choice.cpus[shard % choice.cpus.len()];
        format!("{shard}:{cpu}@{}", topology.node_of(cpu))
    };
    (0..usize::from(shards)).map(one).collect::<Vec<_>>().join(" ")
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
    use crate::topology::tests::{TWO_SOCKETS, host};

    #[test]
    fn choices_of_cpus() {
        let root = host(TWO_SOCKETS);
        let topology = Topology::read(root.path());
        let all = [0, 1, 2, 3, 4, 5, 6, 7];
        let some = [0, 1, 2, 3];
        for (text, available, expected) in [
            (None, &some[..], Ok((vec![0, 1, 2, 3], true))),
            (Some("any"), &all, Ok((all.to_vec(), false))),
            (Some("0"), &all, Ok((vec![0], true))),
            (Some("1-3,7"), &all, Ok((vec![1, 2, 3, 7], true))),
            (Some("7,0"), &all, Ok((vec![7, 0], true))),
            (Some("physical"), &all, Ok((vec![0, 1, 2, 3], true))),
            (Some("physical"), &all[4..], Ok((vec![4, 5, 6, 7], true))),
            (Some("node:1"), &all, Ok((vec![2, 3, 6, 7], true))),
            (Some("node:1,physical"), &all, Ok((vec![2, 3], true))),
            (Some("physical,node:1,0,4"), &all, Ok((vec![2, 3, 0], true))),
            (Some("node:1"), &some, Ok((vec![2, 3], true))),
            (Some("node:1"), &some[..2], Err("may use no CPU of node 1")),
            (Some("node:2"), &all, Err("no node '2'")),
            (Some("node:"), &all, Err("no node ''")),
            (Some("4"), &some, Err("may not use CPU 4")),
            (Some("3-1"), &all, Err("no range")),
            (Some("x"), &all, Err("no CPU")),
            (Some(""), &all, Err("no CPU")),
            (Some("any,1"), &all, Err("no CPU")),
        ] {
            let found = choose(text, available, &topology).map(|choice| (choice.cpus, choice.is_bound));
            match expected {
                Ok(expected) => assert_eq!(found, Ok(expected), "{text:?}"),
                Err(part) => {
                    assert!(found.as_ref().is_err_and(|why| why.contains(part)), "{text:?}: {found:?}")
                }
            }
        }
    }

    #[test]
    fn who_runs_where() {
        let root = host(TWO_SOCKETS);
        let topology = Topology::read(root.path());
        let choice = Choice { cpus: vec![1, 6], is_bound: true };
        assert_eq!(mapping(&choice, 3, &topology), "0:1@0 1:6@1 2:1@0");
        assert_eq!(mapping(&Choice { is_bound: false, ..choice }, 3, &topology), "any");
        assert_eq!(show(&[0, 1, 2, 3, 8]), "0-3,8");
    }
}
