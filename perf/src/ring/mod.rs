//! Ways of using io_uring for what a gateway does, side by side: one thread relays bytes on one ring, four operations a
//! request, and its own CPU time is what counts. Load and upstream are another thread on another CPU. Sockets are made
//! anew for every run, since what one way switches on in the kernel must not be in the time of the next.

mod buffers;
mod load;
mod message;
mod relay;
mod show;
mod way;

use crate::arguments::{Output, Ring};
use crate::pace::bind_to_cpu;
use crate::{Failure, child, interrupt};
use load::Sockets;
use relay::{Figures, Relay};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use way::{WAYS, Way};

/// Relayed before anything counts.
const WARM_UP: Duration = Duration::from_millis(100);

/// Before each run: the kernel switches time stamps of packets on and off in the background.
const REST: Duration = Duration::from_millis(10);

/// What one number of connections gave.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) connections: usize,
    /// In the order of [`ways`]; the first is what the others are divided by.
    pub(crate) rows: Vec<Row>,
}

/// One way, and its figures in the order of the rounds.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) way: &'static Way,
    pub(crate) rounds: Vec<Figures>,
}

/// What `tidegate-perf ring` prints.
pub(crate) fn run(options: &Ring) -> Result<String, Failure> {
    child::raise_file_limit();
    let ways = ways(&options.only)?;
    let measured = options.connections.iter().map(|connections| {
        let mut rows: Vec<Row> = ways.iter().map(|way| Row { way, rounds: Vec::new() }).collect();
        for round in 0..options.rounds {
            eprintln!("{connections} connections, round {}/{}", round + 1, options.rounds);
            // There and back: what changes slowly on the machine falls on all alike.
            let there = round % 2 == 0;
            for step in 0..rows.len() {
                let at = if there { step } else { rows.len() - 1 - step };
                let figures = one_run(rows[at].way, *connections as usize, options)?;
                rows[at].rounds.push(figures);
                interrupt::check()?;
            }
        }
        Ok(Measured { connections: *connections as usize, rows })
    });
    let measured = measured.collect::<Result<Vec<_>, Failure>>()?;
    Ok(match options.output {
        Output::Table => show::table(&measured),
        Output::Json => format!("{:#}\n", show::json(&measured)),
    })
}

/// The plain way, and the others that were asked for, or all.
fn ways(only: &[String]) -> Result<Vec<&'static Way>, Failure> {
    if let Some(wrong) = only.iter().find(|name| !WAYS.iter().any(|way| way.name == name.as_str())) {
        let names: Vec<&str> = WAYS.iter().map(|way| way.name).collect();
        return Err(format!("no way is called {wrong:?}; there are {}", names.join(", ")));
    }
    let asked = |(at, way): &(usize, &Way)| *at == 0 || only.is_empty() || only.iter().any(|n| n == way.name);
    Ok(WAYS.iter().enumerate().filter(asked).map(|(_, way)| way).collect())
}

fn one_run(way: &'static Way, connections: usize, options: &Ring) -> Result<Figures, Failure> {
    let failed = |why| format!("{} with {connections} connections: {why}", way.name);
    let Sockets { near, far } =
        load::sockets(connections).map_err(|why| failed(format!("no connections: {why}")))?;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let relaying = scope.spawn(|| {
            bind_to_cpu(options.cpu)?;
            let figures = Relay::new(way, &near)
                .and_then(|relay| {
                    thread::sleep(REST);
                    relay.run(WARM_UP, options.length)
                })
                .map_err(|why| failed(why.to_string()));
            ended.store(true, Ordering::Release);
            // Closed only now that nothing in the ring holds them.
            drop(near);
            figures
        });
        let loading = scope.spawn(|| {
            bind_to_cpu(options.load_cpu)?;
            load::drive(&far, options.work, &ended).map_err(|why| failed(format!("the load: {why}")))
        });
        let figures = relaying.join().map_err(|_| "the relay's thread panicked")?;
        // Whatever ended the relay, the load is not to wait for it.
        ended.store(true, Ordering::Release);
        let loaded = loading.join().map_err(|_| "the load's thread panicked")?;
        figures.and_then(|figures| loaded.map(|()| figures))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_way_is_always_there_and_wrong_names_are_refused() {
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|name| (*name).into()).collect();
            ways(&only).map(|ways| ways.iter().map(|way| way.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).map(|all| all.len()), Ok(WAYS.len()));
        assert_eq!(names(&["fixed"]), Ok(vec!["plain", "fixed"]));
        assert_eq!(names(&["plain"]), Ok(vec!["plain"]));
        assert!(names(&["fast"]).is_err_and(|why| why.contains("\"fast\"") && why.contains("multishot")));
    }

    #[test]
    fn every_way_relays_what_it_was_sent() {
        let options = Ring {
            only: Vec::new(),
            connections: Vec::new(),
            rounds: 1,
            length: Duration::from_millis(20),
            work: Duration::ZERO,
            cpu: 0,
            load_cpu: 0,
            output: Output::Json,
        };
        for way in &WAYS {
            let figures = match one_run(way, 5, &options) {
                // Where there is no io_uring, or an old one, there is nothing to measure.
                Err(why) if why.contains("os error 1)") || why.contains("os error 38)") => return,
                Err(why) if why.contains("it needs Linux") => continue,
                outcome => outcome.expect(way.name),
            };
            assert!(figures.requests > 0 && figures.cpu_ns > 0, "{}: {figures:?}", way.name);
            let stamped = way.receive.stamp_every();
            assert_eq!(figures.stamps > 0, stamped > 0, "{}: {figures:?}", way.name);
        }
    }
}
