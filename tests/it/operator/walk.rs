//! From nothing to HTTPS, and back.

use super::bench::{Bench, group_key, issuer_key, local_ca, sample};
use super::world::{GROUP, RESOURCE_GROUP, address};

#[tokio::test(start_paused = true)]
async fn a_group_is_made_with_one_put() {
    let mut bench = Bench::empty();
    bench.apply_issuer(local_ca());
    bench.apply(sample());
    bench.settle().await;
    insta::assert_snapshot!(bench.history(), @"");
    bench.assert_ready();
}
