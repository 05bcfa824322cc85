//! Token buckets under the published request limits, so that a burst of ours meets our own wait
//! and not a 429 that hits everybody who shares the subscription.
//!
//! - ARM: <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
//! - Graph: <https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits>
//! - ACI: <https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits>

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What a request counts against, each by subscription; ARM's and Graph's by principal too.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Quota {
    /// ARM: GET.
    Read,
    /// ARM: PUT, PATCH, POST.
    Write,
    /// ARM: DELETE.
    Delete,
    /// ACI: creations of groups; every PUT counts, for nobody says that an update does not.
    GroupCreate,
    /// ACI: deletions of groups.
    GroupDelete,
    /// Graph: reads.
    GraphRead,
    /// Graph: writes.
    GraphWrite,
}

impl Quota {
    /// Whether Azure counts it for the subscription alone, whoever asks.
    fn is_common(self) -> bool {
        matches!(self, Self::GroupCreate | Self::GroupDelete)
    }

    /// A full bucket.
    ///
    /// ACI's limits are windows: 300 an hour and 100 in 5 minutes. A bucket of `c` that refills by
    /// `r` admits `c + r·t` in any window `t`: 80 and 220 an hour keep under both. Graph gives an app in
    /// a small tenant 3500 units in 10 s, of which reading applications costs 2 and all else 1, and 3000
    /// writes in 150 s.
    fn bucket(self, now: Instant) -> Bucket {
        match self {
            Self::Read => Bucket::new(250.0, 25.0, now),
            Self::Write | Self::Delete => Bucket::new(200.0, 10.0, now),
            Self::GroupCreate | Self::GroupDelete => Bucket::new(80.0, 220.0 / 3600.0, now),
            Self::GraphRead => Bucket::new(500.0, 50.0, now),
            Self::GraphWrite => Bucket::new(1000.0, 13.0, now),
        }
    }
}

/// The buckets of all subscriptions.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    published: bool,
    /// By principal, empty where all share it, subscription and quota.
    buckets: HashMap<(String, String, Quota), Bucket>,
}

impl Limits {
    /// Azure's.
    pub(super) fn published() -> Self {
        Self { published: true, buckets: HashMap::new() }
    }

    /// None at all.
    pub(super) fn none() -> Self {
        Self { published: false, buckets: HashMap::new() }
    }

    /// Takes one token of each quota, or none and the time until all have one.
    pub(super) fn take(
        &mut self,
        principal: &str,
        subscription: &str,
        quotas: &[Quota],
        now: Instant,
    ) -> Result<(), Duration> {
        if !self.published {
            return Ok(());
        }
        let mut after = Vec::with_capacity(quotas.len());
        let mut wait = Duration::ZERO;
        for quota in quotas {
            let principal = if quota.is_common() { "" } else { principal };
            let key = (principal.to_owned(), subscription.to_owned(), *quota);
            let mut bucket = self.buckets.get(&key).cloned().unwrap_or_else(|| quota.bucket(now));
            match bucket.take(now) {
                Ok(()) => after.push((key, bucket)),
                Err(more) => wait = wait.max(more),
            }
        }
        if wait > Duration::ZERO {
            return Err(wait);
        }
        self.buckets.extend(after);
        Ok(())
    }
}

