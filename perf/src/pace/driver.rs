//! The loop of a load at a fixed rate: one thread, one epoll, times in nanoseconds since the load's begin. It sleeps to
//! the nanosecond (`epoll_pwait2`) until a request is due or an answer is there, or with `spin` does not sleep at all.
//! Answers never change when a request is due; a request without a free connection waits, and its clock runs.

use super::connection::{Connection, Got, State, Under};
use super::outcome::Outcome;
use super::plan::{Plan, Request};
use super::schedule::Schedule;
use crate::{Failure, interrupt};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::thread::{CpuSet, sched_setaffinity, set_current_timer_slack};
use rustix::time::Timespec;
use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long all connections together may take to be made before the load begins.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that failed is tried again after this, in nanoseconds.
const REST_NS: u64 = 10_000_000;
/// Answers that are taken in one turn.
const EVENTS: usize = 256;

/// Runs a load on this thread.
pub(crate) fn drive(plan: &Plan) -> Result<Outcome, Failure> {
    plan.cpu.map_or(Ok(()), bind_to_cpu)?;
    // The default of 50 µs would be in every latency of a load that sleeps. Where it is refused, the lag tells.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
    let mut driver = Driver::new(plan)?;
    driver.open_all()?;
    driver.run()
}

/// Binds this thread to one CPU.
pub(crate) fn bind_to_cpu(cpu: usize) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|why| format!("cannot run on CPU {cpu}: {why}"))
}

struct Driver<'a> {
    plan: &'a Plan,
    request: Request,
    epoll: OwnedFd,
    begun: Instant,
    /// None: failed, and resting.
    connections: Vec<Option<Connection>>,
    /// Free ones; the longest free is taken first, so that all are used alike.
    idle: VecDeque<usize>,
    /// When failed ones are tried again.
    resting: VecDeque<(u64, usize)>,
    /// When requests were due that have no connection yet.
    waiting: VecDeque<u64>,
    /// Due times, connections and numbers of requests that were sent, in their order; answered ones may still be there.
    sent: VecDeque<(u64, usize, u64)>,
    busy: usize,
    number: u64,
    outcome: Outcome,
}

