//! Resident memory of Skypanel's process and of its private database, as the kernel counts it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Result;

const SAMPLE_EVERY: Duration = Duration::from_millis(20);

/// Resident memory of one process now, in MB (10^6 bytes).
pub(crate) fn resident_mb(pid: u32) -> Result<f64> {
    let kib = status_kib(pid, "VmRSS").ok_or_else(|| format!("process {pid} does not tell its memory"))?;
    Ok(mb(kib))
}

/// Memory of a process and its children, what they share counted once, in MB.
pub(crate) fn proportional_mb(parent: u32) -> Result<f64> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let all = children.split_whitespace().filter_map(|pid| pid.parse().ok()).chain([parent]);
    let kib: u64 = all
        .filter_map(|pid: u32| {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            field_kib(&rollup, "Pss")
        })
        .sum();
    Ok(mb(kib))
}

/// Watches a process until dropped or asked.
pub(crate) struct Peak {
    stop: Arc<AtomicBool>,
    highest_kib: Arc<AtomicU64>,
    sampler: Option<JoinHandle<()>>,
}

impl Peak {
    pub(crate) fn watch(pid: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let highest_kib = Arc::new(AtomicU64::new(0));
        let (stopped, highest) = (Arc::clone(&stop), Arc::clone(&highest_kib));
        let sampler = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                highest.fetch_max(status_kib(pid, "VmRSS").unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(SAMPLE_EVERY);
            }
        });
        Self { stop, highest_kib, sampler: Some(sampler) }
    }

    /// The most it was so far, in MB.
    pub(crate) fn mb(&self) -> f64 {
        mb(self.highest_kib.load(Ordering::Relaxed))
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(sampler) = self.sampler.take() {
            let _ = sampler.join();
        }
    }
}

fn status_kib(pid: u32, field: &str) -> Option<u64> {
    field_kib(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, field)
}

fn field_kib(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn mb(kib: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no process has 2^52 KiB")]
    let kib = kib as f64;
    kib * 1024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::field_kib;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "VmRSSx:\t 1 kB\nVmRSS:\t  52400 kB\n";
        assert_eq!(field_kib(text, "VmRSS"), Some(52_400));
        assert_eq!(field_kib(text, "VmHWM"), None);
    }
}
