//! Medians, ratios and the machine that they were taken on, as a table and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::neighbours::Neighbour;
use super::restart::Restart;
use super::rights::Rights;

/// What one measurement of one target found.
#[derive(Clone, Copy)]
pub struct Measurement {
    /// Runs that were answered in a second.
    pub runs_per_second: f64,
    /// Median latency, in microseconds.
    pub p50_us: u64,
    /// 99th percentile of the latency, in microseconds.
    pub p99_us: u64,
    /// CPU time of the server for one run, in microseconds.
    pub cpu_us_per_run: f64,
    /// CPU time of the database server for one run, in microseconds.
    pub database_cpu_us_per_run: f64,
    /// Peak resident memory of the server, in bytes.
    pub peak_bytes: u64,
}

/// All measurements.
pub struct Report {
    seconds: u32,
    runs: usize,
    in_process: Value,
    egress: Value,
    restarts: Vec<Restart>,
    neighbours: Vec<Neighbour>,
    rights: Vec<Rights>,
    idle: Vec<(&'static str, u64)>,
    // In the order in which they were first measured, which is the table's.
    measured: Vec<(&'static str, u32, Vec<Measurement>)>,
}

impl Report {
    /// An empty report of measurements of that length and number.
    pub fn new(seconds: u32, runs: usize) -> Self {
        Self {
            seconds,
            runs,
            in_process: Value::Null,
            egress: Value::Null,
            restarts: Vec::new(),
            neighbours: Vec::new(),
            rights: Vec::new(),
            idle: Vec::new(),
            measured: Vec::new(),
        }
    }

    /// Keeps what the host measured of itself.
    pub fn in_process(&mut self, results: Value) {
        self.in_process = results;
    }

    /// Keeps what the broker adds to a request.
    pub fn egress(&mut self, results: Value) {
        self.egress = results;
    }

    /// Keeps what a restart costs the first run.
    pub fn restarts(&mut self, restarts: Vec<Restart>) {
        self.restarts = restarts;
    }

    /// Keeps what hostile neighbours cost a polite account.
    pub fn neighbours(&mut self, neighbours: Vec<Neighbour>) {
        self.neighbours = neighbours;
    }

    /// Keeps what the rights of a large account cost.
    pub fn rights(&mut self, rights: Vec<Rights>) {
        self.rights = rights;
    }

    /// Keeps a target's memory before its first run.
    pub fn idle(&mut self, target: &'static str, bytes: u64) {
        self.idle.push((target, bytes));
    }

    /// Adds a measurement.
    pub fn measured(&mut self, target: &'static str, clients: u32, measurement: Measurement) {
        let same = |row: &&mut (&str, u32, Vec<Measurement>)| row.0 == target && row.1 == clients;
        match self.measured.iter_mut().find(same) {
            Some((_, _, all)) => all.push(measurement),
            None => self.measured.push((target, clients, vec![measurement])),
        }
    }

    /// The table as Markdown, so that it can be quoted.
    pub fn table(&self) -> String {
        let mut out = format!("\n{}, {} cores; medians of {} × {} s\n\n", machine(), cores(), self.runs, self.seconds);
        self.in_process_table(&mut out);
        if !self.measured.is_empty() {
            let _ = writeln!(
                out,
                "| server | clients | runs/s | × `wasmtime serve` | p50 ms | p99 ms | CPU-µs/run | peak MiB |"
            );
            let _ = writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        }
        for (target, clients, all) in &self.measured {
            let m = median(all);
            let ratio = self.ratio(*clients, m.runs_per_second);
            let ratio = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
            let database = match m.database_cpu_us_per_run {
                0.0 => String::new(),
                cpu => format!(" + {cpu:.0}"),
            };
            let _ = writeln!(
                out,
                "| {target} | {clients} | {:.0} | {ratio} | {:.2} | {:.2} | {:.0}{database} | {:.1} |",
                m.runs_per_second,
                m.p50_us as f64 / 1e3,
                m.p99_us as f64 / 1e3,
                m.cpu_us_per_run,
                mebibytes(m.peak_bytes),
            );
        }
        self.egress_table(&mut out);
        self.neighbours_table(&mut out);
        self.rights_table(&mut out);
        for Restart { guest, first_us, warm_us } in &self.restarts {
            let (first, warm) = (*first_us as f64 / 1e3, *warm_us as f64 / 1e3);
            let _ = writeln!(out, "\nFirst run of {guest} after a restart: {first:.1} ms; warm: {warm:.1} ms.");
        }
        if !self.measured.is_empty() {
            let _ = writeln!(out, "\nCPU time after a + is the database server's.");
        }
        for (target, bytes) in &self.idle {
            let _ = writeln!(out, "Idle, before the first run: {target}, {:.1} MiB.", mebibytes(*bytes));
        }
        out
    }

    /// Everything, each single measurement included.
    pub fn json(&self) -> Value {
        let rows = self.measured.iter().map(|(target, clients, all)| {
            let m = median(all);
            json!({
                "server": target,
                "clients": clients,
                "median": values(&m),
                "ratio_to_wasmtime_serve": self.ratio(*clients, m.runs_per_second),
                "all": all.iter().map(values).collect::<Vec<_>>(),
            })
        });
        json!({
            "machine": { "cpu": machine(), "cores": cores() },
            "seconds": self.seconds,
            "runs": self.runs,
            "in_process": self.in_process,
            "egress": self.egress,
            "restarts": self.restarts.iter().map(|r| {
                json!({ "guest": r.guest, "first_us": r.first_us, "warm_us": r.warm_us })
            }).collect::<Vec<_>>(),
            "neighbours": self.neighbours.iter().map(|row| {
                json!({
                    "attack": row.attack,
                    "runs_per_second": row.runs_per_second,
                    "p50_us": row.p50_us,
                    "p99_us": row.p99_us,
                })
            }).collect::<Vec<_>>(),
            "rights": self.rights.iter().map(|row| {
                json!({
                    "export_ms": row.export_ms,
                    "export_memory_bytes": row.export_memory,
                    "export_bytes": row.export_bytes,
                    "erasure_ms": row.erasure_ms,
                    "p99_us_before": row.before.p99_us,
                    "p99_us_meanwhile": row.meanwhile.p99_us,
                    "p99_us_after": row.after.p99_us,
                })
            }).collect::<Vec<_>>(),
            "over_http": rows.collect::<Vec<_>>(),
            "idle_bytes": self.idle.iter().map(|(target, bytes)| json!({ "server": target, "bytes": bytes }))
                .collect::<Vec<_>>(),
        })
    }

    /// One small HTTPS request through the broker, with a credential, and by reqwest alone.
    fn egress_table(&self, out: &mut String) {
        let Some(rows) = self.egress["requests"].as_array() else { return };
        let _ = writeln!(out, "\n| HTTPS clients | reqwest p50 µs | broker p50 µs | × | reqwest/s | broker/s | × |");
        let _ = writeln!(out, "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for row in rows {
            let number = |path: &str| row.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
            let _ = writeln!(
                out,
                "| {} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} | {:.2} |",
                row["clients"],
                number("/reqwest/p50_us"),
                number("/broker/p50_us"),
                number("/p50_ratio"),
                number("/reqwest/per_second"),
                number("/broker/per_second"),
                number("/throughput_ratio"),
            );
        }
        let search = self.egress["search_10_mib_cpu_ms"].as_f64().unwrap_or(f64::NAN);
        let _ = writeln!(out, "\nSearching 10 MiB of an answer for a secret: {search:.1} ms of CPU.");
    }

    /// A polite account's latency, beside nobody and beside each attack.
    fn neighbours_table(&self, out: &mut String) {
        let Some(idle) = self.neighbours.first() else { return };
        let _ = writeln!(out, "\n| a hostile account does | polite runs/s | p50 ms | p99 ms | × idle p99 |");
        let _ = writeln!(out, "| --- | ---: | ---: | ---: | ---: |");
        for row in &self.neighbours {
            let (p50, p99) = (row.p50_us as f64 / 1e3, row.p99_us as f64 / 1e3);
            let times = row.p99_us as f64 / idle.p99_us as f64;
            let _ = writeln!(out, "| {} | {:.0} | {p50:.2} | {p99:.2} | {times:.2} |", row.attack, row.runs_per_second);
        }
    }

    /// An account with a million log lines: its copy, its erasure, and a polite account beside that.
    fn rights_table(&self, out: &mut String) {
        if self.rights.is_empty() {
            return;
        }
        let _ = writeln!(
            out,
            "\n| a million log lines | copy s | memory MiB | copy MiB | erased s | p99 ms before | meanwhile | after | × |"
        );
        let _ = writeln!(out, "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for (turn, row) in self.rights.iter().enumerate() {
            let [before, meanwhile, after] =
                [&row.before, &row.meanwhile, &row.after].map(|seen| seen.p99_us as f64 / 1e3);
            let _ = writeln!(
                out,
                "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {before:.2} | {meanwhile:.2} | {after:.2} | {:.2} |",
                turn + 1,
                row.export_ms as f64 / 1e3,
                mebibytes(row.export_memory),
                mebibytes(row.export_bytes),
                row.erasure_ms as f64 / 1e3,
                row.times_p99(),
            );
        }
        let _ = writeln!(out, "\nMedian of what an erasure costs others at p99: × {:.2}", self.times_p99());
    }

    /// The median of all turns.
    fn times_p99(&self) -> f64 {
        let mut times: Vec<f64> = self.rights.iter().map(Rights::times_p99).collect();
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    }

    /// Rows `{guest, floor_us, run_us}`: one call on bare wasmtime and one run in process, in microseconds.
    fn in_process_table(&self, out: &mut String) {
        let Some(rows) = self.in_process.as_array() else { return };
        let _ = writeln!(out, "| guest | bare wasmtime µs | in process µs | × bare |");
        let _ = writeln!(out, "| --- | ---: | ---: | ---: |");
        for row in rows {
            let time = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
            let (floor, run) = (time("floor_us"), time("run_us"));
            let guest = row["guest"].as_str().unwrap_or_default();
            let _ = writeln!(out, "| {guest} | {floor:.1} | {run:.1} | {:.2} |", run / floor);
        }
        out.push('\n');
    }

    fn ratio(&self, clients: u32, runs_per_second: f64) -> Option<f64> {
        let serve = |row: &&(&str, u32, Vec<Measurement>)| row.0.starts_with("wasmtime serve") && row.1 == clients;
        let (_, _, all) = self.measured.iter().find(serve)?;
        Some(runs_per_second / median(all).runs_per_second)
    }
}

/// Each value's own median.
fn median(all: &[Measurement]) -> Measurement {
    let middle = |value: fn(&Measurement) -> f64| {
        let mut values: Vec<f64> = all.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Measurement {
        runs_per_second: middle(|m| m.runs_per_second),
        p50_us: middle(|m| m.p50_us as f64) as u64,
        p99_us: middle(|m| m.p99_us as f64) as u64,
        cpu_us_per_run: middle(|m| m.cpu_us_per_run),
        database_cpu_us_per_run: middle(|m| m.database_cpu_us_per_run),
        peak_bytes: middle(|m| m.peak_bytes as f64) as u64,
    }
}

fn values(m: &Measurement) -> Value {
    json!({
        "runs_per_second": m.runs_per_second,
        "p50_us": m.p50_us,
        "p99_us": m.p99_us,
        "cpu_us_per_run": m.cpu_us_per_run,
        "database_cpu_us_per_run": m.database_cpu_us_per_run,
        "peak_bytes": m.peak_bytes,
    })
}

fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    model.and_then(|line| line.split_once(':')).map_or("unknown CPU", |(_, name)| name.trim()).to_owned()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::{Measurement, Report};

    fn measurement(runs_per_second: f64) -> Measurement {
        Measurement {
            runs_per_second,
            p50_us: 1_000,
            p99_us: 2_000,
            cpu_us_per_run: 100.0,
            database_cpu_us_per_run: 0.0,
            peak_bytes: 1 << 20,
        }
    }

    #[test]
    fn ratios_are_of_medians_at_the_same_number_of_clients() {
        let mut report = Report::new(1, 3);
        for runs_per_second in [10.0, 4_000.0, 5_000.0] {
            report.measured("aaasp on SQLite", 64, measurement(runs_per_second));
        }
        report.measured("wasmtime serve", 1, measurement(1.0));
        report.measured("wasmtime serve", 64, measurement(8_000.0));
        let row = "| aaasp on SQLite | 64 | 4000 | 0.50 | 1.00 | 2.00 | 100 | 1.0 |";
        assert!(report.table().contains(row), "{}", report.table());
    }
}