impl<'a> Driver<'a> {
    fn new(plan: &'a Plan) -> Result<Self, Failure> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|why| format!("no epoll: {why}"))?;
        Ok(Self {
            plan,
            request: plan.request.clone(),
            epoll,
            begun: Instant::now(),
            connections: Vec::new(),
            idle: VecDeque::new(),
            resting: VecDeque::new(),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            busy: 0,
            number: 0,
            outcome: Outcome::new(),
        })
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// Makes every connection before the clock runs.
    fn open_all(&mut self) -> Result<(), Failure> {
        for at in 0..self.plan.connections as usize {
            self.connections.push(None);
            self.open(at);
        }
        let mut buffer = vec![0; 1024];
        while self.idle.len() < self.connections.len() {
            interrupt::check()?;
            if self.outcome.errors.connect > 0 || self.begun.elapsed() > CONNECT {
                let (open, all) = (self.idle.len(), self.connections.len());
                return Err(format!("only {open} of {all} connections to {} came about", self.plan.address));
            }
            self.turn(Duration::from_millis(10).as_nanos() as u64, &mut buffer)?;
        }
        Ok(())
    }

    fn run(mut self) -> Result<Outcome, Failure> {
        let mut schedule = Schedule::new(self.plan.rate, self.plan.length.as_nanos() as u64, self.plan.seed);
        let mut buffer = vec![0; 64 * 1024];
        self.begun = Instant::now();
        for connection in self.connections.iter_mut().flatten() {
            connection.state = State::Idle(0);
        }
        loop {
            interrupt::check()?;
            let now = self.now();
            while let Some(due) = schedule.due(now) {
                self.outcome.due += 1;
                self.outcome.waited += u64::from(self.waiting.len() >= self.idle.len());
                self.waiting.push_back(due);
            }
            self.give_up(now);
            while self.resting.front().is_some_and(|(until, _)| *until <= now) {
                self.resting.pop_front().into_iter().for_each(|(_, at)| self.open(at));
            }
            self.send_waiting();
            let next_due = schedule.peek();
            if next_due.is_none() && self.waiting.is_empty() && self.busy == 0 {
                self.outcome.seconds = self.now() as f64 / 1e9;
                return Ok(self.outcome);
            }
            let rested = self.resting.front().map(|(until, _)| *until);
            let oldest = self.sent.front().map(|(due, ..)| due + self.timeout());
            let oldest_waiting = self.waiting.front().map(|due| due + self.timeout());
            let until = [next_due, rested, oldest, oldest_waiting].into_iter().flatten().min();
            let sleep = match self.plan.spin {
                true => 0,
                false => until.map_or(REST_NS, |until| until.saturating_sub(self.now())),
            };
            self.turn(sleep, &mut buffer)?;
        }
    }

    fn timeout(&self) -> u64 {
        self.plan.timeout.as_nanos() as u64
    }

    fn open(&mut self, at: usize) {
        let opened = Connection::open(self.plan.address).and_then(|connection| {
            let data = epoll::EventData::new_u64(at as u64);
            epoll::add(&self.epoll, &connection.stream, data, epoll::EventFlags::OUT)?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => self.connections[at] = Some(connection),
            Err(_) => self.failed_to_connect(at),
        }
    }

    fn failed_to_connect(&mut self, at: usize) {
        self.outcome.errors.connect += 1;
        self.connections[at] = None;
        self.resting.push_back((self.now() + REST_NS, at));
    }

    /// Counts what has waited or run for too long.
    fn give_up(&mut self, now: u64) {
        let late = |due: u64| now.saturating_sub(due) >= self.plan.timeout.as_nanos() as u64;
        while let Some(due) = self.waiting.front().copied().filter(|due| late(*due)) {
            self.waiting.pop_front();
            self.outcome.timed_out(now - due);
        }
        loop {
            let Some((due, at, number)) = self.sent.front().copied() else { return };
            let open = self.connections[at].as_ref().is_some_and(
                |connection| matches!(connection.state, State::Busy(under) if under.number == number),
            );
            match (open, now.saturating_sub(due) >= self.timeout()) {
                (true, false) => return,
                (true, true) => {
                    self.outcome.timed_out(now - due);
                    self.busy -= 1;
                    self.open(at);
                }
                (false, _) => {}
            }
            self.sent.pop_front();
        }
    }

    fn send_waiting(&mut self) {
        while !self.waiting.is_empty() {
            let Some(at) = self.idle.pop_front() else { return };
            // One that was closed since, and opened again, is in the queue twice or not idle.
            let Some(connection) = &mut self.connections[at] else { continue };
            let State::Idle(since) = connection.state else { continue };
            let Some(due) = self.waiting.pop_front() else { return };
            let sent = self.begun.elapsed().as_nanos() as u64;
            self.outcome.lag.saturating_record(sent - due.max(since).min(sent));
            connection.state = State::Busy(Under { due, sent, number: self.number });
            self.sent.push_back((due, at, self.number));
            self.busy += 1;
            let works = connection.send(self.request.numbered(self.number));
            self.number += 1;
            if !works {
                self.lost(at);
            } else if connection.has_unsent() {
                self.interest(at, epoll::EventFlags::IN | epoll::EventFlags::OUT);
            }
        }
    }

    fn interest(&mut self, at: usize, flags: epoll::EventFlags) {
        let Some(connection) = &self.connections[at] else { return };
        let data = epoll::EventData::new_u64(at as u64);
        if epoll::modify(&self.epoll, &connection.stream, data, flags).is_err() {
            self.lost(at);
        }
    }

    /// A connection has ended, with or without an exchange on it.
    fn lost(&mut self, at: usize) {
        match self.connections[at].take().map(|connection| connection.state) {
            Some(State::Busy(_)) => {
                self.busy -= 1;
                self.outcome.errors.closed += 1;
                self.open(at);
            }
            Some(State::Idle(_)) => {
                self.outcome.reconnected += 1;
                self.idle.retain(|other| *other != at);
                self.open(at);
            }
            Some(State::Connecting) => self.failed_to_connect(at),
            None => {}
        }
    }

    /// Waits that long for something to happen, and handles it.
    fn turn(&mut self, sleep_ns: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let mut events = Vec::with_capacity(EVENTS);
        let sleep = Timespec {
            tv_sec: (sleep_ns / 1_000_000_000) as i64,
            tv_nsec: (sleep_ns % 1_000_000_000) as i64,
        };
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&sleep)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(format!("epoll: {why}")),
        }
        // All of them are there now, whatever it takes to read them one after the other.
        let now = self.now();
        for event in events {
            self.handle(event.data.u64() as usize, event.flags, now, buffer);
        }
        Ok(())
    }

    fn handle(&mut self, at: usize, flags: epoll::EventFlags, now: u64, buffer: &mut [u8]) {
        let Some(connection) = &mut self.connections[at] else { return };
        if let State::Connecting = connection.state {
            if !connection.connected() {
                return self.lost(at);
            }
            connection.state = State::Idle(now);
            self.idle.push_back(at);
            return self.interest(at, epoll::EventFlags::IN);
        }
        if connection.has_unsent() && flags.contains(epoll::EventFlags::OUT) {
            if !connection.send_rest() {
                return self.lost(at);
            }
            if !connection.has_unsent() {
                self.interest(at, epoll::EventFlags::IN);
            }
            return;
        }
        match (connection.read(buffer), &connection.state) {
            (Got::More, _) => {}
            (Got::Ended(ended), State::Busy(under)) => {
                self.outcome.answered(now - under.due.min(now), now - under.sent.min(now), ended.status);
                self.busy -= 1;
                connection.state = State::Idle(now);
                if ended.keep {
                    self.idle.push_back(at);
                } else {
                    self.lost(at);
                }
            }
            (Got::NotHttp, _) | (Got::Ended(_), _) => {
                self.outcome.errors.not_http += 1;
                self.drop_broken(at);
            }
            (Got::Closed, _) => self.lost(at),
        }
    }

    /// Gives up a connection whose answers cannot be read; the fault is counted already.
    fn drop_broken(&mut self, at: usize) {
        if let Some(State::Busy(_)) = self.connections[at].take().map(|connection| connection.state) {
            self.busy -= 1;
        }
        self.idle.retain(|other| *other != at);
        self.open(at);
    }
}
