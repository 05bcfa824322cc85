//! A way to a server that can be shut, and on which something can happen between two pieces of data.

use std::io::{Read as _, Result, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes bytes on to one address, as long as it is open.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
    received: Arc<AtomicU64>,
    trap: Trap,
}

#[derive(Default)]
struct State {
    shut: bool,
    streams: Vec<TcpStream>,
}

/// Counts what is sent through one or more doors; at a given piece, before it is passed on, something
/// happens.
#[derive(Clone, Default)]
pub(super) struct Trap(Arc<Mutex<Option<(usize, Action)>>>);

type Action = Box<dyn FnOnce() + Send>;

impl Trap {
    /// `action` happens at the `n`th piece from now on.
    pub(super) fn set(&self, n: usize, action: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some((n, Box::new(action)));
    }

    /// Whether it has happened.
    pub(super) fn sprang(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }

    fn step(&self) {
        let mut trap = self.0.lock().unwrap();
        if let Some((left, _)) = &mut *trap {
            *left -= 1;
        }
        if let Some((_, action)) = trap.take_if(|(left, _)| *left == 0) {
            action();
        }
    }
}

impl Door {
    pub(super) fn to(target: SocketAddr, trap: &Trap) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, received, trap) = (Arc::default(), Arc::default(), trap.clone());
        let door = Self { port, state, received, trap };
        let shared = door.clone();
        thread::spawn(move || {
            for inner in listener.incoming().flatten() {
                if let Ok(outer) = TcpStream::connect(target) {
                    shared.join(&inner, &outer);
                }
            }
        });
        door
    }

    /// Carries what comes from either side to the other.
    fn join(&self, inner: &TcpStream, outer: &TcpStream) {
        let mut state = self.state.lock().unwrap();
        if state.shut {
            return;
        }
        for inwards in [true, false] {
            let (from, to) = if inwards { (outer, inner) } else { (inner, outer) };
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            state.streams.push(from.try_clone().unwrap());
            let door = self.clone();
            thread::spawn(move || {
                let _ = door.carry(&mut from, &mut to, inwards);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    }

    fn carry(&self, from: &mut TcpStream, to: &mut TcpStream, inwards: bool) -> Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            if inwards {
                self.received.fetch_add(length as u64, Ordering::Relaxed);
            } else {
                self.trap.step();
            }
            to.write_all(&buffer[..length])?;
        }
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
