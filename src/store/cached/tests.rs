//! Requests are counted, and nothing is believed too long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::advance;

use super::*;

/// Blobs in memory, each look at them counted.
#[derive(Default)]
struct Counted {
    blobs: Mutex<BTreeMap<String, (usize, Vec<u8>)>>,
    gets: AtomicUsize,
    puts: AtomicUsize,
    lists: AtomicUsize,
}

fn version(serial: usize) -> Version {
    Version(serial.to_string().into_bytes())
}

impl Counted {
    fn write(&self, name: &str, content: &str) -> Version {
        let serial = self.puts.fetch_add(1, Ordering::Relaxed) + 1;
        let mut blobs = self.blobs.lock().unwrap();
        blobs.insert(name.to_owned(), (serial, content.as_bytes().to_vec()));
        version(serial)
    }

    fn is_expected(&self, name: &str, expected: &Expected) -> bool {
        let blobs = self.blobs.lock().unwrap();
        let there = blobs.get(name).map(|(serial, _)| version(*serial));
        match expected {
            Expected::Anything => true,
            Expected::Nothing => there.is_none(),
            Expected::Same(version) => there.as_ref() == Some(version),
        }
    }

    /// Requests since the last call: gets, lists.
    fn asked(&self) -> (usize, usize) {
        (self.gets.swap(0, Ordering::Relaxed), self.lists.swap(0, Ordering::Relaxed))
    }
}

struct Forever;

#[async_trait]
impl Lease for Forever {
    fn term(&self) -> Option<Duration> {
        Some(Duration::from_secs(15))
    }

    async fn renew(&mut self) -> Result<bool, Fault> {
        Ok(true)
    }

    async fn release(self: Box<Self>) {}
}

#[async_trait]
impl Remote for Counted {
    async fn get(&self, name: &str, known: Option<&Version>) -> Result<Read, Fault> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(10)).await;
        Ok(match self.blobs.lock().unwrap().get(name) {
            None => Read::Absent,
            Some((serial, _)) if known == Some(&version(*serial)) => Read::Same,
            Some((serial, content)) => Read::Is(version(*serial), content.clone()),
        })
    }

    async fn put(
        &self,
        name: &str,
        content: Vec<u8>,
        expected: &Expected,
    ) -> Result<Option<Version>, Fault> {
        let good = self.is_expected(name, expected);
        Ok(good.then(|| self.write(name, &String::from_utf8(content).unwrap())))
    }

    async fn delete(&self, name: &str, expected: &Expected) -> Result<bool, Fault> {
        let good = self.is_expected(name, expected);
        if good {
            self.blobs.lock().unwrap().remove(name);
        }
        Ok(good)
    }

    async fn list(&self, prefix: &str) -> Result<BTreeMap<String, Version>, Fault> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(10)).await;
        let blobs = self.blobs.lock().unwrap();
        let below = blobs.iter().filter(|(name, _)| name.starts_with(prefix));
        Ok(below.map(|(name, (serial, _))| (name.clone(), version(*serial))).collect())
    }

    fn place(&self, name: &str) -> String {
        name.to_owned()
    }

    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault> {
        Ok(Some(Box::new(Forever)))
    }

    async fn is_taken(&self) -> Result<bool, Fault> {
        Ok(false)
    }
}

fn with(count: usize) -> (Arc<Counted>, Cached) {
    let remote = Arc::new(Counted::default());
    for i in 0..count {
        for room in ["ledger", "memory", "status"] {
            remote.write(&format!("{room}/Kind/o{i}"), "1");
        }
    }
    (remote.clone(), Cached::new(remote))
}

async fn text(blobs: &Cached, name: &str) -> Option<String> {
    let found = blobs.get(name).await.unwrap();
    found.map(|found| String::from_utf8(found.content).unwrap())
}

