//! Text that a POSIX shell reads as one word.

/// `text` in single quotes (POSIX.1-2024, XCU section 2.2.2).
pub(super) fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_it_back() {
        for text in ["", "plain", "it's", "$(x) `y` \\ \"z\" *", "line\nend", "'''"] {
            let script = format!("printf %s {}", shell(text));
            let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
}
