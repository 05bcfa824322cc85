//! Token buckets under the published request limits, so that a burst of ours meets our own wait
//! and not a 429 that hits everybody who shares the subscription.
//!
//! - ARM: <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
//! - Graph: <https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits>
//! - ACI: <https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits>

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::core::Fault;

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

/// A wait for our own budget that is no longer is waited out by the request: told to the object, it
/// would be a write to its status for a moment's delay, and a queue of objects that all come back at once.
const MOMENT: Duration = Duration::from_secs(5);

/// Waits for the budget of a request to `service`.
///
/// # Errors
/// [`Fault::Throttled`] where it takes more than a [`MOMENT`].
pub(super) async fn admit(
    limits: &Mutex<Limits>,
    principal: &str,
    subscription: &str,
    quotas: &[Quota],
    service: &'static str,
) -> Result<(), Fault> {
    let taken = {
        let now = tokio::time::Instant::now().into_std();
        let mut limits = limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.take(principal, subscription, quotas, now, MOMENT)
    };
    match taken {
        Ok(Duration::ZERO) => {}
        Ok(wait) => tokio::time::sleep(wait).await,
        Err(wait) => return Err(Fault::Throttled { service, retry_after: Some(wait) }),
    }
    Ok(())
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

    /// Takes one token of each quota and says how long to wait until all are there; where that is more
    /// than `patience`, takes none and says so by an error. Who came first goes first.
    pub(super) fn take(
        &mut self,
        principal: &str,
        subscription: &str,
        quotas: &[Quota],
        now: Instant,
        patience: Duration,
    ) -> Result<Duration, Duration> {
        if !self.published {
            return Ok(Duration::ZERO);
        }
        let mut after = Vec::with_capacity(quotas.len());
        let mut wait = Duration::ZERO;
        for quota in quotas {
            let principal = if quota.is_common() { "" } else { principal };
            let key = (principal.to_owned(), subscription.to_owned(), *quota);
            let mut bucket = self.buckets.get(&key).cloned().unwrap_or_else(|| quota.bucket(now));
            wait = wait.max(bucket.take(now));
            after.push((key, bucket));
        }
        if wait > patience {
            return Err(wait);
        }
        self.buckets.extend(after);
        Ok(wait)
    }
}

/// A token bucket; starts full. Below zero are the tokens that were promised.
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

    /// Takes one token, which may be one of the future, and says in what time it will be there.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = passed.mul_add(self.refill_per_second, self.tokens).min(self.capacity);
        self.at = self.at.max(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            return Duration::ZERO;
        }
        // Rounded up: who waits that long finds it.
        Duration::from_secs_f64(-self.tokens / self.refill_per_second) + Duration::from_millis(1)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use proptest::prelude::*;

    use super::*;

    /// Times, in seconds from the start, when requests go that wait as long as the bucket says.
    fn admitted(quota: Quota, gaps_ms: &[u64]) -> Vec<f64> {
        let start = Instant::now();
        let mut bucket = quota.bucket(start);
        let mut at = Duration::ZERO;
        let mut taken = Vec::new();
        for gap in gaps_ms {
            at += Duration::from_millis(*gap);
            taken.push((at + bucket.take(start + at)).as_secs_f64());
        }
        taken
    }

    /// Tokens that are there now, taken until one is not.
    fn at_once(bucket: &mut Bucket, now: Instant) -> usize {
        (0..100_000).take_while(|_| bucket.take(now) == Duration::ZERO).count()
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
        fn who_came_first_goes_first(gaps in prop::collection::vec(0_u64..200, 300..600)) {
            let times = admitted(Quota::Write, &gaps);
            prop_assert!(times.is_sorted());
            prop_assert!(most_in(10.0, &times) <= 301);
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
        assert_eq!(at_once(&mut read, now), 500);
        assert_eq!(at_once(&mut write, now), 1000);
    }

    #[test]
    fn a_burst_then_the_refill() {
        let start = Instant::now();
        let mut bucket = Quota::Write.bucket(start);
        assert_eq!(at_once(&mut bucket, start), 200);
        // One token more was promised.
        let later = start + Duration::from_secs(2);
        assert_eq!(at_once(&mut bucket, later), 19);
        // A clock that goes back gives nothing.
        assert!(bucket.take(start) > Duration::ZERO);
    }

    #[test]
    fn subscriptions_do_not_share_and_a_refused_take_costs_nothing() {
        let now = Instant::now();
        let mut limits = Limits::published();
        let put = [Quota::Write, Quota::GroupCreate];
        let soon = Duration::from_secs(5);
        for _ in 0..80 {
            limits.take("", "a", &put, now, soon).unwrap();
        }
        for _ in 0..1000 {
            limits.take("", "a", &put, now, soon).unwrap_err();
        }
        limits.take("", "b", &put, now, soon).unwrap();
        // 120 writes are left: the refused takes did not eat them.
        assert_eq!(
            (0..300).filter(|_| limits.take("", "a", &[Quota::Write], now, soon).is_ok()).count(),
            120 + 49
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_reads_is_slowed_and_not_refused() {
        let limits = Mutex::new(Limits::published());
        let begun = tokio::time::Instant::now();
        // As many at one time as there are passes.
        let reads = futures::stream::iter(0..1000)
            .map(|_| admit(&limits, "", "a", &[Quota::Read], "ARM"))
            .buffer_unordered(16);
        let refused = reads.filter(|read| std::future::ready(read.is_err())).count().await;
        assert_eq!(refused, 0);
        let took = begun.elapsed().as_secs_f64();
        assert!((29.0..32.0).contains(&took), "750 at 25 a second took {took} s");
        // A long wait is nobody's business to sit out.
        let put = [Quota::GroupCreate];
        for _ in 0..80 {
            admit(&limits, "", "a", &put, "ARM").await.unwrap();
        }
        let refused = admit(&limits, "", "a", &put, "ARM").await.unwrap_err();
        assert!(matches!(refused, Fault::Throttled { retry_after: Some(_), .. }), "{refused}");
    }

    #[test]
    fn principals_share_what_azure_counts_for_the_subscription_alone() {
        let now = Instant::now();
        let mut limits = Limits::published();
        let mut left = |principal: &str, quota: Quota| {
            let mut take = || limits.take(principal, "s", &[quota], now, Duration::ZERO);
            (0..300).filter(|_| take().is_ok()).count()
        };
        assert_eq!((left("a", Quota::Read), left("b", Quota::Read)), (250, 250));
        assert_eq!((left("a", Quota::GroupCreate), left("b", Quota::GroupCreate)), (80, 0));
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let now = Instant::now();
        let mut limits = Limits::none();
        let at_once = |limits: &mut Limits| {
            limits.take("", "a", &[Quota::GroupCreate], now, Duration::ZERO) == Ok(Duration::ZERO)
        };
        assert!((0..10_000).all(|_| at_once(&mut limits)));
    }
}
