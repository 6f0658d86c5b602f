//! What a reader of a comparison has to know of how it was made, for every output alike. Says only what is so in every run,
//! or what this run's own report shows; what disturbed a run are its warnings.

use crate::report::Report;

const PEERS: &str = "Every peer has the configuration that is best for it here: one worker or thread on the same CPU, kept \
    upstream connections, no log, no tracing, the same fields told to the service.";
const DEFERRED: &str = "Where each request has a connection of its own, connections are taken with their first bytes \
    (TCP_DEFER_ACCEPT) by everyone that can be told to: Tidegate by default, nginx, HAProxy and Envoy by their \
    configuration; Traefik, Caddy, Pingora and DGate have no setting for it.";
const CLOSED: &str = "Closed loop: each connection asks again when it is answered, so that whoever is faster is asked more \
    often. Load and upstream share a CPU and mostly fill it before the gateway fills its own: requests/s and latencies are \
    then of all three, and the gateway idles in between. Less comes at once then, and each wake-up is for fewer requests: CPU \
    per request is then not that of a gateway that is full, for nobody here.";
const PACED: &str = "Fixed rate: open loop, all are asked equally often, half of what the baseline takes in a closed loop \
    (the best of three) unless --rate says otherwise; latencies are from when a request was due.";
const GIVEN: &str = "Tidegate is a binary that was given (--tidegate): the commit is that of the sources of this command, not \
    of the binary.";

/// Every note, each a sentence or more.
pub(crate) fn notes(report: &Report) -> Vec<&'static str> {
    let any = |of: &dyn Fn(&crate::workload::Workload) -> bool| {
        report.workloads.iter().any(|measured| of(&measured.workload))
    };
    let told = [
        (PEERS, true),
        (DEFERRED, any(&|workload| workload.exchange().close)),
        (CLOSED, any(&|workload| !workload.paced())),
        (PACED, any(&|workload| workload.paced())),
        (GIVEN, report.given),
    ];
    told.into_iter().filter(|(_, so)| *so).map(|(note, _)| note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample_report;
    use crate::workload::Workload;

    #[test]
    fn notes_are_of_what_was_measured() {
        let mut report = sample_report();
        assert_eq!(notes(&report), [PEERS, CLOSED]);
        report.workloads[0].workload = Workload::NewConnections;
        assert_eq!(notes(&report), [PEERS, DEFERRED, CLOSED]);
        report.workloads[0].workload = Workload::FixedRate;
        report.given = true;
        assert_eq!(notes(&report), [PEERS, PACED, GIVEN]);
    }
}
