//! Where the time of one exchange went, put together from clock readings that the stages take where something is waited
//! for, and only there. What is in none of the spans is the gateway's own.

use std::future::poll_fn;
use std::pin::pin;
use tidegate_reactor::clock;

/// The spans of an exchange so far, in nanoseconds; 0 where it had none. They do not overlap, and attempts add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spans {
    /// Functions of modules, and bodies that modules write, with all that they wait for.
    pub module_ns: u64,
    /// Connections to the upstream: made, or tried in vain.
    pub connect_ns: u64,
    /// From a request handed to the kernel to the read that brought its response's head, or to the attempt's end.
    pub first_byte_ns: u64,
    /// From where the rest of the upstream's body was first waited for to the response's end, less the client's waits.
    pub transfer_ns: u64,
    /// Waits that have no phase: for the client's body, for room in a socket, before a retry, for a name.
    pub waited_ns: u64,
}

impl Spans {
    /// Waits for something that has no phase. No clock is read for what is there already.
    pub async fn wait<T>(&mut self, future: impl Future<Output = T>) -> T {
        let (mut future, mut began_ns) = (pin!(future), None);
        let out = poll_fn(|context| {
            let polled = future.as_mut().poll(context);
            if polled.is_pending() {
                began_ns.get_or_insert_with(clock::precise_ns);
            }
            polled
        })
        .await;
        self.waited_ns += began_ns.map_or(0, |began_ns| clock::turn_ns().saturating_sub(began_ns));
        out
    }

    /// Makes the spans of a total that is over no longer than it. Clocks are read for some of them where the ring's turn
    /// began and for others where it is now, so that they can reach over their end by a turn: what is too much is nobody's
    /// wait, and then nobody's transfer.
    pub fn settle(&mut self, total_ns: u64) {
        let mut excess_ns = self.others_ns().saturating_sub(total_ns);
        let Self { module_ns, connect_ns, first_byte_ns, transfer_ns, waited_ns } = self;
        for span in [waited_ns, transfer_ns, first_byte_ns, connect_ns, module_ns] {
            let less_ns = excess_ns.min(*span);
            *span -= less_ns;
            excess_ns -= less_ns;
        }
    }

    fn others_ns(&self) -> u64 {
        self.module_ns + self.connect_ns + self.first_byte_ns + self.transfer_ns + self.waited_ns
    }

    /// What of a total was the gateway's own.
    pub fn tax_ns(&self, total_ns: u64) -> u64 {
        total_ns.saturating_sub(self.others_ns())
    }
}

#[cfg(test)]
mod tests {
    use super::Spans;

    #[test]
    fn what_nothing_else_took_is_tax() {
        let spans =
            Spans { module_ns: 1, connect_ns: 10, first_byte_ns: 100, transfer_ns: 1_000, waited_ns: 10_000 };
        for (total, tax) in [(11_111, 0), (11_118, 7), (0, 0)] {
            assert_eq!(spans.tax_ns(total), tax);
        }
        assert_eq!(Spans::default().tax_ns(5), 5);
    }

    #[test]
    fn spans_are_settled_within_their_total() {
        let spans = Spans { module_ns: 1, connect_ns: 2, first_byte_ns: 4, transfer_ns: 8, waited_ns: 16 };
        for (total, waited, transfer) in
            [(40, 16, 8), (31, 16, 8), (30, 15, 8), (15, 0, 8), (10, 0, 3), (7, 0, 0)]
        {
            let mut settled = spans;
            settled.settle(total);
            assert_eq!((settled.waited_ns, settled.transfer_ns), (waited, transfer), "{total}");
            assert_eq!(settled.others_ns() + settled.tax_ns(total), total);
        }
    }
}
