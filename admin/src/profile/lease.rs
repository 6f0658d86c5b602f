//! For how long shards keep rows by route, service or module: as long as somebody asks. Everybody who asks renews it, and
//! what nobody renews runs out by itself, at the shards too. It says what the shards should be told and tells nobody.

use tidegate_snapshot::{Scope, Scopes};

/// The shards are told again when less than this is left, in milliseconds.
const RENEW_MS: u64 = 2_000;

/// Who is asked for until when.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// By scope, milliseconds since 1970.
    until_ms: [u64; 3],
    /// What the shards were told last.
    told: Option<(Scopes, u64)>,
}

impl Leases {
    /// Somebody wants rows of a scope for so long.
    pub(super) fn renew(&mut self, scope: Scope, now_ms: u64, for_ms: u64) {
        let until = &mut self.until_ms[scope as usize];
        *until = (*until).max(now_ms.saturating_add(for_ms));
    }

    /// What is asked for.
    pub(super) fn asked(&self, now_ms: u64) -> Scopes {
        let is = |scope: Scope| self.until_ms[scope as usize] > now_ms;
        Scopes { routes: is(Scope::Route), services: is(Scope::Service), modules: is(Scope::Module) }
    }

    /// What the shards must be told now, if anything. It counts as told.
    pub(super) fn order(&mut self, now_ms: u64) -> Option<(Scopes, u64)> {
        let asked = self.asked(now_ms);
        let until = self.until_ms.into_iter().max().unwrap_or(0);
        // What has run out is forgotten at the shards as well.
        let (known, known_until) = self.told.filter(|told| told.1 > now_ms).unwrap_or_default();
        let is_news = asked != known || (until > known_until && known_until < now_ms + RENEW_MS);
        let order = (asked.any() || known.any()).then_some((asked, until)).filter(|_| is_news)?;
        self.told = Some(order);
        Some(order)
    }

    /// The shards were not told after all.
    pub(super) fn untold(&mut self) {
        self.told = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(names: &str) -> Scopes {
        Scopes { routes: names.contains('r'), services: names.contains('s'), modules: names.contains('m') }
    }

    #[test]
    fn shards_are_told_when_it_matters() {
        let (route, module) = (Some(Scope::Route), Some(Scope::Module));
        let mut leases = Leases::default();
        // When, who asks for how long, and what the shards are told.
        for (now, asks, told) in [
            (1_000, None, None),
            (1_000, route.zip(Some(10_000)), Some(("r", 11_000))),
            (2_000, route.zip(Some(10_000)), None),
            (9_500, route.zip(Some(10_000)), Some(("r", 19_500))),
            (9_600, module.zip(Some(3_000)), Some(("rm", 19_500))),
            // The module's time is over, the route's is not.
            (13_000, None, Some(("r", 19_500))),
            (13_001, route.zip(Some(1)), None),
            // All over: the shards know.
            (20_000, None, None),
            (30_000, module.zip(Some(5_000)), Some(("m", 35_000))),
        ] {
            if let Some((scope, ms)) = asks {
                leases.renew(scope, now, ms);
            }
            let order = leases.order(now);
            assert_eq!(order, told.map(|(names, until)| (scopes(names), until)), "at {now}");
        }
    }

    #[test]
    fn what_could_not_be_told_is_told_again() {
        let mut leases = Leases::default();
        leases.renew(Scope::Service, 0, 9_000);
        assert_eq!(leases.order(1), Some((scopes("s"), 9_000)));
        assert_eq!(leases.order(2), None);
        leases.untold();
        assert_eq!(leases.order(3), Some((scopes("s"), 9_000)));
    }
}