#[tokio::test(start_paused = true)]
async fn who_works_on_the_home_reads_each_blob_once() {
    let (remote, blobs) = with(500);
    let _lease = blobs.take().await.unwrap().unwrap();
    let pass = |i: usize, blobs: Cached| async move {
        for room in ["ledger", "memory", "status"] {
            assert_eq!(text(&blobs, &format!("{room}/Kind/o{i}")).await.as_deref(), Some("1"));
        }
        assert_eq!(text(&blobs, &format!("pairs/Kind/o{i}")).await, None);
    };
    let passes = (0..500).map(|i| pass(i, blobs.clone()));
    futures::future::join_all(passes).await;
    assert_eq!(remote.asked(), (3 * 500, 4));
    // Much later, nothing is asked again, and a write is known.
    advance(Duration::from_hours(5)).await;
    assert!(blobs.put("status/Kind/o3", b"2".to_vec(), Expected::Anything).await.unwrap());
    assert_eq!(text(&blobs, "status/Kind/o3").await.as_deref(), Some("2"));
    assert!(blobs.put("status/Kind/new", b"3".to_vec(), Expected::Nothing).await.unwrap());
    assert_eq!(blobs.all("status").await.unwrap().len(), 501);
    assert!(blobs.delete("status/Kind/new", Expected::Anything).await.unwrap());
    assert_eq!(text(&blobs, "status/Kind/new").await, None);
    assert_eq!(remote.asked(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_written_as_it_is_is_not_written() {
    let (remote, blobs) = with(1);
    let _lease = blobs.take().await.unwrap().unwrap();
    assert_eq!(text(&blobs, "status/Kind/o0").await.as_deref(), Some("1"));
    let puts = remote.puts.load(Ordering::Relaxed);
    assert!(blobs.put("status/Kind/o0", b"1".to_vec(), Expected::Anything).await.unwrap());
    assert_eq!(remote.puts.load(Ordering::Relaxed), puts);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_belief_costs_a_conflict_and_a_read() {
    let (remote, blobs) = with(1);
    let lease = blobs.take().await.unwrap().unwrap();
    let name = "ledger/Kind/o0";
    let before = blobs.get(name).await.unwrap().unwrap();
    remote.write(name, "theirs");
    let expected = Expected::Same(before.version);
    assert!(!blobs.put(name, b"ours".to_vec(), expected.clone()).await.unwrap());
    assert_eq!(text(&blobs, name).await.as_deref(), Some("theirs"));
    remote.write(name, "again");
    assert!(!blobs.delete(name, expected).await.unwrap());
    assert_eq!(text(&blobs, name).await.as_deref(), Some("again"));
    // Without the lease nothing is believed.
    remote.write(name, "another daemon");
    lease.release().await;
    assert_eq!(text(&blobs, name).await.as_deref(), Some("another daemon"));
}

#[tokio::test(start_paused = true)]
async fn who_only_looks_asks_for_what_changed() {
    let (remote, blobs) = with(100);
    assert_eq!(blobs.all("ledger").await.unwrap().len(), 100);
    assert_eq!(remote.asked(), (100, 1));
    remote.write("ledger/Kind/o7", "2");
    // A few seconds old is good enough, and then it is not.
    assert_eq!(text(&blobs, "ledger/Kind/o7").await.as_deref(), Some("1"));
    advance(FRESH).await;
    assert_eq!(text(&blobs, "ledger/Kind/o7").await.as_deref(), Some("2"));
    assert_eq!(remote.asked(), (1, 0));
    remote.write("ledger/Kind/o8", "3");
    assert_eq!(blobs.all("ledger/Kind").await.unwrap()["ledger/Kind/o8"], b"3");
    assert_eq!(remote.asked(), (1, 1));
    assert_eq!(blobs.list("ledger").await.unwrap(), ["Kind"]);
    assert_eq!(remote.asked(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_reads_one_by_one_comes_to_read_all() {
    let (remote, blobs) = with(1000);
    for i in 0..1000 {
        assert_eq!(text(&blobs, &format!("status/Kind/o{i}")).await.as_deref(), Some("1"));
    }
    // Those that were read before the LIST are not read again.
    assert_eq!(remote.asked(), (1000, 1));
}

#[tokio::test(start_paused = true)]
async fn changes_are_told() {
    let (remote, blobs) = with(0);
    let mut hints = blobs.hints("requests");
    hints.next().await.unwrap();
    let told = tokio::time::timeout(POLL * 3, hints.next());
    assert!(told.await.is_err(), "told without a change");
    remote.write("requests/Kind/a", "1");
    hints.next().await.unwrap();
    assert_eq!(blobs.all("requests").await.unwrap()["requests/Kind/a"], b"1");
    remote.blobs.lock().unwrap().clear();
    hints.next().await.unwrap();
    assert!(blobs.all("requests").await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_is_left_alone_holds_nobody_up() {
    let (remote, blobs) = with(3);
    let mut hints = blobs.hints("ledger");
    // Somebody begins to look and goes away, and somebody else is left in the middle.
    let mut left = std::pin::pin!(blobs.all("ledger"));
    assert!(futures::poll!(hints.next()).is_pending());
    assert!(futures::poll!(left.as_mut()).is_pending());
    advance(POLL).await;
    assert!(futures::poll!(hints.next()).is_pending());
    drop(tokio::time::timeout(Duration::from_millis(1), blobs.all("ledger")).await);
    assert_eq!(blobs.all("ledger").await.unwrap().len(), 3);
    assert_eq!(left.await.unwrap().len(), 3);
    assert!(remote.asked().1 >= 2);
}
