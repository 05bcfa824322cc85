//! The image of the container that holds a group's network namespace.
//!
//! A network namespace made by an engine lives as long as the container that it was made for, so a
//! group needs one that never ends, whatever its real containers do. No image that could serve is
//! sure to be there: a registry may be out of reach, and a group's own image need not hold a
//! program that waits. So the image is made here: one file, the program of `holder.s`, small enough
//! to read. It waits; run a second time in the same container, it carries an HTTP probe to
//! `127.0.0.1` inside the namespace, where the engine's host cannot reach.
//!
//! The program is for x86-64 alone, as ACI is: an engine elsewhere needs the emulation that it needs
//! for the group's images anyway.

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::TryStreamExt as _;

use super::name::{HOME, Names};
use super::{EngineError, fault, tar};

/// Path of the program in the image.
pub(super) const PROGRAM: &str = "/holder";

/// Size of the ELF header and of one program header.
const HEADERS: usize = 64 + 56;
/// Where the file is mapped.
const BASE: u64 = 0x40_0000;

/// What `holder.s` assembles to (a test compares).
#[rustfmt::skip]
const CODE: &[u8] = &[
    0x48, 0x89, 0xe5, 0x83, 0x7d, 0x00, 0x01, 0x75, 0x07, 0x6a, 0x22, 0x58, 0x0f, 0x05, 0xeb, 0xf9,
    0x48, 0x8b, 0x75, 0x18, 0xe8, 0x85, 0x00, 0x00, 0x00, 0x97, 0x6a, 0x25, 0x58, 0x0f, 0x05, 0x48,
    0x8b, 0x75, 0x10, 0xe8, 0x76, 0x00, 0x00, 0x00, 0x86, 0xc4, 0xc1, 0xe0, 0x10, 0x83, 0xc8, 0x02,
    0x48, 0xb9, 0x00, 0x00, 0x00, 0x00, 0x7f, 0x00, 0x00, 0x01, 0x48, 0x09, 0xc8, 0x6a, 0x00, 0x50,
    0x6a, 0x29, 0x58, 0x6a, 0x02, 0x5f, 0x6a, 0x01, 0x5e, 0x31, 0xd2, 0x0f, 0x05, 0x97, 0x48, 0x89,
    0xe6, 0x6a, 0x10, 0x5a, 0x6a, 0x2a, 0x58, 0x0f, 0x05, 0x85, 0xc0, 0x75, 0x39, 0x48, 0x8b, 0x75,
    0x20, 0x31, 0xd2, 0x80, 0x3c, 0x16, 0x00, 0x74, 0x04, 0xff, 0xc2, 0xeb, 0xf6, 0x6a, 0x01, 0x58,
    0x0f, 0x05, 0x48, 0x81, 0xec, 0x00, 0x04, 0x00, 0x00, 0x48, 0x89, 0xe6, 0xba, 0x00, 0x04, 0x00,
    0x00, 0x31, 0xc0, 0x0f, 0x05, 0x85, 0xc0, 0x7e, 0x0d, 0x92, 0x6a, 0x01, 0x5f, 0x6a, 0x01, 0x58,
    0x0f, 0x05, 0x31, 0xff, 0xeb, 0x03, 0x6a, 0x01, 0x5f, 0x6a, 0x3c, 0x58, 0x0f, 0x05, 0x31, 0xc0,
    0x0f, 0xb6, 0x0e, 0x83, 0xe9, 0x30, 0x78, 0x0a, 0x6b, 0xc0, 0x0a, 0x01, 0xc8, 0x48, 0xff, 0xc6,
    0xeb, 0xee, 0xc3,
];

/// Imports the image unless it is there, and returns its name.
pub(super) async fn ensure_image(
    api: &bollard::Docker,
    names: &Names,
) -> Result<String, EngineError> {
    let program = program();
    let image = names.holder_image(&program);
    if api.inspect_image(&image).await.is_ok() {
        return Ok(image);
    }
    let labels = names.labels();
    let options = CreateImageOptionsBuilder::default()
        .from_src("-")
        .repo(&image)
        .changes(vec![format!("LABEL {HOME}={}", labels[HOME])])
        .platform("linux/amd64")
        .build();
    let root = tar::archive([(PROGRAM.trim_start_matches('/'), 0o555, &program[..])])?;
    api.create_image(Some(options), Some(bollard::body_full(root.into())), None)
        .try_collect::<Vec<_>>()
        .await
        .map_err(|error| fault(error, &image))?;
    Ok(image)
}

/// The program as a statically linked ELF executable: header, one loadable segment, code.
fn program() -> Vec<u8> {
    let size = (HEADERS + CODE.len()) as u64;
    let mut elf = Vec::with_capacity(HEADERS + CODE.len());
    // Magic, 64 bit, little endian, version 1, System V.
    elf.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    half(&mut elf, &[2, 62]); // executable, x86-64
    elf.extend_from_slice(&1_u32.to_le_bytes()); // version
    long(&mut elf, &[BASE + HEADERS as u64, 64, 0]); // entry, program headers, no sections
    elf.extend_from_slice(&0_u32.to_le_bytes()); // flags
    half(&mut elf, &[64, 56, 1, 0, 0, 0]); // header sizes and counts
    elf.extend_from_slice(&1_u32.to_le_bytes()); // load
    elf.extend_from_slice(&5_u32.to_le_bytes()); // readable, executable
    long(&mut elf, &[0, BASE, BASE, size, size, 4096]); // whole file; page size
    elf.extend_from_slice(CODE);
    elf
}

fn half(elf: &mut Vec<u8>, values: &[u16]) {
    elf.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn long(elf: &mut Vec<u8>, values: &[u64]) {
    elf.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

#[cfg(test)]
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    fn run(command: &mut Command) {
        assert!(command.status().unwrap().success(), "{command:?}");
    }

    #[test]
    fn the_bytes_are_the_source() {
        let dir = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/emulator/engine/docker/holder.s");
        let (object, code) = (dir.path().join("holder.o"), dir.path().join("holder.bin"));
        run(Command::new("as").arg(source).arg("-o").arg(&object));
        run(Command::new("objcopy").args(["-O", "binary", "-j", ".text"]).arg(&object).arg(&code));
        assert_eq!(std::fs::read(code).unwrap(), CODE);
    }

    /// Runs the program with these arguments against a server that answers with `answer`.
    fn probe(answer: Option<&str>) -> (Option<i32>, String, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("holder");
        std::fs::write(&path, program()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let request = "GET / HTTP/1.1\r\n\r\n";
        let mut command = Command::new(&path);
        command.args([&port.to_string(), "30", request]);
        let Some(answer) = answer else {
            drop(listener);
            let output = command.output().unwrap();
            return (output.status.code(), String::new(), String::new());
        };
        let (output, got) = std::thread::scope(|scope| {
            let server = scope.spawn(|| {
                let (mut client, _) = listener.accept().unwrap();
                let mut got = vec![0; request.len()];
                client.read_exact(&mut got).unwrap();
                client.write_all(answer.as_bytes()).unwrap();
                String::from_utf8(got).unwrap()
            });
            (command.output().unwrap(), server.join().unwrap())
        });
        assert_eq!(got, request);
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), got)
    }

    #[test]
    fn it_carries_a_request() {
        let (code, printed, _) = probe(Some("HTTP/1.1 204 No Content\r\n\r\n"));
        assert_eq!((code, printed.as_str()), (Some(0), "HTTP/1.1 204 No Content\r\n\r\n"));
        assert_eq!(probe(Some("")).0, Some(1));
        assert_eq!(probe(None).0, Some(1));
    }
}
