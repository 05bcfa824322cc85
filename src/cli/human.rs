//! Times for people.

use chrono::{DateTime, TimeDelta, Utc};

/// A duration in one or two units, as kubectl counts: `45s`, `12m`, `3h5m`, `26h`, `3d4h`, `89d`.
pub(super) fn duration(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |many: i64, unit, few: i64, small| match few {
        0 => format!("{many}{unit}"),
        few => format!("{many}{unit}{few}{small}"),
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        two(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        two(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if days < 8 {
        two(days, "d", hours % 24, "h")
    } else {
        format!("{days}d")
    }
}

/// How far away a time is: `89d`, or `3h ago`.
pub(super) fn distance(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at < now { format!("{} ago", duration(now - at)) } else { duration(at - now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (seconds, text) in [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (190, "3m10s"),
            (601, "10m"),
            (3 * 3600 + 300, "3h5m"),
            (26 * 3600, "26h"),
            (76 * 3600, "3d4h"),
            (90 * 86_400 - 1, "89d"),
        ] {
            assert_eq!(duration(TimeDelta::seconds(seconds)), text);
        }
    }

    #[test]
    fn what_is_past_says_so() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(distance(now + TimeDelta::days(89), now), "89d");
        assert_eq!(distance(now - TimeDelta::hours(10), now), "10h ago");
    }
}
