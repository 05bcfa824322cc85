//! The command line: the clap tree and everything that is printed.
