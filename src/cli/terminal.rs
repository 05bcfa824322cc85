//! The terminal: hidden input, raw mode, its size.

use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::app::container::TerminalSize;

/// A terminal set otherwise; as it was once dropped.
pub(super) struct Changed(Termios);

impl Drop for Changed {
    fn drop(&mut self) {
        // The terminal is gone, or it can be set: nothing is left to do about the first.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Shows nothing of what is typed.
pub(super) fn hide_input() -> io::Result<Changed> {
    change(|modes| modes.local_modes.remove(LocalModes::ECHO))
}

/// Hands every key over as it is pressed.
pub(super) fn raw_mode() -> io::Result<Changed> {
    change(Termios::make_raw)
}

fn change(with: impl FnOnce(&mut Termios)) -> io::Result<Changed> {
    let before = tcgetattr(io::stdin())?;
    let mut after = before.clone();
    with(&mut after);
    tcsetattr(io::stdin(), OptionalActions::Flush, &after)?;
    Ok(Changed(before))
}

/// The terminal's size; 80 by 24 where there is none.
pub(super) fn size() -> TerminalSize {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => {
            TerminalSize { rows: size.ws_row, cols: size.ws_col }
        }
        _ => TerminalSize { rows: 24, cols: 80 },
    }
}
