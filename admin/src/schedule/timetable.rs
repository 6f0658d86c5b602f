//! Which jobs are due now and when the next ones are. Pure: time, leadership and what is on record are told to it. It
//! runs nothing, and it never lets a job be due twice for the same time.

use super::job::{Job, Planned};
use crate::store::LastRun;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidegate_js::Per;
use tidegate_snapshot::Script;

/// Names a job of this node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobKey {
    /// `namespace/name` of the module.
    pub(crate) module: Arc<str>,
    /// Its place among the module's jobs.
    pub(crate) index: u16,
}

/// A job and where it stands.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) script: Arc<Script>,
    pub(crate) job: Job,
    /// Since when it is known here with these times.
    since_ms: u64,
    /// When it is due next.
    pub(crate) next_ms: Option<u64>,
    /// What was missed before this node led has been looked for.
    is_settled: bool,
    /// The run under way, by its ticket.
    pub(crate) running: Option<u64>,
    /// Times at which it was due and still ran.
    pub(crate) skipped: u64,
}

/// Something that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) key: JobKey,
    /// The time that it is due for, milliseconds since the epoch.
    pub(crate) due_ms: u64,
    /// It was due before this node led the cluster or was started.
    pub(crate) is_late: bool,
}

/// All jobs of this node.
#[derive(Debug, Default)]
pub(crate) struct Timetable {
    rows: BTreeMap<JobKey, Row>,
}

impl Timetable {
    /// Takes the jobs over as they are now. What is gone is due no more; what is the same keeps its times.
    pub(crate) fn install(&mut self, planned: Vec<Planned>, now_ms: u64) {
        let mut kept = BTreeSet::new();
        for Planned { script, jobs } in planned {
            for job in jobs.iter() {
                let key = JobKey { module: script.key.clone(), index: job.index };
                kept.insert(key.clone());
                match self.rows.get_mut(&key) {
                    Some(row) if row.job.times() == job.times() && row.job.per == job.per => {
                        (row.script, row.job) = (script.clone(), job.clone());
                    }
                    found => {
                        let (running, skipped) = found.map_or((None, 0), |row| (row.running, row.skipped));
                        let row = Row {
                            script: script.clone(),
                            job: job.clone(),
                            since_ms: now_ms,
                            next_ms: job.expression.next_after(now_ms),
                            is_settled: false,
                            running,
                            skipped,
                        };
                        self.rows.insert(key, row);
                    }
                }
            }
        }
        self.rows.retain(|key, _| kept.contains(key));
    }

    /// What is due by now, once: a second call at the same time answers nothing. Jobs of the cluster are due on the node
    /// that leads; when it begins to lead, each of them is due for the last time that is not on record, and no earlier
    /// one is made up.
    pub(crate) fn due(
        &mut self,
        now_ms: u64,
        leads: bool,
        on_record: &dyn Fn(&JobKey) -> Option<LastRun>,
    ) -> Vec<Due> {
        let mut due = Vec::new();
        for (key, row) in &mut self.rows {
            let mut add = |due_ms, is_late| due.push(Due { key: key.clone(), due_ms, is_late });
            let is_time = row.next_ms.is_some_and(|next| next <= now_ms);
            let expression = &row.job.expression;
            if row.job.per == Per::Cluster && !leads {
                row.is_settled = false;
            } else if row.job.per == Per::Cluster && !row.is_settled {
                row.is_settled = true;
                let record = on_record(key).filter(|record| record.times == row.job.times());
                let done_ms = record.map_or(row.since_ms, |record| record.due_ms);
                if let Some(last) = expression.last_until(now_ms).filter(|last| *last > done_ms) {
                    add(last, row.next_ms != Some(last));
                }
                row.next_ms = expression.next_after(now_ms);
            } else if is_time {
                // After a jump of the clock only the last of many times counts.
                add(expression.last_until(now_ms).or(row.next_ms).unwrap_or(now_ms), false);
            }
            if is_time {
                row.next_ms = expression.next_after(now_ms);
            }
        }
        due
    }

