//! What becomes of memory that nothing uses any more: glibc by itself keeps nearly all of it.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

/// How often it is given back, which takes 0.1 ms where there is nothing to give and 2 ms for ten megabytes.
const EVERY: Duration = Duration::from_secs(1);

/// glibc gives every thread an arena of its own and hardly gives memory back from them; two are enough for us
/// and halve what the process keeps after a busy time.
#[expect(unsafe_code, reason = "mallopt has no safe wrapper; it is called before any other thread exists")]
pub(crate) fn limit_arenas() {
    // SAFETY: a plain libc call with constant arguments, made before any other thread is started.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1024 * 1024);
    }
}

/// Gives memory back to the kernel now and then, for as long as the runtime runs. The start alone leaves ten megabytes of
/// a heap of fourteen.
pub(crate) async fn give_back() {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        trim();
    }
}

/// Gives back every whole page that holds nothing in use, wherever it lies.
#[expect(unsafe_code, reason = "malloc_trim has no safe wrapper; it may be called by any thread at any time")]
fn trim() {
    // SAFETY: a plain libc call that takes no pointer and leaves what is allocated as it is.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of this process, in KB.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("is told");
        line.trim().trim_end_matches(" kB").parse().expect("is a number")
    }

    #[test]
    fn what_lies_between_blocks_in_use_is_given_back() {
        const KB: usize = 1024;
        let mut blocks: Vec<_> = (0..64 * KB).map(|_| Some(vec![1_u8; KB])).collect();
        for (index, block) in blocks.iter_mut().enumerate() {
            if index % 64 != 0 {
                *block = None;
            }
        }
        let before = resident();
        trim();
        let after = resident();
        assert!(before > 64 * 1024 && after < before - 48 * 1024, "{before} KB before, {after} KB after");
        assert_eq!(blocks.iter().flatten().map(Vec::len).sum::<usize>(), KB * KB);
    }
}
