//! For how long shards keep rows by route, service or module: as long as somebody asks. Everybody who asks renews it, and
//! what nobody renews runs out by itself, at the shards too. It says what the shards should be told and tells nobody.

use std::sync::Arc;
use tidegate_snapshot::{ProfileOrder, Scope, Scopes};

/// The shards are told again when less than this is left, in milliseconds.
const RENEW_MS: u64 = 2_000;
/// Single rows that are asked for at a time. Who asks for one more gets all of its scope.
const MOST_KEYS: usize = 16;

/// Who is asked for until when.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// By scope, milliseconds since 1970.
    until_ms: [u64; 3],
    /// The same for single rows.
    keys: Vec<(Scope, Arc<str>, u64)>,
    /// Shards are to begin an interval.
    is_cut: bool,
    /// What the shards were told last.
    told: Option<ProfileOrder>,
}

impl Leases {
    /// Somebody wants rows of a scope for so long, or only the one with that key.
    pub(super) fn renew(&mut self, scope: Scope, only: Option<&str>, now_ms: u64, for_ms: u64) {
        let wanted_ms = now_ms.saturating_add(for_ms);
        self.keys.retain(|(.., until)| *until > now_ms);
        let is_same = |(of, key, _): &&mut (Scope, Arc<str>, u64)| *of == scope && Some(&**key) == only;
        if let Some((.., until)) = self.keys.iter_mut().find(is_same) {
            *until = wanted_ms.max(*until);
            return;
        }
        match only {
            Some(key) if self.keys.len() < MOST_KEYS => self.keys.push((scope, key.into(), wanted_ms)),
            _ => {
                let until = &mut self.until_ms[scope as usize];
                *until = wanted_ms.max(*until);
            }
        }
    }

    /// Shards are to hand over what they have and begin anew.
    pub(super) fn cut(&mut self) {
        self.is_cut = true;
    }

    fn all(&self, now_ms: u64) -> Scopes {
        let is = |scope: Scope| self.until_ms[scope as usize] > now_ms;
        Scopes { routes: is(Scope::Route), services: is(Scope::Service), modules: is(Scope::Module) }
    }

    fn keys(&self, now_ms: u64) -> impl Iterator<Item = &(Scope, Arc<str>, u64)> {
        self.keys.iter().filter(move |(.., until)| *until > now_ms)
    }

    /// Of what any rows are asked for.
    pub(super) fn asked(&self, now_ms: u64) -> Scopes {
        self.keys(now_ms).fold(self.all(now_ms), |asked, (scope, ..)| asked.and(*scope))
    }

    /// What the shards must be told now, if anything. It counts as told.
    pub(super) fn order(&mut self, now_ms: u64) -> Option<ProfileOrder> {
        let until_of_keys = self.keys.iter().map(|(.., until)| *until);
        let order = ProfileOrder {
            scopes: self.all(now_ms),
            keys: self.keys(now_ms).map(|(scope, key, _)| (*scope, key.clone())).collect(),
            until_ms: self.until_ms.into_iter().chain(until_of_keys).max().unwrap_or(0),
            is_cut: std::mem::take(&mut self.is_cut),
        };
        // What has run out is forgotten at the shards as well.
        let known = self.told.take().filter(|told| told.until_ms > now_ms).unwrap_or_default();
        let is_other = (order.scopes, &order.keys) != (known.scopes, &known.keys);
        let is_longer = order.until_ms > known.until_ms && known.until_ms < now_ms + RENEW_MS;
        let is_any = |order: &ProfileOrder| order.scopes.any() || !order.keys.is_empty();
        let matters = (is_any(&order) || is_any(&known)) && (is_other || is_longer);
        if !matters && !order.is_cut {
            self.told = Some(known);
            return None;
        }
        self.told = Some(order.clone());
        Some(order)
    }

    /// The shards were not told after all.
    pub(super) fn untold(&mut self) {
        self.is_cut |= self.told.take().is_some_and(|told| told.is_cut);
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
                leases.renew(scope, None, now, ms);
            }
            let order = leases.order(now).map(|order| (order.scopes, order.until_ms));
            assert_eq!(order, told.map(|(names, until)| (scopes(names), until)), "at {now}");
        }
    }

    #[test]
    fn what_could_not_be_told_is_told_again() {
        let mut leases = Leases::default();
        leases.renew(Scope::Service, None, 0, 9_000);
        leases.cut();
        let order = ProfileOrder { scopes: scopes("s"), until_ms: 9_000, is_cut: true, keys: Box::default() };
        assert_eq!(leases.order(1), Some(order.clone()));
        assert_eq!(leases.order(2), None);
        leases.untold();
        assert_eq!(leases.order(3), Some(order));
        assert_eq!(leases.order(4), None);
    }

    #[test]
    fn single_rows_are_bounded_and_run_out() {
        let mut leases = Leases::default();
        let keys = |order: Option<ProfileOrder>| -> Option<Vec<String>> {
            Some(order?.keys.iter().map(|(scope, key)| format!("{} {key}", scope.name())).collect())
        };
        leases.renew(Scope::Route, Some("n/a"), 0, 5_000);
        leases.renew(Scope::Module, Some("n/a"), 0, 9_000);
        leases.renew(Scope::Route, Some("n/a"), 1_000, 5_000);
        assert_eq!(leases.asked(1_000), scopes("rm"));
        assert_eq!(keys(leases.order(1_000)), Some(vec!["route n/a".into(), "module n/a".into()]));
        assert_eq!(leases.order(5_500), None);
        assert_eq!(keys(leases.order(6_000)), Some(vec!["module n/a".into()]));
        (0..40).for_each(|at| leases.renew(Scope::Service, Some(&format!("n/{at}")), 6_000, 1_000));
        let order = leases.order(6_000).expect("news");
        assert_eq!((order.keys.len(), order.scopes), (MOST_KEYS, scopes("s")), "all of them, in the end");
        assert!(leases.order(9_000).is_none(), "the shards know when it is over");
        leases.cut();
        assert!(leases.order(9_001).is_some_and(|order| order.is_cut && order.keys.is_empty()));
    }
}