    /// The earliest time at which anything is due.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.rows.values().filter_map(|row| row.next_ms).min()
    }

    /// A job, while it is there.
    pub(crate) fn row(&mut self, key: &JobKey) -> Option<&mut Row> {
        self.rows.get_mut(key)
    }

    /// The jobs of a module, in order.
    pub(crate) fn of(&self, module: &str) -> impl Iterator<Item = (&JobKey, &Row)> {
        self.rows.iter().filter(move |(key, _)| &*key.module == module)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::expression::Expression;
    use super::*;
    use tidegate_snapshot::{ModuleLimits, ScriptFunctions};

    /// A module's jobs.
    pub(in crate::schedule) fn planned(module: &str, jobs: &[(&str, Per)]) -> Planned {
        let jobs = (0u16..).zip(jobs).map(|(index, (cron, per))| Job {
            index,
            cron: (*cron).into(),
            timezone: None,
            per: *per,
            expression: Expression::parse(cron, None).expect("fine"),
        });
        let script = Script {
            slot: 0,
            key: module.into(),
            namespace: "n".into(),
            modules: Box::default(),
            functions: ScriptFunctions::default(),
            limits: ModuleLimits::default(),
            permissions: Arc::default(),
        };
        Planned { script: Arc::new(script), jobs: jobs.collect() }
    }

    fn nothing(_: &JobKey) -> Option<LastRun> {
        None
    }

    fn record(times: &str, due_ms: u64) -> LastRun {
        LastRun { times: times.into(), due_ms, node: 1, began_ms: due_ms, outcome: None, ended_ms: None }
    }

    /// Names, times and lateness of what is due.
    fn due(
        table: &mut Timetable,
        now: u64,
        leads: bool,
        record: &dyn Fn(&JobKey) -> Option<LastRun>,
    ) -> Vec<String> {
        let due = table.due(now, leads, record);
        let show = |d: &Due| {
            format!("{}#{} {}{}", d.key.module, d.key.index, d.due_ms, if d.is_late { " late" } else { "" })
        };
        due.iter().map(show).collect()
    }

    #[test]
    fn a_job_is_due_once_for_each_time() {
        let mut table = Timetable::default();
        table.install(vec![planned("n/a", &[("@every 10s", Per::Node), ("@every 25s", Per::Node)])], 1_000);
        assert_eq!(table.next_ms(), Some(10_000));
        for (now, expected) in [
            (1_000, vec![]),
            (9_999, vec![]),
            (10_000, vec!["n/a#0 10000"]),
            (10_000, vec![]),
            (20_003, vec!["n/a#0 20000"]),
            (25_000, vec!["n/a#1 25000"]),
            // The machine slept.
            (3_600_001, vec!["n/a#0 3600000", "n/a#1 3600000"]),
            (3_600_002, vec![]),
            // The clock was set back.
            (50_000, vec![]),
        ] {
            assert_eq!(due(&mut table, now, true, &nothing), expected, "{now}");
        }
    }

    #[test]
    fn what_is_gone_or_changed_is_due_no_more() {
        let mut table = Timetable::default();
        let jobs = [("@every 10s", Per::Node), ("@every 10s", Per::Node)];
        table.install(vec![planned("n/a", &jobs), planned("n/b", &jobs[..1])], 0);
        // The same again, as a new script: its times stay.
        table.install(vec![planned("n/a", &jobs), planned("n/b", &jobs[..1])], 9_000);
        assert_eq!(due(&mut table, 10_000, true, &nothing), ["n/a#0 10000", "n/a#1 10000", "n/b#0 10000"]);
        table.install(vec![planned("n/a", &[("@every 1m", Per::Node)])], 12_000);
        assert_eq!(due(&mut table, 59_999, true, &nothing), Vec::<String>::new());
        assert_eq!(due(&mut table, 60_000, true, &nothing), ["n/a#0 60000"]);
        table.install(vec![], 61_000);
        assert_eq!((due(&mut table, 600_000, true, &nothing), table.next_ms()), (vec![], None));
    }

    #[test]
    fn jobs_of_the_cluster_are_due_where_it_is_led() {
        let mut table = Timetable::default();
        table.install(vec![planned("n/a", &[("@every 10s", Per::Cluster)])], 1_000);
        let none: [&str; 0] = [];
        assert_eq!(due(&mut table, 10_000, false, &nothing), none);
        assert_eq!(table.next_ms(), Some(20_000));
        // It begins to lead: the last time is made up unless it is on record, and only the last.
        assert_eq!(due(&mut table, 34_000, true, &|_| Some(record("@every 10s", 30_000))), none);
        assert_eq!(due(&mut table, 34_000, false, &nothing), none);
        assert_eq!(
            due(&mut table, 35_000, true, &|_| Some(record("@every 10s", 10_000))),
            ["n/a#0 30000 late"]
        );
        assert_eq!(due(&mut table, 36_000, true, &nothing), none);
        assert_eq!(due(&mut table, 40_000, true, &nothing), ["n/a#0 40000"]);
        // A record by other times says nothing.
        assert_eq!(due(&mut table, 41_000, false, &nothing), none);
        assert_eq!(
            due(&mut table, 45_000, true, &|_| Some(record("@every 1h", 44_000))),
            ["n/a#0 40000 late"]
        );
    }

    #[test]
    fn a_new_job_makes_nothing_up() {
        let mut table = Timetable::default();
        table
            .install(vec![planned("n/a", &[("@every 10s", Per::Cluster), ("@daily", Per::Cluster)])], 15_000);
        assert_eq!(due(&mut table, 15_000, true, &nothing), Vec::<String>::new());
        assert_eq!(due(&mut table, 20_000, true, &nothing), ["n/a#0 20000"]);
        // A leader that was elected just when it was due is not late.
        let mut table = Timetable::default();
        table.install(vec![planned("n/a", &[("@every 10s", Per::Cluster)])], 15_000);
        assert_eq!(due(&mut table, 20_000, true, &nothing), ["n/a#0 20000"]);
    }

    #[test]
    fn after_a_restart_one_missed_run_is_made_up() {
        let mut table = Timetable::default();
        table.install(
            vec![planned("n/a", &[("@every 10s", Per::Cluster), ("@every 10s", Per::Node)])],
            95_000,
        );
        let record = |_: &JobKey| Some(record("@every 10s", 30_000));
        assert_eq!(due(&mut table, 95_000, true, &record), ["n/a#0 90000 late"]);
        assert_eq!(due(&mut table, 100_000, true, &record), ["n/a#0 100000", "n/a#1 100000"]);
    }
}
