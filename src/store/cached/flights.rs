//! Work that many want at once and one does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, WeakShared};

use crate::core::Fault;

type Work = BoxFuture<'static, Result<(), Fault>>;

/// What is under way, by name.
///
/// Whoever waits drives the work. A lock would do too, until a stream is left alone that holds it: nobody
/// would let it go.
#[derive(Default)]
pub(super) struct Flights(Mutex<BTreeMap<String, WeakShared<Work>>>);

impl Flights {
    /// Joins the work called `name`, or begins it. Who joins late gets what an earlier look found.
    pub(super) async fn join(
        &self,
        name: String,
        begin: impl FnOnce() -> Work,
    ) -> Result<(), Fault> {
        let flight = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Work that ended, or that nobody waits for any more.
            flights.retain(|_, flight| flight.upgrade().is_some_and(|f| f.peek().is_none()));
            if let Some(flight) = flights.get(&name).and_then(WeakShared::upgrade) {
                flight
            } else {
                let flight = begin().shared();
                flights.extend(flight.downgrade().map(|weak| (name, weak)));
                flight
            }
        };
        flight.await
    }
}
