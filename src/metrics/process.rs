//! The metrics of the process itself.

use super::families::registered;
use super::series::seconds;
use jiff::Timestamp;
use prometheus::{Counter, Gauge, Registry};

/// The `process_*` metrics, read from `/proc/self` where there is one.
pub(super) struct Process {
    cpu: Counter,
    resident: Gauge,
    virtual_size: Gauge,
    open: Gauge,
    threads: Gauge,
}

impl Process {
    #[rustfmt::skip]
    pub(super) fn new(registry: &Registry) -> Result<Process, prometheus::Error> {
        let gauge = |name: &str, help: &str| registered(registry, Gauge::new(name, help)?);
        gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")?.set(seconds(Some(Timestamp::now())));
        Ok(Process {
            cpu: registered(registry, Counter::new("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.")?)?,
            resident: gauge("process_resident_memory_bytes", "Resident memory size in bytes.")?,
            virtual_size: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            open: gauge("process_open_fds", "Number of open file descriptors.")?,
            threads: gauge("process_threads", "Number of OS threads in the process.")?,
        })
    }

    pub(super) fn refresh(&self) {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let status = read("/proc/self/status");
        let field = |name: &str| -> Option<f64> {
            let line = status.lines().find_map(|l| l.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        self.resident.set(field("VmRSS:").unwrap_or(0.0) * 1024.0);
        self.virtual_size.set(field("VmSize:").unwrap_or(0.0) * 1024.0);
        self.threads.set(field("Threads:").unwrap_or(0.0));
        self.open.set(std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as f64);
        // Fields 14 and 15 of proc(5) stat, counted after the command's closing bracket; USER_HZ is 100.
        let stat = read("/proc/self/stat");
        let ticks = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum::<f64>());
        let passed = ticks.unwrap_or(0.0) / 100.0 - self.cpu.get();
        if passed > 0.0 {
            self.cpu.inc_by(passed);
        }
    }
}
