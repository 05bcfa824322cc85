//! Certificate authorities.

mod authority;

pub use authority::LocalAuthority;
