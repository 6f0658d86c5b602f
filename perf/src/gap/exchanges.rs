//! From the packets of a gateway's two sides to the time each exchange spent between them. Pure. An exchange of which a
//! packet is missing is counted as such and has no time.

use super::packet::{Segment, Way};
use crate::pace::histogram;
use hdrhistogram::Histogram;
use std::collections::HashMap;

/// What one exchange's packets say; nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
struct Exchange {
    /// The last packet of the client's request before the gateway sent it on.
    request_in: u64,
    /// The first packet of the request to the upstream.
    request_out: u64,
    /// The last packet of the upstream's response.
    response_in: u64,
    /// The last packet of the response to the client.
    response_out: u64,
}

/// Times of whole exchanges, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// From the request's arrival to its leaving for the upstream.
    pub(crate) request: Histogram<u64>,
    /// From the response's arrival to its leaving for the client.
    pub(crate) response: Histogram<u64>,
    /// Both: the gateway's time.
    pub(crate) gateway: Histogram<u64>,
    /// From the request's arrival at the gateway to the response's leaving.
    pub(crate) total: Histogram<u64>,
    /// Exchanges of which the capture lacks a packet.
    pub(crate) incomplete: u64,
}

/// Puts packets, in the order of their time, together.
pub(crate) fn exchanges(segments: &[Segment]) -> Seen {
    let mut exchanges: HashMap<u64, Exchange> = HashMap::new();
    // Which exchange a connection is busy with; a new request on it ends the one before.
    let mut clients: HashMap<u16, u64> = HashMap::new();
    let mut upstreams: HashMap<u16, u64> = HashMap::new();
    for Segment { at, way, connection, number } in segments.iter().copied() {
        let current = match way {
            Way::RequestIn | Way::ResponseOut => &mut clients,
            Way::RequestOut | Way::ResponseIn => &mut upstreams,
        };
        if let Some(number) = number {
            current.insert(connection, number);
        }
        let Some(exchange) = current.get(&connection).map(|number| exchanges.entry(*number).or_default())
        else {
            continue;
        };
        match way {
            Way::RequestIn if exchange.request_out == 0 => exchange.request_in = at,
            Way::RequestOut if exchange.request_out == 0 => exchange.request_out = at,
            // What follows the first packet of a body goes through while it comes in.
            Way::RequestIn | Way::RequestOut => {}
            Way::ResponseIn => exchange.response_in = at,
            Way::ResponseOut => exchange.response_out = at,
        }
    }
    let mut seen = Seen {
        request: histogram(),
        response: histogram(),
        gateway: histogram(),
        total: histogram(),
        incomplete: 0,
    };
    for exchange in exchanges.values() {
        seen.add(*exchange);
    }
    seen
}

impl Seen {
    fn add(&mut self, Exchange { request_in, request_out, response_in, response_out }: Exchange) {
        let legs = (request_out.checked_sub(request_in), response_out.checked_sub(response_in));
        match legs {
            (Some(request), Some(response)) if request_in > 0 && response_in > 0 => {
                self.request.saturating_record(request);
                self.response.saturating_record(response);
                self.gateway.saturating_record(request + response);
                self.total.saturating_record(response_out - request_in);
            }
            _ => self.incomplete += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Way::{RequestIn, RequestOut, ResponseIn, ResponseOut};

    #[test]
    fn packets_make_exchanges() {
        let check = |packets: &[(u64, Way, u16, Option<u64>)], gateway: &[u64], total: &[u64], incomplete| {
            let segments: Vec<Segment> = packets
                .iter()
                .map(|(at, way, connection, number)| Segment {
                    at: *at,
                    way: *way,
                    connection: *connection,
                    number: *number,
                })
                .collect();
            let seen = exchanges(&segments);
            let values = |histogram: &Histogram<u64>| -> Vec<u64> {
                histogram
                    .iter_recorded()
                    .flat_map(|step| vec![step.value_iterated_to(); step.count_at_value() as usize])
                    .collect()
            };
            assert_eq!(values(&seen.gateway), gateway, "{packets:?}");
            assert_eq!((values(&seen.total), seen.incomplete), (total.to_vec(), incomplete), "{packets:?}");
        };
        check(&[], &[], &[], 0);
        // 5 on the way in, 7 on the way out.
        let one = [
            (100, RequestIn, 4000, Some(1)),
            (105, RequestOut, 5000, Some(1)),
            (190, ResponseIn, 5000, None),
            (197, ResponseOut, 4000, None),
        ];
        check(&one, &[12], &[97], 0);
        // Two on one client connection, through two upstream connections; answers in several packets.
        let mut two = one.to_vec();
        two.extend([
            (200, RequestIn, 4000, Some(2)),
            (201, RequestIn, 4000, None),
            (203, RequestOut, 5001, Some(2)),
            (250, ResponseIn, 5001, None),
            (251, ResponseOut, 4000, None),
            (260, ResponseIn, 5001, None),
            (264, ResponseOut, 4000, None),
        ]);
        check(&two, &[6, 12], &[63, 97], 0);
        // Side by side on crossed connections.
        check(
            &[
                (100, RequestIn, 4000, Some(1)),
                (101, RequestIn, 4001, Some(2)),
                (103, RequestOut, 5001, Some(2)),
                (104, RequestOut, 5000, Some(1)),
                (150, ResponseIn, 5000, None),
                (151, ResponseOut, 4000, None),
                (152, ResponseIn, 5001, None),
                (155, ResponseOut, 4001, None),
            ],
            &[5, 5],
            &[51, 54],
            0,
        );
        // A lost packet, an exchange that never reached the upstream, bytes of nobody.
        check(&one[..3], &[], &[], 1);
        check(&one[1..], &[], &[], 1);
        check(&[one[0], one[3]], &[], &[], 1);
        check(&one[2..], &[], &[], 0);
    }
}
