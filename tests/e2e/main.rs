//! Whole flows, by the built program alone: local Azure with real containers, real TLS.
//!
//! One at a time: each has a home, a local Azure and containers of its own, but figures want the machine.
//! Figures are printed as `measured: name=value`; `docs/measurements.md` says how to repeat them.

#[cfg(test)]
mod accidents;
#[cfg(test)]
mod address;
#[cfg(test)]
mod arm;
#[cfg(test)]
#[path = "../shared/client.rs"]
mod client;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod curl;
#[cfg(test)]
mod exec;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod home;
#[cfg(test)]
#[path = "../shared/kubernetes.rs"]
mod kubernetes;
#[cfg(test)]
#[path = "../shared/load.rs"]
mod load;
#[cfg(test)]
mod provided;
#[cfg(test)]
mod rotation;
