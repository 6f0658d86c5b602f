//! What was measured on, and when: the figures mean nothing without it. Only reads what the kernel says.

use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// The machine, the moment, and the state of the sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// UTC, `2026-11-21 19:10`.
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) processors: usize,
    /// Below a hypervisor.
    pub(crate) virtual_machine: bool,
    pub(crate) kernel: String,
    /// TCP's congestion control: bbr paces on the loopback device as well.
    pub(crate) congestion: String,
    /// As git describes the sources in this folder, where it does.
    pub(crate) commit: Option<String>,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (processor, processors, virtual_machine) = processor(&read("/proc/cpuinfo"));
        let git = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=10"]).output();
        let commit = git.ok().filter(|told| told.status.success()).map(|told| told.stdout);
        Self {
            date: now(),
            processor,
            processors,
            virtual_machine,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            congestion: read("/proc/sys/net/ipv4/tcp_congestion_control").trim().to_owned(),
            commit: commit.map(|text| String::from_utf8_lossy(&text).trim().to_owned()),
        }
    }

    /// One line for a reader.
    pub(crate) fn line(&self) -> String {
        let kind = if self.virtual_machine { " (virtual machine)" } else { "" };
        let commit = self.commit.as_ref().map(|commit| format!(", commit {commit}")).unwrap_or_default();
        format!(
            "{} UTC; {}, {} CPUs{kind}; Linux {}, {}{commit}",
            self.date, self.processor, self.processors, self.kernel, self.congestion
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({"date": self.date, "processor": self.processor, "processors": self.processors,
            "virtual_machine": self.virtual_machine, "kernel": self.kernel, "congestion_control": self.congestion, "commit": self.commit})
    }
}

/// Model, number, and whether a hypervisor shows itself.
fn processor(cpuinfo: &str) -> (String, usize, bool) {
    let values = |name: &'static str| {
        cpuinfo.lines().filter_map(move |line| line.split_once(':').filter(|(key, _)| key.trim() == name))
    };
    let model = values("model name").next().map_or("unknown processor", |(_, model)| model.trim());
    let flags = values("flags").next().map_or("", |(_, flags)| flags);
    (model.to_owned(), values("processor").count(), flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

/// The time now.
fn now() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    date(i64::try_from(since.as_secs()).unwrap_or_default())
}

/// A time, in seconds since 1970, as UTC to the minute.
pub(crate) fn date(seconds: i64) -> String {
    // SAFETY: the call gets valid pointers to values on the stack; it writes the whole struct or none of it.
    let time = unsafe {
        let mut time = std::mem::zeroed::<libc::tm>();
        libc::gmtime_r(&seconds, &mut time);
        time
    };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}",
        time.tm_year + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_described() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu hypervisor\n\n\
                       processor\t: 1\nmodel name\t: Some CPU\nflags\t\t: fpu hypervisor\n";
        assert_eq!(processor(cpuinfo), ("Some CPU".into(), 2, true));
        assert_eq!(date(1_795_293_362), "2026-11-21 20:36");
        assert_eq!(processor(""), ("unknown processor".into(), 0, false));
        let line = Machine::here().line();
        assert!(line.starts_with("20") && line.contains("Linux "), "{line}");
    }
}
