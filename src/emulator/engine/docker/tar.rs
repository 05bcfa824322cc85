//! Just enough of a tar archive (POSIX ustar) to hand regular files to the engine.

use super::EngineError;

/// Size of a header, and of the unit that content is padded to.
const BLOCK: usize = 512;
/// Longest name without the prefix field.
const NAME: usize = 100;

/// An archive of regular files: name, mode, content. Owner is root, time is the epoch.
///
/// # Errors
/// `Refused` for a name that is not one plain file name of at most 100 bytes.
pub(super) fn archive<'a>(
    files: impl IntoIterator<Item = (&'a str, u32, &'a [u8])>,
) -> Result<Vec<u8>, EngineError> {
    let mut out = Vec::new();
    for (name, mode, content) in files {
        out.extend_from_slice(&header(name, mode, content.len())?);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    // Two empty blocks end the archive.
    out.resize(out.len() + 2 * BLOCK, 0);
    Ok(out)
}

fn header(name: &str, mode: u32, size: usize) -> Result<[u8; BLOCK], EngineError> {
    let plain = !name.is_empty() && name.len() <= NAME && !name.contains(['/', '\0']);
    if !plain || name == "." || name == ".." {
        return Err(EngineError::Refused(format!("{name:?} is not a file name")));
    }
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, b"00000000000");
    // The checksum is taken with its own field blank.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_what_is_written() {
        let content = vec![b'x'; 700];
        let archive =
            archive([("key.pem", 0o644, &content[..]), ("empty", 0o600, &[][..])]).unwrap();
        let mut tar = Command::new("tar")
            .args(["-t", "-v", "--utc", "--numeric-owner", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(&archive).unwrap();
        let output = tar.wait_with_output().unwrap();
        assert!(output.status.success());
        let listing = String::from_utf8(output.stdout).unwrap();
        let fields: Vec<Vec<&str>> =
            listing.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(fields[0][..3], ["-rw-r--r--", "0/0", "700"]);
        assert_eq!(fields[0].last(), Some(&"key.pem"));
        assert_eq!(fields[1][..3], ["-rw-------", "0/0", "0"]);
    }

    #[test]
    fn a_path_is_no_file_name() {
        for name in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0b", &"a".repeat(101)] {
            assert!(archive([(name, 0o644, &[][..])]).is_err(), "{name:?}");
        }
    }
}
