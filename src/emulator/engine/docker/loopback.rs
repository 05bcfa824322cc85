//! One more address on the loopback interface of the network namespace that the calling thread is in:
//! a request to the kernel as `ip address add` makes it (rtnetlink(7), netlink(7)).

use std::io;
use std::net::Ipv4Addr;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// `RTM_NEWADDR`
const NEW_ADDRESS: u16 = 20;
/// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_CREATE`
const FLAGS: u16 = 0x001 | 0x004 | 0x400;
/// `AF_INET`; `RT_SCOPE_HOST`; the whole address is the network.
const INET: u8 = 2;
const SCOPE_HOST: u8 = 254;
const PREFIX: u8 = 32;
/// The loopback interface is the first of every namespace.
const LOOPBACK: u32 = 1;
/// `IFA_ADDRESS`, `IFA_LOCAL`
const ATTRIBUTES: [u16; 2] = [1, 2];
/// `NLMSG_ERROR`, which an acknowledgement is too, with error 0.
const ERROR: u16 = 2;
/// Length of a message's header.
const HEADER: usize = 16;

/// Gives the loopback interface `address`; one that it has already is success.
pub(super) fn add(address: Ipv4Addr) -> io::Result<()> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sendto(&socket, &request(address), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 1024];
    let (_, length) = recv(&socket, &mut answer, RecvFlags::empty())?;
    match refusal(answer.get(..length).unwrap_or_default()) {
        Some(0) => Ok(()),
        Some(code) => {
            let error = io::Error::from_raw_os_error(code);
            if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
        }
        None => Err(io::Error::other("the kernel's answer cannot be read")),
    }
}

fn request(address: Ipv4Addr) -> Vec<u8> {
    let mut body = vec![INET, PREFIX, 0, SCOPE_HOST];
    body.extend(LOOPBACK.to_ne_bytes());
    for kind in ATTRIBUTES {
        body.extend(8_u16.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(address.octets());
    }
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(NEW_ADDRESS.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    // Sequence, and the sender, whom the kernel knows.
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// The error number of an acknowledgement.
fn refusal(answer: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let code = i32::from_ne_bytes(answer.get(HEADER..HEADER + 4)?.try_into().ok()?);
    (kind == ERROR).then_some(-code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_request_is_what_ip_address_add_sends() {
        let expected = [
            40, 0, 0, 0, 20, 0, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0, // header
            2, 32, 0, 254, 1, 0, 0, 0, // an address of the first interface
            8, 0, 1, 0, 169, 254, 169, 254, 8, 0, 2, 0, 169, 254, 169, 254,
        ];
        assert_eq!(request(Ipv4Addr::new(169, 254, 169, 254)), expected);
    }

    #[test]
    fn an_acknowledgement_is_an_error_of_zero() {
        let answer = |kind: u16, code: i32| {
            let mut bytes = vec![0; 36];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[16..20].copy_from_slice(&code.to_ne_bytes());
            bytes
        };
        assert_eq!(refusal(&answer(2, 0)), Some(0));
        assert_eq!(refusal(&answer(2, -17)), Some(17));
        assert_eq!(refusal(&answer(20, 0)), None);
        assert_eq!(refusal(&[0; 18]), None);
    }
}
