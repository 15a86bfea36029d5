//! What a process and its children used, read from `/proc`.

use std::collections::HashMap;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// CPU time in microseconds, of the process and all that it started.
pub fn cpu_us(root: u32) -> Result<u64> {
    let ticks_per_second: u64 = shell::capture(Command::new("getconf").arg("CLK_TCK"))?.trim().parse()?;
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut ticks: HashMap<u32, u64> = HashMap::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may end between the listing and the reading.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((parent, used)) = parse_stat(&stat) else { continue };
        children.entry(parent).or_default().push(process);
        ticks.insert(process, used);
    }
    let mut sum = *ticks.get(&root).context("the measured process has ended")?;
    let mut waiting = vec![root];
    while let Some(process) = waiting.pop() {
        for &child in children.get(&process).into_iter().flatten() {
            sum += ticks.get(&child).copied().unwrap_or_default();
            waiting.push(child);
        }
    }
    Ok(sum * 1_000_000 / ticks_per_second)
}

/// Peak resident memory in bytes since the last `forget_peak`.
pub fn peak_bytes(process: u32) -> Result<u64> {
    status_bytes(process, "VmHWM:")
}

/// Resident memory in bytes right now.
pub fn resident_bytes(process: u32) -> Result<u64> {
    status_bytes(process, "VmRSS:")
}

/// Starts the peak anew (proc(5), `clear_refs`).
pub fn forget_peak(process: u32) -> Result<()> {
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").context("cannot reset the peak of memory")
}

fn status_bytes(process: u32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("the process has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field in /proc")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

/// Parent, and ticks of user and system time with those of children that were waited for (proc(5)).
fn parse_stat(stat: &str) -> Option<(u32, u64)> {
    // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
    let fields: Vec<_> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
    Some((fields.get(1)?.parse().ok()?, ticks))
}

#[cfg(test)]
mod tests {
    use super::parse_stat;

    #[test]
    fn a_name_with_parentheses_is_one_field() {
        let stat = "42 (a) b) S 7 1 1 0 -1 4194560 1 0 0 0 100 20 3 4 20 0 1 0";
        assert_eq!(parse_stat(stat), Some((7, 127)));
    }
}
