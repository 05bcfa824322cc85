//! The public addresses of local Azure, without containers.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use aci_operator::emulator::engine::Endpoints;
use aci_operator::emulator::proxy::Proxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A server that reads to the end, then sends `name` and what it read.
async fn server(tasks: &mut JoinSet<()>, name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            connections.spawn(async move {
                let mut got = name.as_bytes().to_vec();
                if client.read_to_end(&mut got).await.is_ok() {
                    client.write_all(&got).await.unwrap();
                }
            });
        }
    });
    address
}

/// An address of this test alone, so that tests may run side by side.
fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 77, 3, last).into()
}

const PORT: u16 = 8443;

fn to(target: SocketAddr) -> Endpoints {
    Endpoints::from([(PORT, target)])
}

/// Sends, closes its sending half, and returns the answer.
async fn ask(ip: IpAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((ip, PORT)).await?;
    finish(&mut stream, request).await
}

async fn finish(stream: &mut TcpStream, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    let send = async {
        write.write_all(request).await?;
        write.shutdown().await
    };
    tokio::try_join!(send, read.read_to_end(&mut answer))?;
    Ok(answer)
}

#[tokio::test]
async fn bytes_arrive_whole_over_hundreds_of_connections() {
    let mut tasks = JoinSet::new();
    let proxy = Proxy::new();
    proxy.set("g", address(1), &to(server(&mut tasks, "s").await)).await.unwrap();
    let mut clients = JoinSet::new();
    for i in 0..300_usize {
        clients.spawn(async move {
            let request: Vec<u8> = (0..=u8::MAX).cycle().skip(i).take(50_000 + i).collect();
            let answer = ask(address(1), &request).await.unwrap();
            assert_eq!(answer[0], b's');
            assert!(answer[1..] == request);
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_new_target_keeps_old_connections() {
    let mut tasks = JoinSet::new();
    let (one, two) = (server(&mut tasks, "1").await, server(&mut tasks, "2").await);
    let proxy = Proxy::new();
    proxy.set("g", address(2), &to(one)).await.unwrap();
    let mut open = TcpStream::connect((address(2), PORT)).await.unwrap();
    open.write_all(b"before ").await.unwrap();
    // Answered, so the connection is through before the target changes.
    assert_eq!(ask(address(2), b"x").await.unwrap(), b"1x");
    proxy.set("g", address(2), &to(two)).await.unwrap();
    assert_eq!(ask(address(2), b"new").await.unwrap(), b"2new");
    assert_eq!(finish(&mut open, b"after").await.unwrap(), b"1before after");
}

#[tokio::test]
async fn a_move_cuts_everything_on_the_old_address() {
    let mut tasks = JoinSet::new();
    let target = server(&mut tasks, "s").await;
    let proxy = Proxy::new();
    proxy.set("g", address(3), &to(target)).await.unwrap();
    proxy.set("other", address(5), &to(target)).await.unwrap();
    let mut open = TcpStream::connect((address(3), PORT)).await.unwrap();
    open.write_all(b"x").await.unwrap();
    proxy.set("g", address(4), &to(target)).await.unwrap();
    let mut rest = Vec::new();
    // An end without the answer, or a reset.
    let cut = open.read_to_end(&mut rest).await;
    assert!(matches!(cut, Ok(0)) || cut.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    let refused = ask(address(3), b"x").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ask(address(4), b"x").await.unwrap(), b"sx");

    proxy.remove("g").await;
    proxy.remove("g").await;
    assert!(ask(address(4), b"x").await.is_err());
    assert_eq!(ask(address(5), b"x").await.unwrap(), b"sx");
    // The address is free again at once.
    proxy.set("other", address(3), &to(target)).await.unwrap();
    assert_eq!(ask(address(3), b"x").await.unwrap(), b"sx");
}

#[tokio::test]
async fn a_failed_change_leaves_what_was() {
    let mut tasks = JoinSet::new();
    let target = server(&mut tasks, "s").await;
    let proxy = Proxy::new();
    proxy.set("g", address(6), &to(target)).await.unwrap();
    proxy.set("other", address(7), &to(target)).await.unwrap();
    let taken = proxy.set("g", address(7), &to(target)).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    for public in ["0.0.0.0", "10.0.0.1", "192.0.2.1", "::"] {
        let refused = proxy.set("g", public.parse().unwrap(), &to(target)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{public}");
    }
    assert_eq!(ask(address(6), b"x").await.unwrap(), b"sx");
}