/// A token bucket; starts full.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    capacity: f64,
    refill_per_second: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(capacity: f64, refill_per_second: f64, now: Instant) -> Self {
        Self { capacity, refill_per_second, tokens: capacity, at: now }
    }

    /// Takes one token, or says in what time there will be one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = passed.mul_add(self.refill_per_second, self.tokens).min(self.capacity);
        self.at = self.at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        // Rounded up: who waits that long finds a token.
        let missing = (1.0 - self.tokens) / self.refill_per_second;
        Err(Duration::from_secs_f64(missing) + Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Times, in seconds from the start, of the requests that a bucket lets through.
    fn admitted(quota: Quota, gaps_ms: &[u64]) -> Vec<f64> {
        let start = Instant::now();
        let mut bucket = quota.bucket(start);
        let mut at = Duration::ZERO;
        let mut taken = Vec::new();
        for gap in gaps_ms {
            at += Duration::from_millis(*gap);
            if bucket.take(start + at).is_ok() {
                taken.push(at.as_secs_f64());
            }
        }
        taken
    }

    fn most_in(window: f64, times: &[f64]) -> usize {
        let inside =
            |from: f64| times.iter().filter(|t| (from..from + window).contains(*t)).count();
        times.iter().map(|from| inside(*from)).max().unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn group_creations_keep_under_both_windows(
            gaps in prop::collection::vec(prop_oneof![Just(0_u64), 0_u64..20_000], 400..900),
        ) {
            let times = admitted(Quota::GroupCreate, &gaps);
            prop_assert!(most_in(300.0, &times) <= 100);
            prop_assert!(most_in(3600.0, &times) <= 300);
        }

        #[test]
        fn a_wait_that_is_waited_out_suffices(drained in 0_u32..300, gap_ms in 0_u64..60_000) {
            let start = Instant::now();
            let mut bucket = Bucket::new(200.0, 10.0, start);
            for _ in 0..drained {
                let _ = bucket.take(start);
            }
            let now = start + Duration::from_millis(gap_ms);
            if let Err(wait) = bucket.take(now) {
                prop_assert!(bucket.take(now + wait).is_ok());
            }
        }
    }

    #[test]
    fn graphs_units_and_writes_keep_under_both_windows() {
        let admitted = |capacity: f64, refill: f64, window: f64| refill.mul_add(window, capacity);
        let reads = 2.0 * admitted(500.0, 50.0, 10.0);
        assert!(reads + admitted(1000.0, 13.0, 10.0) <= 3500.0);
        assert!(admitted(1000.0, 13.0, 150.0) <= 3000.0);
        let now = Instant::now();
        let (mut read, mut write) = (Quota::GraphRead.bucket(now), Quota::GraphWrite.bucket(now));
        assert_eq!((0..2000).filter(|_| read.take(now).is_ok()).count(), 500);
        assert_eq!((0..2000).filter(|_| write.take(now).is_ok()).count(), 1000);
    }

    #[test]
    fn a_burst_then_the_refill() {
        let start = Instant::now();
        let mut bucket = Quota::Write.bucket(start);
        assert_eq!((0..300).filter(|_| bucket.take(start).is_ok()).count(), 200);
        let later = start + Duration::from_secs(2);
        assert_eq!((0..300).filter(|_| bucket.take(later).is_ok()).count(), 20);
        // A clock that goes back gives nothing.
        assert!(bucket.take(start).is_err());
    }

    #[test]
    fn subscriptions_do_not_share_and_a_refused_take_costs_nothing() {
        let now = Instant::now();
        let mut limits = Limits::published();
        let put = [Quota::Write, Quota::GroupCreate];
        for _ in 0..80 {
            limits.take("", "a", &put, now).unwrap();
        }
        for _ in 0..1000 {
            limits.take("", "a", &put, now).unwrap_err();
        }
        limits.take("", "b", &put, now).unwrap();
        // 120 writes are left: the refused takes did not eat them.
        assert_eq!(
            (0..300).filter(|_| limits.take("", "a", &[Quota::Write], now).is_ok()).count(),
            120
        );
    }

    #[test]
    fn principals_share_what_azure_counts_for_the_subscription_alone() {
        let now = Instant::now();
        let mut limits = Limits::published();
        let mut left = |principal: &str, quota: Quota| {
            (0..300).filter(|_| limits.take(principal, "s", &[quota], now).is_ok()).count()
        };
        assert_eq!((left("a", Quota::Read), left("b", Quota::Read)), (250, 250));
        assert_eq!((left("a", Quota::GroupCreate), left("b", Quota::GroupCreate)), (80, 0));
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let now = Instant::now();
        let mut limits = Limits::none();
        assert!((0..10_000).all(|_| limits.take("", "a", &[Quota::GroupCreate], now).is_ok()));
    }
}
