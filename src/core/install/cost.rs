//! What an installation costs: an estimate from published prices.

use super::group::{CPU, MEMORY_GB};

/// When the prices were read.
pub const DATED: &str = "2026-11";
/// Where prices are published, by region.
pub const PAGES: [&str; 2] = [
    "https://azure.microsoft.com/pricing/details/container-instances/",
    "https://azure.microsoft.com/pricing/details/storage/blobs/",
];
/// Region and currency of the figures; elsewhere it is up to a half more.
pub const BASIS: &str = "US dollars, East US, pay as you go";

/// A month as the price pages count it, in hours.
const HOURS: f64 = 730.0;
/// Container Instances, Linux: a virtual CPU for an hour.
const CPU_HOUR: f64 = 0.0405;
/// Container Instances, Linux: a GB of memory for an hour.
const GB_HOUR: f64 = 0.00445;

/// The operator's container group for a month.
pub fn group_month() -> f64 {
    HOURS * (CPU * CPU_HOUR + MEMORY_GB * GB_HOUR)
}
