//! A way to the API server that can be shut.

use std::io::{Read as _, Result, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes bytes on to one address, as long as it is open.
pub(super) struct Door {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
    received: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    shut: bool,
    streams: Vec<TcpStream>,
}

impl Door {
    pub(super) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<Mutex<State>>::default();
        let received = Arc::<AtomicU64>::default();
        let (shared, total) = (state.clone(), received.clone());
        thread::spawn(move || {
            for inner in listener.incoming().flatten() {
                let Ok(outer) = TcpStream::connect(target) else { continue };
                let mut state = shared.lock().unwrap();
                if state.shut {
                    continue;
                }
                let sent = Arc::default();
                for (from, to, count) in [(&inner, &outer, &sent), (&outer, &inner, &total)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    state.streams.push(from.try_clone().unwrap());
                    let count = count.clone();
                    thread::spawn(move || {
                        let _ = carry(&mut from, &mut to, &count);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { port, state, received }
    }

    /// Cuts what is under way, and lets nothing through any more.
    pub(super) fn shut(&self) {
        let mut state = self.state.lock().unwrap();
        state.shut = true;
        for stream in state.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn open(&self) {
        self.state.lock().unwrap().shut = false;
    }

    /// Bytes that came from the address so far, as the network sees them.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

fn carry(from: &mut TcpStream, to: &mut TcpStream, count: &AtomicU64) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        count.fetch_add(length as u64, Ordering::Relaxed);
        to.write_all(&buffer[..length])?;
    }
}
